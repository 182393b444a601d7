;; An idempotency key of 100,000 characters.
(func $on_event (param $event i32) (result i32)
    (memory.fill (i32.const 0xe0000) (i32.const 120) (i32.const 100000))
    (call $key (call $send (i32.const 0) (str "hello")) (i32.const 0xe0000) (i32.const 100000))
    (call $done))
