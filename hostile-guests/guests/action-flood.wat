;; One action more than the 64 that are allowed.
(func $on_event (param $event i32) (result i32)
    (loop $again
        (call $plain (i32.const 6) (str "tag"))
        (br_if $again (i32.lt_u (global.get $actions) (i32.const 65))))
    (call $done))
