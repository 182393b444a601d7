;; Exports the handler's name, with nothing in it.
(component
    (instance $handler)
    (export "hoopoe:flow/handler@0.1.0" (instance $handler)))
