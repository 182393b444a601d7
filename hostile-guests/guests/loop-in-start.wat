;; Never comes back from the start function, which runs before any export.
(func $spin (loop $again (br $again)))
(start $spin)
