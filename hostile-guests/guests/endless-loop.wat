;; Never comes back.
(func $on_event (param $event i32) (result i32)
    (loop $again (br $again))
    unreachable)
