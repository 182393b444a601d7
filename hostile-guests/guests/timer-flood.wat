;; 64 new timers in every run, far in the future: 100 of a conversation are allowed.
(func $on_event (param $event i32) (result i32) (local $n i32)
    ;; The names: two letters, the first by the length of the message.
    (i32.store8 (i32.const 0x1800) (i32.add (i32.const 65) (i32.load offset=204 (local.get $event))))
    (loop $again
        (i32.store8 (i32.add (i32.const 0x1900) (i32.mul (local.get $n) (i32.const 2))) (i32.load8_u (i32.const 0x1800)))
        (i32.store8 (i32.add (i32.const 0x1901) (i32.mul (local.get $n) (i32.const 2))) (i32.add (i32.const 48) (local.get $n)))
        (call $schedule (i32.add (i32.const 0x1900) (i32.mul (local.get $n) (i32.const 2))) (i32.const 2)
            (i64.add (call $now (local.get $event)) (i64.const 86400000)))
        (br_if $again
            (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 64))))
    (call $done))
