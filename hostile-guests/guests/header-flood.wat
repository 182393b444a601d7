;; More headers than the 32 that are allowed.
(func $on_event (param $event i32) (result i32)
    (loop $again
        (call $header (str "x-a") (str "1"))
        (br_if $again (i32.lt_u (global.get $headers) (i32.const 33))))
    (call $http (str "https://shop.example.com/"))
    (call $done))
