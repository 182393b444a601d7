//! Stands in for Meta: for development, tests and benchmarks.
//!
//! It takes sends as the Graph API does, sends signed statuses back, posts signed messages from users of every kind,
//! and fails on request. It counts what it accepted, so that a test can ask how often a reply arrived.
//!
//! It shares no code with the runtime: signature, envelopes and checks are written a second time, so that a mistake in
//! one shows against the other.
//!
//! A simulator never fails by itself: what goes wrong is in the [`Delivery`] of a webhook or in the [`Stats`].

mod check;
mod control;
mod direct;
mod directory;
mod envelope;
mod fault;
mod graph;
mod inbound;
mod kinds;
mod ledger;
mod line;
mod management;
mod media;
mod node;
mod options;
mod sim;
mod state;
mod statuses;
mod templates;
mod webhook;

pub use direct::{Direct, Platform};
pub use directory::{BusinessNumber, Grant};
pub use fault::Fault;
pub use inbound::Inbound;
pub use kinds::InboundKind;
pub use ledger::{Accepted, MarkedRead, Stats};
pub use media::File;
pub use options::{Options, StatusOrder};
pub use sim::{Sim, Timeout};
pub use webhook::{Delivery, sign};
