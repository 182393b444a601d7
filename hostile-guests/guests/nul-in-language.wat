;; Asks for a stored template in a language with a NUL.
(func $on_event (param $event i32) (result i32) (local $send i32)
    (local.set $send (call $send (i32.const 11) (str "greeting")))
    (i32.store8 offset=16 (local.get $send) (i32.const 1))
    (i32.store offset=20 (local.get $send) (i32.const 0x1800))
    (i32.store offset=24 (local.get $send) (i32.const 3))
    (i32.store (i32.const 0x1800) (i32.const 0x00650065))
    (call $done))
