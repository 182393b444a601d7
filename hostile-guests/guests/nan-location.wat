;; Sends a place that is nowhere: NaN and infinity.
(func $on_event (param $event i32) (result i32) (local $send i32)
    (local.set $send (call $act (i32.const 0)))
    (i32.store8 (local.get $send) (i32.const 6))
    (f64.store offset=8 (local.get $send) (f64.const nan:0x4dead0000beef))
    (f64.store offset=16 (local.get $send) (f64.const inf))
    (call $done))
