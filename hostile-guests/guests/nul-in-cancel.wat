;; Cancels a timer whose name has a NUL.
(func $on_event (param $event i32) (result i32)
    (call $plain (i32.const 4) (str "a\00b"))
    (call $done))
