;; Asks for a stored template whose key has a NUL.
(func $on_event (param $event i32) (result i32)
    (drop (call $send (i32.const 11) (str "a\00b")))
    (call $done))
