;; Takes memory, and writes to it, until there is no more; then fails.
(func $on_event (param $event i32) (result i32)
    (loop $again
        (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then unreachable))
        (memory.fill (i32.mul (i32.sub (memory.size) (i32.const 16)) (i32.const 65536)) (i32.const 1) (i32.const 0x100000))
        (br $again))
    unreachable)
