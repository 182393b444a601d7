;; Is born with a table of 160 MB.
(table $table 10000000 funcref)
