;; A name of 60 MiB.
(func $describe (result i32)
    (drop (memory.grow (i32.const 1007)))
    (memory.fill (i32.const 0x100000) (i32.const 120) (i32.const 0x3c00000))
    (i32.store (i32.const 512) (i32.const 0x100000))
    (i32.store (i32.const 516) (i32.const 0x3c00000))
    (i32.const 512))
