;; An idempotency key with a NUL.
(func $on_event (param $event i32) (result i32)
    (call $key (call $send (i32.const 0) (str "hello")) (str "a\00b"))
    (call $done))
