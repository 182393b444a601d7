//! What plays the flow's part in a conversation.

use std::marker::PhantomData;

use super::Run;
use crate::{Context, Event, Flow, Manifest};

/// Runs a flow, natively or compiled. A [`Chat`](super::Chat) does the rest, the same for both.
pub trait Runner {
    /// What the plugin is.
    fn manifest(&self) -> Manifest;

    /// Handle one event that the manifest wants.
    fn on_event(&mut self, context: &Context, event: &Event, state: Option<&[u8]>) -> Run;

    /// Turn state that an earlier version left into this version's.
    fn migrate(&mut self, from_version: &str, state: &[u8]) -> Result<Vec<u8>, String>;
}

/// Runs the flow `F` as a function of this process. While `hoopoe test` plays the tests with the compiled plugin, that is
/// asked in its place.
pub struct Native<F>(PhantomData<F>);

impl<F> Default for Native<F> {
    fn default() -> Self {
        Native(PhantomData)
    }
}

impl<F: Flow> Runner for Native<F> {
    fn manifest(&self) -> Manifest {
        F::manifest()
    }

    #[track_caller]
    fn on_event(&mut self, context: &Context, event: &Event, state: Option<&[u8]>) -> Run {
        #[cfg(not(target_arch = "wasm32"))]
        if let Some(compiled) = super::compiled::of(&F::manifest()) {
            return compiled.on_event(context, event, state);
        }
        drop(crate::log::native::take());
        let result = F::on_event(context, event, state);
        Run { result, logs: crate::log::native::take() }
    }

    #[track_caller]
    fn migrate(&mut self, from_version: &str, state: &[u8]) -> Result<Vec<u8>, String> {
        #[cfg(not(target_arch = "wasm32"))]
        if let Some(compiled) = super::compiled::of(&F::manifest()) {
            return compiled.migrate(from_version, state);
        }
        F::migrate(from_version, state)
    }
}
