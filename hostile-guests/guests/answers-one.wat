;; Harmless: replies `one`.
(func $on_event (param $event i32) (result i32)
    (call $reply (str "one"))
    (call $done))
