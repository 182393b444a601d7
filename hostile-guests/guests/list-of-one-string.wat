;; 64 messages which are all the same 1 MiB: little memory here, much for who copies it.
(func $on_event (param $event i32) (result i32)
    (drop (memory.grow (i32.const 32)))
    (memory.fill (i32.const 0x110000) (i32.const 120) (i32.const 0x100000))
    (loop $again
        (call $reply (i32.const 0x110000) (i32.const 0x100000))
        (br_if $again (i32.lt_u (global.get $actions) (i32.const 64))))
    (call $done))
