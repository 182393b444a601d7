;; A flag that is neither 0 nor 1. The canonical ABI takes every other value for true: no harm.
(func $on_event (param $event i32) (result i32) (local $send i32)
    (local.set $send (call $send (i32.const 0) (str "hello")))
    (i32.store8 offset=16 (local.get $send) (i32.const 255))
    (call $done))
