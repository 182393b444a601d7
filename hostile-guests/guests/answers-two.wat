;; Harmless: replies `two`.
(func $on_event (param $event i32) (result i32)
    (call $reply (str "two"))
    (call $done))
