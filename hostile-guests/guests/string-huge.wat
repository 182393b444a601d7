;; A message of 60 MiB.
(func $on_event (param $event i32) (result i32)
    (drop (memory.grow (i32.const 1007)))
    (memory.fill (i32.const 0x110000) (i32.const 120) (i32.const 0x3c00000))
    (call $reply (i32.const 0x110000) (i32.const 0x3c00000))
    (call $done))
