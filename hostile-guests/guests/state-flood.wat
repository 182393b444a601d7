;; A state of 64 KiB and a byte.
(func $on_event (param $event i32) (result i32)
    (call $keep (i32.const 65536) (i32.const 65537))
    (call $done))
