;; An HTTP call whose name has a NUL.
(data (i32.const 1536) "c\00ll")
(func $on_event (param $event i32) (result i32)
    (call $http (str "https://shop.example.com/"))
    (call $done))
