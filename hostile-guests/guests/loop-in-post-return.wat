;; Answers, and never comes back from the cleaning up.
(func $on_event (param $event i32) (result i32)
    (call $reply (str "answered"))
    (call $done))
(func $post_on_event (param i32)
    (loop $again (br $again)))
