//! What passes between host and plugins: the types of `wit/flow-0.1.0`, as the host sees them.
//!
//! Each version of the contract has a module of its own with bindings. A plugin is bound to the version in the
//! name of the `handler` or `renderer` that it exports. When there is a second version, the types here become those
//! of the newest, and the older modules convert.

mod v0_1;

use std::fmt;

pub use v0_1::bindings::hoopoe::flow::host::Level;
pub use v0_1::bindings::hoopoe::flow::types::*;
pub(crate) use v0_1::{Flow, Template, link};

/// What passes between host and template plugins, besides the types of all plugins.
pub mod renderer {
    pub use super::v0_1::template_bindings::exports::hoopoe::flow::renderer::{RenderError, Request, Template};
}

/// The version of the contract that this host has.
pub const VERSION: &str = "0.1.0";
/// What a plugin may import.
pub(crate) const IMPORTS: [&str; 2] = ["hoopoe:flow/host@0.1.0", "hoopoe:flow/types@0.1.0"];

/// What a plugin is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum World {
    /// Handles events: exports `handler`.
    Flow,
    /// Renders templates: exports `renderer`.
    Template,
}

impl World {
    /// Both worlds.
    pub const ALL: [World; 2] = [World::Flow, World::Template];

    /// The world's name in the contract: `flow` or `template`.
    pub fn name(self) -> &'static str {
        match self {
            World::Flow => "flow",
            World::Template => "template",
        }
    }

    /// The interface that a plugin of this world exports, without its version.
    pub(crate) fn export(self) -> &'static str {
        match self {
            World::Flow => "hoopoe:flow/handler@",
            World::Template => "hoopoe:flow/renderer@",
        }
    }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

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
