;; A line with a NUL, a line end and codes that terminals obey.
(func $on_event (param $event i32) (result i32)
    (call $log (i32.const 3) (str "a\00b\n\1b[2J\1b]0;owned\07c"))
    (call $reply (str "answered"))
    (call $done))
