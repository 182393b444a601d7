;; Calls itself by a name that is a path.
(data (i32.const 0x300) "../..")
