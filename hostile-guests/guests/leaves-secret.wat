;; Harmless, but careless: fills 60 MiB of memory with a mark, and ends.
(func $on_event (param $event i32) (result i32)
    (drop (memory.grow (i32.const 1007)))
    (memory.fill (i32.const 0x100000) (i32.const 0xa5) (i32.const 0x3c00000))
    (call $reply (str "filled"))
    (call $done))
