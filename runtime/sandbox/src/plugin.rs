//! A loaded flow and its calls.

use std::fmt;
use std::sync::Arc;

use crate::contract::{Context, Event, Flow, FlowError, Manifest, NextState, Outcome};
use crate::guest::{Moment, cut};
use crate::loaded::{About, Inner};
use crate::run::{Started, run};
use crate::{Digest, Failure, Limits, Owner, Run};

/// A flow that is compiled and ready to run. Cheap to clone.
#[derive(Clone)]
pub struct Plugin {
    inner: Arc<Inner<Flow>>,
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Manifest { name, version, .. } = self.manifest();
        write!(f, "Plugin({name} {version}, {})", self.digest())
    }
}

impl Plugin {
    pub(crate) fn new(inner: Inner<Flow>) -> Self {
        Plugin { inner: Arc::new(inner) }
    }

    pub(crate) fn about(&self) -> &About {
        &self.inner.about
    }

    pub(crate) fn code_bytes(&self) -> usize {
        self.inner.code_bytes
    }

    /// SHA-256 of the component.
    pub fn digest(&self) -> &Digest {
        &self.inner.digest
    }

    /// What the plugin says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.inner.about.manifest
    }

    /// Whether the manifest asks for events of this kind. Others are not to be given to the plugin.
    pub fn wants(&self, event: &Event) -> bool {
        self.manifest().events.contains(&event.kind())
    }

    /// Handle one event in a fresh instance. `state` is what the conversation's last run left. The same input
    /// gives the same result and uses the same fuel, whoever the owner is.
    ///
    /// Dropping the future ends the run.
    pub async fn on_event(&self, owner: Owner, context: Context, event: Event, state: Option<Vec<u8>>) -> Run {
        let limits = self.limits();
        let moment = Moment { now: context.now, seed: context.seed };
        let (inner, input) = (Arc::clone(&self.inner), Arc::new((context, event, state)));
        let call = move |mut started: Started| {
            let (inner, input) = (Arc::clone(&inner), Arc::clone(&input));
            async move {
                let (context, event, state) = &*input;
                let result = inner.prepared.on_event(&mut started.store, context, event, state.as_deref()).await;
                started.leave(result)
            }
        };
        run(&self.inner.core, owner, moment, call).await.and_then(|decided| match decided {
            Ok(outcome) => check(outcome, limits),
            Err(FlowError::Retry(reason)) => Err(Failure::Retry(cut(reason, limits.log_line_bytes))),
            Err(FlowError::Reject(reason)) => Err(Failure::Reject(cut(reason, limits.log_line_bytes))),
        })
    }

    /// Turn state that version `from_version` of this plugin left into this version's. A plugin that cannot
    /// answers with [`Failure::Reject`].
    pub async fn migrate_state(&self, owner: Owner, from_version: &str, state: &[u8]) -> Run<Vec<u8>> {
        let limits = self.limits();
        let (inner, input) = (Arc::clone(&self.inner), Arc::new((from_version.to_owned(), state.to_owned())));
        let call = move |mut started: Started| {
            let (inner, input) = (Arc::clone(&inner), Arc::clone(&input));
            async move {
                let (from_version, state) = &*input;
                let result = inner.prepared.migrate_state(&mut started.store, from_version, state).await;
                started.leave(result)
            }
        };
        run(&self.inner.core, owner, Moment::default(), call).await.and_then(|migrated| match migrated {
            Ok(state) => check_state(&state, limits).map(|()| state),
            Err(reason) => Err(Failure::Reject(cut(reason, limits.log_line_bytes))),
        })
    }

    #[cfg(test)]
    pub(crate) fn core(&self) -> &crate::sandbox::Core {
        &self.inner.core
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
