;; A message with a NUL, which Postgres cannot keep.
(func $on_event (param $event i32) (result i32)
    (call $reply (str "a\00b"))
    (call $done))
