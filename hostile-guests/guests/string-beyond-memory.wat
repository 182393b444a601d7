;; A message that ends beyond its memory.
(func $on_event (param $event i32) (result i32)
    (call $reply (i32.const 0x100000) (i32.const 0x20000))
    (call $done))
