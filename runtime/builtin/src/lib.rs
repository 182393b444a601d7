//! The plugins that come with Hoopoe, compiled to components and embedded in the binary.
//!
//! They are built from `plugins/` by this crate's build script, and run in the sandbox like every other plugin:
//! the host has no copy of their logic.

/// A plugin in the binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Builtin {
    /// Its name, as in its manifest.
    pub name: &'static str,
    /// The component, for the sandbox to load.
    pub component: &'static [u8],
}

/// The default flow: one friendly answer to every message.
pub const AUTO_REPLY: Builtin =
    Builtin { name: "auto-reply", component: include_bytes!(concat!(env!("OUT_DIR"), "/auto-reply.wasm")) };

/// Runs a tenant's rule set.
pub const RULES: Builtin =
    Builtin { name: "rules", component: include_bytes!(concat!(env!("OUT_DIR"), "/rules.wasm")) };

/// Renders templates, unless the tenant has a renderer of its own.
pub const TEMPLATES: Builtin =
    Builtin { name: "templates", component: include_bytes!(concat!(env!("OUT_DIR"), "/templates.wasm")) };

/// Those that handle events.
pub fn flows() -> &'static [Builtin] {
    &[AUTO_REPLY, RULES]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_a_component() {
        for builtin in flows().iter().chain([&TEMPLATES]) {
            // The magic number and version of a component, by the component model's binary format.
            assert_eq!(builtin.component[..8], *b"\0asm\x0d\0\x01\0", "{}", builtin.name);
        }
    }
}
