//! The sandbox: one engine, its pool of instances, and the plugins that are compiled for it.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hoopoe_telemetry::metrics;
use hoopoe_telemetry::metrics::labels::Compiled;
use tokio::sync::Semaphore;
use wasmtime::Engine;
use wasmtime::component::Linker;

use crate::cache::Disk;
use crate::compile::{How, Jobs, Turn, blocking};
use crate::guest::Guest;
use crate::load::Layer;
use crate::loaded::Loaded;
use crate::memory::Memory;
use crate::ticker::Ticker;
use crate::turns::{Places, Turns};
use crate::{Digest, Inspection, Owner, Plugin, Renderer, Settings, contract, engine, load};

/// Why there is no sandbox.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// wasmtime refuses the settings, or the machine has not enough addresses for the pool.
    #[error("the sandbox cannot be set up: {0}")]
    Engine(String),
    /// There is no thread for the clock of the sandbox, or for its long runs.
    #[error("the sandbox's threads cannot be started: {0}")]
    Threads(#[from] std::io::Error),
    /// The folder for compiled plugins cannot be used.
    #[error("the folder for compiled plugins cannot be used: {0}")]
    Cache(std::io::Error),
}

/// Why a plugin cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum GetError<E> {
    /// The component could not be fetched.
    #[error("{0}")]
    Fetch(E),
    /// It could not be loaded.
    #[error(transparent)]
    Load(load::Error),
}

/// Runs plugins. Cheap to clone; all clones share one pool and one cache.
#[derive(Clone)]
pub struct Sandbox {
    core: Arc<Core>,
    /// Not in the core, which plugins hold on to: they would keep each other alive.
    memory: Arc<Mutex<Memory>>,
    jobs: Arc<Jobs>,
    disk: Option<Arc<Disk>>,
    owner: Option<Owner>,
}

/// What runs share.
pub(crate) struct Core {
    pub(crate) engine: Engine,
    pub(crate) settings: Settings,
    /// One for each instance of the pool: who holds one finds an instance.
    pub(crate) permits: Semaphore,
    pub(crate) places: Arc<Places>,
    pub(crate) turns: Turns,
    pub(crate) ticker: Ticker,
    linker: Linker<Guest>,
}

impl Sandbox {
    /// Set up the engine, its pool, and the folder for compiled plugins.
    pub fn new(settings: Settings) -> Result<Sandbox, Error> {
        let refused = |error: wasmtime::Error| Error::Engine(format!("{error:#}"));
        let engine = engine::runner(&settings).map_err(refused)?;
        let mut linker = Linker::new(&engine);
        contract::link(&mut linker).map_err(refused)?;
        let disk = settings.cache.clone().map(|cache| Disk::open(cache, &engine)).transpose().map_err(Error::Cache)?;
        let memory = Arc::new(Mutex::new(Memory::new(&settings)));
        let jobs = Arc::new(Jobs::new(settings.compiler.clone()));
        let permits = Semaphore::new(settings.max_instances as usize);
        // Whoever is done within a tick waits for nobody but others who are.
        let places = Places::new(settings.max_instances as usize * 3 / 4, settings.long_runs_per_owner);
        let turns = Turns::start(settings.threads)?;
        let ticker = Ticker::start(engine.clone())?;
        let core = Arc::new(Core { engine, settings, permits, places, turns, ticker, linker });
        Ok(Sandbox { core, memory, jobs, disk: disk.map(Arc::new), owner: None })
    }

    /// The same sandbox, for what is compiled on behalf of this owner: one plugin at a time, in turn with others.
    pub fn on_behalf_of(&self, owner: Owner) -> Sandbox {
        Sandbox { owner: Some(owner), ..self.clone() }
    }

    /// Compile a flow, link it, and ask it what it is. The same bytes are compiled once, also when many ask at the
    /// same time; who asks again gets the plugin from the cache.
    pub async fn load(&self, component: &[u8]) -> Result<Plugin, load::Error> {
        self.loaded(component, How::Run).await?.flow()
    }

