//! What an upload turns out to be.

use std::time::Duration;

use crate::contract::{Manifest, World};
use crate::loaded::Loaded;
use crate::{Digest, Plugin, Renderer};

/// A plugin that was looked at, compiled, and asked what it is.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// What is to be stored: the component. The uploaded bytes, unless those were a core module.
    pub component: Vec<u8>,
    /// SHA-256 of the component.
    pub digest: Digest,
    /// What the plugin is made for.
    pub world: World,
    /// What the plugin says of itself.
    pub manifest: Manifest,
    /// Version of the contract that it was made for.
    pub contract: String,
    /// Bytes of the component.
    pub size: usize,
    /// Names of the interfaces that it imports.
    pub imports: Vec<String>,
    /// Names of the interfaces that it exports.
    pub exports: Vec<String>,
    /// How long compiling took, when it was compiled first.
    pub compile_time: Duration,
    pub(crate) loaded: Loaded,
}

impl Inspection {
    pub(crate) fn new(component: Vec<u8>, digest: Digest, loaded: Loaded) -> Self {
        let about = loaded.about().clone();
        Inspection {
            digest,
            world: about.world,
            manifest: about.manifest,
            contract: about.contract,
            size: component.len(),
            imports: about.imports,
            exports: about.exports,
            compile_time: about.compile_time,
            component,
            loaded,
        }
    }

    /// The plugin, when it is a flow.
    pub fn flow(&self) -> Option<&Plugin> {
        match &self.loaded {
            Loaded::Flow(plugin) => Some(plugin),
            Loaded::Template(_) => None,
        }
    }

    /// The plugin, when it renders templates.
    pub fn renderer(&self) -> Option<&Renderer> {
        match &self.loaded {
            Loaded::Template(renderer) => Some(renderer),
            Loaded::Flow(_) => None,
        }
    }
}
