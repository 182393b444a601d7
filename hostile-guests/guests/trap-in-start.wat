;; Fails before any export is called.
(func $fall unreachable)
(start $fall)
