;; A timer at the end of time.
(func $on_event (param $event i32) (result i32)
    (call $schedule (str "t") (i64.const -1))
    (call $done))
