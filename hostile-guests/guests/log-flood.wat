;; 10,000 lines of log, then an ordinary answer.
(func $on_event (param $event i32) (result i32) (local $n i32)
    (loop $again
        (call $log (i32.const 1) (str "noise"))
        (br_if $again
            (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 10000))))
    (call $reply (str "answered"))
    (call $done))
