;; A raw message with a NUL behind an escape.
(func $on_event (param $event i32) (result i32)
    (drop (call $send (i32.const 12) (str "{\"type\":\"text\",\"text\":{\"body\":\"a\\u0000b\"}}")))
    (call $done))
