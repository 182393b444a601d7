;; Takes the idempotency key that another tenant's answer will have: the message says which.
(func $on_event (param $event i32) (result i32)
    (call $key (call $send (i32.const 0) (str "mine")) (call $text (local.get $event)))
    (call $done))
