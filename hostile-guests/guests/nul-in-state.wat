;; A state of zeros: bytes are bytes, and it is kept.
(func $on_event (param $event i32) (result i32)
    (call $keep (i32.const 0) (i32.const 100))
    (call $reply (str "answered"))
    (call $done))
