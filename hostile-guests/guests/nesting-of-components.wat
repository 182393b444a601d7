;; A template whose parameters are 50,000 levels deep.
(func $on_event (param $event i32) (result i32) (local $send i32)
    (memory.fill (i32.const 0xf0000) (i32.const 91) (i32.const 50000))
    (local.set $send (call $send (i32.const 10) (str "hello")))
    (i32.store offset=16 (local.get $send) (i32.const 1536))
    (i32.store offset=20 (local.get $send) (i32.const 2))
    (i32.store offset=24 (local.get $send) (i32.const 0xf0000))
    (i32.store offset=28 (local.get $send) (i32.const 50000))
    (call $done))
