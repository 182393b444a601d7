;; Calls again whenever a call has ended.
(func $on_event (param $event i32) (result i32)
    (call $http (str "https://127.0.0.1/"))
    (call $done))
