//! What is the same for plugins of every world: what is known of one, and how it is asked what it is.

use std::sync::Arc;
use std::time::Duration;

use crate::contract::{Manifest, World};
use crate::guest::Moment;
use crate::load::world::{Linked, Prepared};
use crate::run::{Started, run};
use crate::sandbox::Core;
use crate::{Digest, Plugin, Renderer, load};

/// What is known of a plugin without running it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct About {
    pub(crate) world: World,
    pub(crate) contract: String,
    pub(crate) imports: Vec<String>,
    pub(crate) exports: Vec<String>,
    pub(crate) manifest: Manifest,
    pub(crate) compile_time: Duration,
}

/// A plugin with its compiled code.
pub(crate) struct Inner<P> {
    pub(crate) core: Arc<Core>,
    pub(crate) prepared: P,
    pub(crate) digest: Digest,
    pub(crate) about: About,
    /// Bytes of its compiled code.
    pub(crate) code_bytes: usize,
}

/// A plugin of either world.
#[derive(Debug, Clone)]
pub(crate) enum Loaded {
    Flow(Plugin),
    Template(Renderer),
}

impl Loaded {
    /// Ask a plugin what it is.
    pub(crate) async fn describe(
        core: &Arc<Core>,
        digest: Digest,
        linked: Linked,
        code_bytes: usize,
        compile_time: Duration,
    ) -> Result<Self, load::Error> {
        let prepared = linked.prepared.clone();
        let describe = move |mut started: Started| {
            let prepared = prepared.clone();
            async move {
                let result = match &prepared {
                    Prepared::Flow(flow) => flow.describe(&mut started.store).await,
                    Prepared::Template(template) => template.describe(&mut started.store).await,
                };
                started.leave(result)
            }
        };
        let run = run(core, digest.owner(), Moment::default(), describe).await;
        let manifest = run.result.map_err(load::Error::Describe)?;
        load::manifest::check(&manifest)?;
        let (world, prepared) = (linked.world, linked.prepared);
        let (contract, imports, exports) = (linked.contract, linked.imports, linked.exports);
        let about = About { world, contract, imports, exports, manifest, compile_time };
        Ok(Loaded::new(core, digest, prepared, about, code_bytes))
    }

    pub(crate) fn new(core: &Arc<Core>, digest: Digest, prepared: Prepared, about: About, code_bytes: usize) -> Self {
        let core = Arc::clone(core);
        match prepared {
            Prepared::Flow(prepared) => Loaded::Flow(Plugin::new(Inner { core, prepared, digest, about, code_bytes })),
            Prepared::Template(prepared) => {
                Loaded::Template(Renderer::new(Inner { core, prepared, digest, about, code_bytes }))
            }
        }
    }

    pub(crate) fn about(&self) -> &About {
        match self {
            Loaded::Flow(plugin) => plugin.about(),
            Loaded::Template(renderer) => renderer.about(),
        }
    }

    pub(crate) fn code_bytes(&self) -> usize {
        match self {
            Loaded::Flow(plugin) => plugin.code_bytes(),
            Loaded::Template(renderer) => renderer.code_bytes(),
        }
    }

    pub(crate) fn flow(self) -> Result<Plugin, load::Error> {
        match self {
            Loaded::Flow(plugin) => Ok(plugin),
            Loaded::Template(renderer) => Err(load::world::other(World::Flow, renderer.about())),
        }
    }

    pub(crate) fn template(self) -> Result<Renderer, load::Error> {
        match self {
            Loaded::Template(renderer) => Ok(renderer),
            Loaded::Flow(plugin) => Err(load::world::other(World::Template, plugin.about())),
        }
    }
}
