;; Ends itself with a large message when it is asked what it is.
(func $describe (result i32)
    (memory.fill (i32.const 0x10000) (i32.const 120) (i32.const 900000))
    (call $abort (i32.const 0x10000) (i32.const 900000))
    unreachable)
