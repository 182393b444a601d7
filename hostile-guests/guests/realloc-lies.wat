;; Gives the host room that is outside of its memory.
(func $realloc (param i32 i32 i32 i32) (result i32) (i32.const 0xfffffff0))
