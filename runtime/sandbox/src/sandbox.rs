//! The sandbox: one engine, its pool of instances, and the plugins that are compiled for it.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use tokio::sync::{OnceCell, Semaphore};
use wasmtime::Engine;
use wasmtime::component::Linker;

use crate::guest::Guest;
use crate::ticker::Ticker;
use crate::{Digest, Plugin, Settings, contract, engine, load};

/// Why there is no sandbox.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// wasmtime refuses the settings, or the machine has not enough addresses for the pool.
    #[error("the sandbox cannot be set up: {0}")]
    Engine(String),
    /// There is no thread for the clock of the sandbox.
    #[error("the sandbox's clock cannot be started: {0}")]
    Ticker(#[from] std::io::Error),
}

/// Runs plugins. Cheap to clone; all clones share one pool and one cache.
#[derive(Clone)]
pub struct Sandbox {
    core: Arc<Core>,
    /// Not in the core, which plugins hold on to: they would keep each other alive.
    plugins: Arc<Mutex<LruCache<Digest, Cell>>>,
}

/// What runs share.
pub(crate) struct Core {
    pub(crate) engine: Engine,
    pub(crate) settings: Settings,
    /// One for each instance of the pool: who holds one finds an instance.
    pub(crate) permits: Semaphore,
    pub(crate) ticker: Ticker,
    linker: Linker<Guest>,
}

/// A plugin that is or will be compiled. Who asks meanwhile waits for the same result.
type Cell = Arc<OnceCell<Plugin>>;

impl Sandbox {
    /// Set up the engine and its pool.
    pub fn new(settings: Settings) -> Result<Sandbox, Error> {
        let refused = |error: wasmtime::Error| Error::Engine(format!("{error:#}"));
        let engine = engine::engine(&settings).map_err(refused)?;
        let mut linker = Linker::new(&engine);
        contract::link(&mut linker).map_err(refused)?;
        let plugins = LruCache::new(NonZeroUsize::new(settings.cached_plugins).unwrap_or(NonZeroUsize::MIN));
        let permits = Semaphore::new(settings.max_instances as usize);
        let ticker = Ticker::start(engine.clone())?;
        let core = Arc::new(Core { engine, settings, permits, ticker, linker });
        Ok(Sandbox { core, plugins: Arc::new(Mutex::new(plugins)) })
    }

    /// Compile a component, link it, and ask it what it is. The same bytes are compiled once, also when many ask
    /// at the same time; who asks again gets the plugin from the cache.
    pub async fn load(&self, component: &[u8]) -> Result<Plugin, load::Error> {
        load::inspect(component, &self.core.settings.limits)?;
        let digest = Digest::of(component);
        let cell = self.cell(digest);
        let loaded = cell.get_or_try_init(|| self.compile(digest, component)).await.cloned();
        if loaded.is_err() {
            self.forget(&digest, &cell);
        }
        loaded
    }

    async fn compile(&self, digest: Digest, component: &[u8]) -> Result<Plugin, load::Error> {
        let (core, bytes) = (Arc::clone(&self.core), component.to_vec());
        let compiling = tokio::task::spawn_blocking(move || load::prepare(&core.engine, &core.linker, &bytes));
        let prepared = compiling.await.map_err(|error| load::Error::Compile(error.to_string()))??;
        Plugin::describe(Arc::clone(&self.core), digest, prepared).await
    }

    fn cell(&self, digest: Digest) -> Cell {
        let mut plugins = self.plugins.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(plugins.get_or_insert(digest, Cell::default))
    }

    /// Keep nothing of what could not be loaded, unless somebody else has loaded it meanwhile.
    fn forget(&self, digest: &Digest, cell: &Cell) {
        let mut plugins = self.plugins.lock().unwrap_or_else(PoisonError::into_inner);
        if !cell.initialized() && plugins.peek(digest).is_some_and(|kept| Arc::ptr_eq(kept, cell)) {
            plugins.pop(digest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_same_bytes_are_compiled_once_and_failures_are_not_kept() {
        let component = hoopoe_plugin_build::test_component("auto-reply").expect("the plugin builds");
        let sandbox = Sandbox::new(Settings::default()).expect("the settings are fine");
        let (one, two) = tokio::join!(sandbox.load(&component), sandbox.load(&component));
        let (one, two) = (one.expect("it loads"), two.expect("it loads"));
        let again = sandbox.load(&component).await.expect("it loads");
        assert!(one.is_same_as(&two) && one.is_same_as(&again));

        sandbox.load(b"\0asm\x0d\0\x01\0").await.expect_err("an empty component is no plugin");
        assert_eq!(sandbox.plugins.lock().expect("no test panics with it").len(), 1);
    }

    #[tokio::test]
    async fn the_least_recently_loaded_plugin_goes_first_and_stays_usable() {
        let component = |name| hoopoe_plugin_build::test_component(name).expect("the plugin builds");
        let settings = Settings { cached_plugins: 1, ..Settings::default() };
        let sandbox = Sandbox::new(settings).expect("the settings are fine");
        let first = sandbox.load(&component("auto-reply")).await.expect("it loads");
        sandbox.load(&component("test-guest")).await.expect("it loads");
        let reloaded = sandbox.load(&component("auto-reply")).await.expect("it loads");
        assert!(!first.is_same_as(&reloaded));
        assert_eq!(first.manifest(), reloaded.manifest());
        assert!(first.migrate_state("0.0.1", b"{}").await.result.is_ok());
    }
}
