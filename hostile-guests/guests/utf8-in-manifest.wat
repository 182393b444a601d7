;; A manifest whose name is no UTF-8.
(func $describe (result i32)
    (i32.store (i32.const 0x300) (i32.const -1))
    (i32.const 512))
