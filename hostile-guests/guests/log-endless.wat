;; Lines of 900 KB without end: few instructions here, much copying for the host.
(func $on_event (param $event i32) (result i32)
    (memory.fill (i32.const 0x10000) (i32.const 120) (i32.const 900000))
    (loop $again
        (call $log (i32.const 1) (i32.const 0x10000) (i32.const 900000))
        (br $again))
    unreachable)
