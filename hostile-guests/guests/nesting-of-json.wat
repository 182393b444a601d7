;; A raw message whose JSON is 50,000 levels deep.
(func $on_event (param $event i32) (result i32) (local $n i32)
    (memory.fill (i32.const 0xf0000) (i32.const 91) (i32.const 50000))
    (drop (call $send (i32.const 12) (i32.const 0xf0000) (i32.const 50000)))
    (call $done))
