;; Hands the conversation over for a reason with a NUL.
(func $on_event (param $event i32) (result i32)
    (call $plain (i32.const 5) (str "a\00b"))
    (call $done))
