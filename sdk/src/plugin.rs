//! Between a flow and the calls of the contract.

use std::marker::PhantomData;

use crate::bindings::exports::hoopoe::flow::handler::Guest;
use crate::{Context, Event, FlowResult, Manifest, Outcome, waiting};

/// A flow, as the runtime and the test harness see it. [`flow`](macro@crate::flow) implements it.
pub trait Flow {
    /// What the plugin is.
    fn manifest() -> Manifest;

    /// Call the function, with the state read. Prefer [`Flow::on_event`], which leaves out unwanted events.
    fn handle(context: &Context, event: &Event, state: Option<&[u8]>) -> FlowResult;

    /// Turn state that an earlier version left into this version's.
    fn migrate(from_version: &str, state: &[u8]) -> Result<Vec<u8>, String>;

    /// Handle an event. Does nothing when the manifest does not want its kind, or when it is the timer of a
    /// [dialog](crate::dialog) that waits no more.
    fn on_event(context: &Context, event: &Event, state: Option<&[u8]>) -> FlowResult {
        let (awaited, own) = state.map(waiting::open).map_or((None, None), |(awaited, own)| (awaited, Some(own)));
        if !Self::manifest().events.contains(&event.kind()) || waiting::is_late(event, awaited) {
            return Outcome::nothing();
        }
        waiting::keep(Self::handle(context, event, own), awaited, own)
    }
}

/// The exports of a plugin.
pub struct Plugin<F>(PhantomData<F>);

impl<F: Flow + 'static> Guest for Plugin<F> {
    fn describe() -> Manifest {
        report_panics();
        F::manifest()
    }

    fn on_event(context: Context, event: Event, state: Option<Vec<u8>>) -> FlowResult {
        report_panics();
        F::on_event(&context, &event, state.as_deref())
    }

    fn migrate_state(from_version: String, state: Vec<u8>) -> Result<Vec<u8>, String> {
        report_panics();
        F::migrate(&from_version, &state)
    }
}

/// A panic reaches the host with its message and place. An instance lives for one call, so this is not repeated.
pub(crate) fn report_panics() {
    #[cfg(target_arch = "wasm32")]
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("panicked");
        let text = match panic.location() {
            Some(place) => format!("{message} (at {}:{}:{})", place.file(), place.line(), place.column()),
            None => message.to_owned(),
        };
        crate::bindings::hoopoe::flow::host::abort(&text);
    }));
}
