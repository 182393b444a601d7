;; Calls an allowed host and asks it for another one's site.
(func $on_event (param $event i32) (result i32)
    (call $header (str "Host") (str "metadata.google.internal"))
    (call $http (str "https://shop.example.com/"))
    (call $done))
