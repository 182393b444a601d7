//! Processes, connections and leases that break at chosen moments: nothing is lost, and nothing is done twice.

#![allow(missing_docs, clippy::unwrap_used)]

mod crash;
mod cuts;
mod duplicates;
mod leases;
mod processes;
mod sharing;
