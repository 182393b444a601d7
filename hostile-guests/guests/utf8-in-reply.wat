;; A message that is no UTF-8: a lone continuation, an overlong slash, a surrogate.
(func $on_event (param $event i32) (result i32)
    (call $reply (str "a\80\c0\af\ed\a0\80"))
    (call $done))