    /// Like [`Sandbox::load`], for a template plugin.
    pub async fn load_renderer(&self, component: &[u8]) -> Result<Renderer, load::Error> {
        self.loaded(component, How::Run).await?.template()
    }

    /// Like [`Sandbox::load`], for a plugin of the operator, such as those in the binary: compiled in this process,
    /// without a limit or a wait for others.
    pub async fn load_trusted(&self, component: &[u8]) -> Result<Plugin, load::Error> {
        self.loaded(component, How::Trusted).await?.flow()
    }

    /// Like [`Sandbox::load_trusted`], for a template plugin.
    pub async fn load_trusted_renderer(&self, component: &[u8]) -> Result<Renderer, load::Error> {
        self.loaded(component, How::Trusted).await?.template()
    }

    /// The flow with this digest: from memory, else from the folder of compiled plugins, else made of what
    /// `component` gives. Its future is polled in the last case only.
    pub async fn get<E>(
        &self,
        digest: Digest,
        component: impl Future<Output = Result<Vec<u8>, E>>,
    ) -> Result<Plugin, GetError<E>> {
        self.find(digest, component, How::Run).await?.flow().map_err(GetError::Load)
    }

    /// Like [`Sandbox::get`], for a template plugin.
    pub async fn get_renderer<E>(
        &self,
        digest: Digest,
        component: impl Future<Output = Result<Vec<u8>, E>>,
    ) -> Result<Renderer, GetError<E>> {
        self.find(digest, component, How::Run).await?.template().map_err(GetError::Load)
    }

    /// What an upload is: a component of either world, or a core module that carries its WIT, of which a component
    /// is made. It is compiled, and kept like one that was loaded. When too many uploads wait already this fails at
    /// once.
    pub async fn inspect(&self, upload: &[u8]) -> Result<Inspection, load::Error> {
        let limits = &self.core.settings.limits;
        let component = match load::layer(upload, limits)? {
            Layer::Component => upload.to_vec(),
            Layer::Module => self.jobs.componentize(upload, self.owner).await?,
        };
        let loaded = self.loaded(&component, How::Inspect).await?;
        let digest = Digest::of(&component);
        Ok(Inspection::new(component, digest, loaded))
    }

    async fn loaded(&self, component: &[u8], how: How) -> Result<Loaded, load::Error> {
        if load::layer(component, &self.core.settings.limits)? == Layer::Module {
            return Err(load::Error::NotComponent);
        }
        let fetch = async { Ok::<_, Infallible>(component.to_vec()) };
        self.find(Digest::of(component), fetch, how).await.map_err(|error| match error {
            GetError::Load(error) => error,
            GetError::Fetch(never) => match never {},
        })
    }

    async fn find<E>(
        &self,
        digest: Digest,
        component: impl Future<Output = Result<Vec<u8>, E>>,
        how: How,
    ) -> Result<Loaded, GetError<E>> {
        let cell = self.memory().cell(digest);
        if let Some(loaded) = cell.get() {
            return Ok(loaded.clone());
        }
        let made = cell
            .get_or_try_init(async || {
                if let Some(loaded) = self.kept(digest).await {
                    return Ok(loaded);
                }
                // Fetched in its turn, so that those who wait hold nothing.
                let turn = self.jobs.turn(how, self.owner).await.inspect_err(refused).map_err(GetError::Load)?;
                let component = component.await.map_err(GetError::Fetch)?;
                let compiled = self.compile(digest, &component, how, turn).await.inspect_err(refused);
                compiled.map_err(GetError::Load)
            })
            .await
            .cloned();
        match made.is_ok() {
            true => self.memory().loaded(&digest, &cell),
            false => self.memory().failed(&digest, &cell),
        }
        made
    }

    async fn kept(&self, digest: Digest) -> Option<Loaded> {
        let (disk, core) = (Arc::clone(self.disk.as_ref()?), Arc::clone(&self.core));
        let read = move || {
            let Some((about, code)) = disk.read(&digest) else { return Ok(None) };
            let loaded = code.load(&core.engine).map_err(|error| load::Error::Compile(format!("{error:#}")));
            let linked = loaded.and_then(|component| load::world::link(&core.linker, &component));
            Ok(match linked {
                Ok(linked) => Some(Loaded::new(&core, digest, linked.prepared, about, code.bytes().len())),
                // The engine or the rules have changed: what compiles it anew says what is wrong.
                Err(error) => {
                    tracing::warn!(%digest, %error, "a compiled plugin is not used and deleted");
                    disk.delete(&digest);
                    None
                }
            })
        };
        blocking(read).await.ok().flatten()
    }

