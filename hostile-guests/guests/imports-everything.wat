;; Wants the whole world: HTTP, files of another WASI, stores, models, a function of its own wish.
(component
    (import "system" (func))
    (import "hoopoe:flow/secrets@0.1.0" (instance))
    (import "wasi:config/store@0.2.0" (instance))
    (import "wasi:filesystem/types@0.3.0" (instance))
    (import "wasi:http/outgoing-handler@0.2.0" (instance))
    (import "wasi:http/types@0.2.0" (instance))
    (import "wasi:keyvalue/store@0.2.0" (instance))
    (import "wasi:nn/graph@0.2.0" (instance))
    (import "wasi:sql/readwrite@0.2.0" (instance))
    (instance $handler)
    (export "hoopoe:flow/handler@0.1.0" (instance $handler)))
