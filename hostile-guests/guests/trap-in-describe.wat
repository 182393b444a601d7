;; Fails when it is asked what it is.
(func $describe (result i32) (i32.load (i32.const -4)))