    async fn compile(
        &self,
        digest: Digest,
        component: &[u8],
        how: How,
        turn: Option<Turn>,
    ) -> Result<Loaded, load::Error> {
        if load::layer(component, &self.core.settings.limits)? == Layer::Module {
            return Err(load::Error::NotComponent);
        }
        let found = Digest::of(component);
        if found != digest {
            return Err(load::Error::Digest { wanted: digest.to_string(), found: found.to_string() });
        }
        let (code, time) = self.jobs.compile(&self.core.engine, component, how, turn).await?;
        metrics().compilation.observe(time.as_secs_f64());
        let core = Arc::clone(&self.core);
        let (linked, code) = blocking(move || {
            let component = code.load(&core.engine).map_err(|error| load::Error::Compile(format!("{error:#}")))?;
            Ok((load::world::link(&core.linker, &component)?, code))
        })
        .await?;
        let loaded = Loaded::describe(&self.core, digest, linked, code.bytes().len(), time).await?;
        metrics().compilations.of(Compiled::Done).inc();
        if let Some(disk) = self.disk.clone() {
            let about = loaded.about().clone();
            // Its own errors it logs.
            let _ = blocking(move || {
                disk.write(&digest, &about, &code);
                Ok(())
            })
            .await;
        }
        Ok(loaded)
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts why a plugin was not compiled.
fn refused(error: &load::Error) {
    let outcome = match error {
        load::Error::CompileLimit(_) => Compiled::Limit,
        load::Error::CompilerCrashed(_) => Compiled::Crashed,
        load::Error::OwnUploads { .. } | load::Error::Uploads { .. } => Compiled::Waiting,
        error if error.is_ours() => Compiled::Failed,
        _ => Compiled::Refused,
    };
    metrics().compilations.of(outcome).inc();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Owner;

    #[tokio::test]
    async fn the_same_bytes_are_compiled_once_and_failures_are_not_kept() {
        let component = hoopoe_plugin_build::test_component("auto-reply").expect("the plugin builds");
        let sandbox = Sandbox::new(Settings::default()).expect("the settings are fine");
        let (one, two) = tokio::join!(sandbox.load(&component), sandbox.load(&component));
        let (one, two) = (one.expect("it loads"), two.expect("it loads"));
        let again = sandbox.load(&component).await.expect("it loads");
        assert!(one.is_same_as(&two) && one.is_same_as(&again));

        sandbox.load(b"\0asm\x0d\0\x01\0").await.expect_err("an empty component is no plugin");
        assert_eq!(sandbox.memory().len(), 1);
    }

    #[tokio::test]
    async fn the_least_recently_loaded_plugin_goes_first_and_stays_usable() {
        let component = |name| hoopoe_plugin_build::test_component(name).expect("the plugin builds");
        let few = Settings { cached_plugins: 1, ..Settings::default() };
        let small = Settings { cached_bytes: 1, ..Settings::default() };
        for settings in [few, small] {
            let sandbox = Sandbox::new(settings).expect("the settings are fine");
            let first = sandbox.load(&component("auto-reply")).await.expect("it loads");
            let again = sandbox.load(&component("auto-reply")).await.expect("it loads");
            assert!(first.is_same_as(&again), "the newest stays, however large");
            sandbox.load(&component("test-guest")).await.expect("it loads");
            let reloaded = sandbox.load(&component("auto-reply")).await.expect("it loads");
            assert!(!first.is_same_as(&reloaded));
            assert_eq!(first.manifest(), reloaded.manifest());
            assert!(first.migrate_state(Owner(1), "0.0.1", b"{}").await.result.is_ok());
            assert_eq!(sandbox.memory().len(), 1);
        }
    }
}
