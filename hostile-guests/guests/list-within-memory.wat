;; An outcome with 600,000 actions that are all there.
(func $on_event (param $event i32) (result i32)
    (drop (memory.grow (i32.const 1007)))
    (global.set $actions (i32.const 600000))
    (call $done))
