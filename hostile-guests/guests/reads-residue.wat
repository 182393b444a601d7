;; Takes all the memory that it can get and looks for what another guest has left there.
(func $on_event (param $event i32) (result i32) (local $at i32)
    (drop (memory.grow (i32.const 1007)))
    (local.set $at (i32.const 0x100000))
    (loop $again
        (if (i64.ne (i64.load (local.get $at)) (i64.const 0))
            (then (if (i64.eq (i64.load (local.get $at)) (i64.const 0xa5a5a5a5a5a5a5a5))
                (then (call $reply (str "found it")) (return (call $done))))))
        (local.set $at (i32.add (local.get $at) (i32.const 256)))
        (br_if $again (i32.lt_u (local.get $at) (i32.const 0x3d00000))))
    (call $reply (str "clean"))
    (call $done))
