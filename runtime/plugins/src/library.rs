//! The plugins that this process can run, by name and digest.

use std::collections::HashMap;
use std::sync::Arc;

use hoopoe_sandbox::{Digest, GetError, Owner, Plugin, Renderer, Sandbox, load};
use hoopoe_store::Store;
use uuid::Uuid;

/// Why a plugin cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no built-in plugin of this name, or no such version of the tenant's.
    #[error("there is no plugin {0}")]
    Missing(String),
    /// The component does not load.
    #[error("plugin {name}: {source}")]
    Load {
        /// The plugin's name.
        name: String,
        /// Why not.
        #[source]
        source: load::Error,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] hoopoe_store::Error),
}

/// Finds and loads plugins. Cheap to clone.
#[derive(Clone)]
pub struct Library {
    pub(crate) store: Store,
    pub(crate) sandbox: Sandbox,
    builtin: Arc<HashMap<String, Plugin>>,
}

impl Library {
    /// With the built-in flows, and those that tests add by name and component.
    pub async fn open(store: Store, sandbox: Sandbox, more: &[(String, Vec<u8>)]) -> Result<Self, Error> {
        let mut builtin = HashMap::new();
        let known = hoopoe_builtin::flows().iter().map(|builtin| (builtin.name, builtin.component));
        for (name, component) in known.chain(more.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()))) {
            let loaded = sandbox.load_trusted(component).await;
            let plugin = loaded.map_err(|source| Error::Load { name: name.to_owned(), source })?;
            builtin.insert(name.to_owned(), plugin);
        }
        Ok(Self { store, sandbox, builtin: Arc::new(builtin) })
    }

    /// The sandbox that runs them.
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// Most bytes of a component.
    pub fn largest_component(&self) -> usize {
        hoopoe_sandbox::Limits::default().component_bytes
    }

    /// A flow: built-in when there is no digest, else this version of the tenant's plugin.
    pub async fn flow(&self, tenant_id: Uuid, name: &str, digest: Option<&str>) -> Result<Plugin, Error> {
        let Some(hex) = digest else {
            return self.builtin.get(name).cloned().ok_or_else(|| Error::Missing(format!("{name} built in")));
        };
        let digest = Digest::from_hex(hex).ok_or_else(|| missing(name, hex))?;
        let component = self.component(tenant_id, name, hex);
        self.sandbox_for(tenant_id).get(digest, component).await.map_err(|error| failed(name, error))
    }

    /// A version of a renderer of the tenant's own.
    pub(crate) async fn own_renderer(&self, tenant_id: Uuid, name: &str, hex: &str) -> Result<Renderer, Error> {
        let digest = Digest::from_hex(hex).ok_or_else(|| missing(name, hex))?;
        let component = self.component(tenant_id, name, hex);
        self.sandbox_for(tenant_id).get_renderer(digest, component).await.map_err(|error| failed(name, error))
    }

    /// The sandbox, in which what this tenant has compiled takes its turn with others.
    pub(crate) fn sandbox_for(&self, tenant_id: Uuid) -> Sandbox {
        self.sandbox.on_behalf_of(Owner(tenant_id.as_u128()))
    }

    async fn component(&self, tenant_id: Uuid, name: &str, hex: &str) -> Result<Vec<u8>, Error> {
        let component = self.store.plugin_component(tenant_id, name, hex).await?;
        component.ok_or_else(|| missing(name, hex))
    }
}

fn missing(name: &str, hex: &str) -> Error {
    Error::Missing(format!("{name} with digest {hex}"))
}

fn failed(name: &str, error: GetError<Error>) -> Error {
    match error {
        GetError::Fetch(error) => error,
        GetError::Load(source) => Error::Load { name: name.to_owned(), source },
    }
}
