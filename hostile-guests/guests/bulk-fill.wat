;; Few instructions, much work: each fills or copies 60 MiB.
(func $on_event (param $event i32) (result i32)
    (drop (memory.grow (i32.const 1007)))
    (loop $again
        (memory.fill (i32.const 0x100000) (i32.const 7) (i32.const 0x3c00000))
        (memory.copy (i32.const 0x100000) (i32.const 0x200000) (i32.const 0x3b00000))
        (br $again))
    unreachable)
