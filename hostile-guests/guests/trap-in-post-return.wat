;; Answers, and fails in the cleaning up.
(func $on_event (param $event i32) (result i32)
    (call $reply (str "answered"))
    (call $done))
(func $post_on_event (param i32) unreachable)
