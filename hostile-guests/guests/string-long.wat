;; A message of 5,000 characters, where WhatsApp takes 4,096.
(func $on_event (param $event i32) (result i32)
    (memory.fill (i32.const 0xf0000) (i32.const 120) (i32.const 5000))
    (call $reply (i32.const 0xf0000) (i32.const 5000))
    (call $done))
