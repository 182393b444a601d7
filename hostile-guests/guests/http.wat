;; Calls the address that the message is, and replies with what came of it.
(func $on_event (param $event i32) (result i32)
    (if (i32.eq (call $kind (local.get $event)) (i32.const 3))
        (then (call $tell (local.get $event)))
        (else (call $http (call $text (local.get $event)))))
    (call $done))
