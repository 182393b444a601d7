//! The critical protocol as a model: claim, lease, send, settle, crash, doubt, status.
//!
//! [`protocol`] says in one place what the runtime does in many (`runtime/store`, `runtime/delivery`), as steps that are
//! each one transaction, one request or one message on the wire. [`explore`] looks at every order in which they can
//! happen. What is abstracted away is time: a lease may run out at any moment, a doubt ends only when what it waits for
//! can no longer come. That is what the configuration has to guarantee: `GRAPH_TIMEOUT` is shorter than `LEASE_DEADLINE`
//! (up to then a worker extends its lease), and `UNKNOWN_OUTCOME_WAIT` is longer than Meta's statuses take.

pub mod explore;
pub mod protocol;
