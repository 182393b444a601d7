;; A line of log that is no UTF-8.
(func $on_event (param $event i32) (result i32)
    (call $log (i32.const 1) (str "\ff\fe\fd"))
    (call $done))
