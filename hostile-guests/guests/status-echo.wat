;; Sends a message for every status of a message, which has statuses of its own.
(func $describe (result i32)
    (i32.store (i32.const 0x320) (i32.const 0x0100))
    (i32.store (i32.const 532) (i32.const 2))
    (i32.const 512))
(func $on_event (param $event i32) (result i32)
    (call $reply (str "echo"))
    (call $done))
