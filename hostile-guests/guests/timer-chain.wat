;; Sets 60 timers that are due at once; each of them sets itself again when it fires.
(func $on_event (param $event i32) (result i32) (local $n i32)
    (if (i32.eq (call $kind (local.get $event)) (i32.const 2))
        (then
            (call $schedule (i32.load offset=176 (local.get $event)) (i32.load offset=180 (local.get $event)) (i64.const 0))
            (return (call $done))))
    (loop $again
        (i32.store8 (i32.add (i32.const 0x1900) (local.get $n)) (i32.add (i32.const 48) (local.get $n)))
        (call $schedule (i32.add (i32.const 0x1900) (local.get $n)) (i32.const 1) (i64.const 0))
        (br_if $again
            (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 60))))
    (call $done))
