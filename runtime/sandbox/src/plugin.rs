//! A loaded plugin and its calls.

use std::fmt;
use std::sync::Arc;

use crate::contract::{Context, Event, FlowError, Manifest, NextState, Outcome, Prepared};
use crate::guest::cut;
use crate::run::Started;
use crate::sandbox::Core;
use crate::{Digest, Failure, Limits, Run, load};

/// A plugin that is compiled and ready to run. Cheap to clone.
#[derive(Clone)]
pub struct Plugin {
    inner: Arc<Inner>,
}

struct Inner {
    core: Arc<Core>,
    prepared: Prepared,
    digest: Digest,
    manifest: Manifest,
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Manifest { name, version, .. } = self.manifest();
        write!(f, "Plugin({name} {version}, {})", self.digest())
    }
}

impl Plugin {
    /// Ask a plugin what it is.
    pub(crate) async fn describe(core: Arc<Core>, digest: Digest, prepared: Prepared) -> Result<Self, load::Error> {
        let mut started = Started::enter(&core).await.map_err(load::Error::Describe)?;
        let result = prepared.describe(&mut started.store).await;
        let manifest = started.leave(result).result.map_err(load::Error::Describe)?;
        load::check_manifest(&manifest)?;
        Ok(Plugin { inner: Arc::new(Inner { core, prepared, digest, manifest }) })
    }

    /// SHA-256 of the component.
    pub fn digest(&self) -> &Digest {
        &self.inner.digest
    }

    /// What the plugin says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.inner.manifest
    }

    /// Whether the manifest asks for events of this kind. Others are not to be given to the plugin.
    pub fn wants(&self, event: &Event) -> bool {
        self.manifest().events.contains(&event.kind())
    }

    /// Handle one event in a fresh instance. `state` is what the conversation's last run left. The same input
    /// gives the same result and uses the same fuel.
    ///
    /// Dropping the future ends the run.
    pub async fn on_event(&self, context: &Context, event: &Event, state: Option<&[u8]>) -> Run {
        let limits = self.limits();
        let mut started = match Started::enter(&self.inner.core).await {
            Ok(started) => started,
            Err(failure) => return Run::without_start(failure),
        };
        let result = self.inner.prepared.on_event(&mut started.store, context, event, state).await;
        started.leave(result).and_then(|decided| match decided {
            Ok(outcome) => check(outcome, limits),
            Err(FlowError::Retry(reason)) => Err(Failure::Retry(cut(reason, limits.log_line_bytes))),
            Err(FlowError::Reject(reason)) => Err(Failure::Reject(cut(reason, limits.log_line_bytes))),
        })
    }

    /// Turn state that version `from_version` of this plugin left into this version's. A plugin that cannot
    /// answers with [`Failure::Reject`].
    pub async fn migrate_state(&self, from_version: &str, state: &[u8]) -> Run<Vec<u8>> {
        let limits = self.limits();
        let mut started = match Started::enter(&self.inner.core).await {
            Ok(started) => started,
            Err(failure) => return Run::without_start(failure),
        };
        let result = self.inner.prepared.migrate_state(&mut started.store, from_version, state).await;
        started.leave(result).and_then(|migrated| match migrated {
            Ok(state) => check_state(&state, limits).map(|()| state),
            Err(reason) => Err(Failure::Reject(cut(reason, limits.log_line_bytes))),
        })
    }

    #[cfg(test)]
    pub(crate) fn is_same_as(&self, other: &Plugin) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    fn limits(&self) -> &Limits {
        &self.inner.core.settings.limits
    }
}

fn check(outcome: Outcome, limits: &Limits) -> Result<Outcome, Failure> {
    let (count, limit) = (outcome.actions.len(), limits.actions);
    if count > limit {
        return Err(Failure::TooManyActions { count, limit });
    }
    if let NextState::Replace(state) = &outcome.state {
        check_state(state, limits)?;
    }
    Ok(outcome)
}

fn check_state(state: &[u8], limits: &Limits) -> Result<(), Failure> {
    let (size, limit) = (state.len(), limits.state_bytes);
    if size > limit { Err(Failure::OutputLimit { what: "state", size, limit }) } else { Ok(()) }
}
