//! The plugins that tenants' events can be given to, by name.

use std::collections::HashMap;

use hoopoe_sandbox::{Plugin, Sandbox, load};

/// Why a plugin cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("plugin {name}: {source}")]
pub struct Error {
    name: String,
    #[source]
    source: load::Error,
}

/// Loaded plugins. Cheap to clone.
#[derive(Clone)]
pub struct Plugins {
    sandbox: Sandbox,
    loaded: HashMap<String, Plugin>,
}

impl Plugins {
    /// None yet.
    pub fn new(sandbox: Sandbox) -> Self {
        Self { sandbox, loaded: HashMap::new() }
    }

    /// Compiles a component and gives it a name.
    pub async fn add(&mut self, name: &str, component: &[u8]) -> Result<(), Error> {
        let loaded = self.sandbox.load(component).await;
        let plugin = loaded.map_err(|source| Error { name: name.to_owned(), source })?;
        self.loaded.insert(name.to_owned(), plugin);
        Ok(())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Plugin> {
        self.loaded.get(name)
    }
}
