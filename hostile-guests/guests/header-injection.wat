;; Hides a second header in the value of the first.
(func $on_event (param $event i32) (result i32)
    (call $header (str "x-a") (str "1\r\nhost: elsewhere.example.com"))
    (call $http (str "https://shop.example.com/"))
    (call $done))
