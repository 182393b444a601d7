;; An action of a kind that the contract does not have.
(func $on_event (param $event i32) (result i32)
    (drop (call $act (i32.const 200)))
    (call $done))
