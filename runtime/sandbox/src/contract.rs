//! What passes between host and plugins: the types of `wit/flow-0.1.0`, as the host sees them.
//!
//! Each version of the contract has a module of its own with bindings. A plugin is bound to the version in the
//! name of the `handler` that it exports. When there is a second version, the types here become those of the
//! newest, and the older modules convert.

mod v0_1;

pub use v0_1::bindings::hoopoe::flow::host::Level;
pub use v0_1::bindings::hoopoe::flow::types::*;
pub(crate) use v0_1::{Prepared, link};

/// The interface that a plugin exports, without its version.
pub(crate) const HANDLER: &str = "hoopoe:flow/handler@";
/// The version of the contract that this host has.
pub(crate) const VERSION: &str = "0.1.0";
/// What a plugin may import.
pub(crate) const IMPORTS: [&str; 2] = ["hoopoe:flow/host@0.1.0", "hoopoe:flow/types@0.1.0"];

impl Event {
    /// Which kind of event this is, as manifests name it.
    pub fn kind(&self) -> EventKind {
        match self {
            Event::Message(_) => EventKind::Message,
            Event::Status(_) => EventKind::Status,
            Event::Timer(_) => EventKind::Timer,
            Event::HttpResponse(_) => EventKind::HttpResponse,
            Event::Other(_) => EventKind::Other,
        }
    }
}
