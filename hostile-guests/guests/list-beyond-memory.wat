;; An outcome with 2^31 actions, which would lie far beyond its memory.
(func $on_event (param $event i32) (result i32)
    (global.set $actions (i32.const 0x7fffffff))
    (call $done))
