;; Calls itself without end; the sum after the call keeps it from being a loop.
(func $deeper (param $n i32) (result i32)
    (i32.add (i32.const 1) (call $deeper (i32.add (local.get $n) (i32.const 1)))))
(func $on_event (param $event i32) (result i32)
    (call $deeper (i32.const 0)))
