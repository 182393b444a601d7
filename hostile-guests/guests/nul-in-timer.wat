;; Sets a timer whose name has a NUL.
(func $on_event (param $event i32) (result i32)
    (call $schedule (str "a\00b") (call $now (local.get $event)))
    (call $done))
