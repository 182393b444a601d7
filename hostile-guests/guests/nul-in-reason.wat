;; Gives an event up for a reason with a NUL.
(func $on_event (param $event i32) (result i32)
    (call $fail (i32.const 1) (str "a\00b")))
