#![doc = include_str!("../README.md")]

mod actions;
#[cfg(any(test, all(feature = "allocator", target_arch = "wasm32")))]
#[allow(unsafe_code)]
mod allocator;
mod attributes;
#[doc(hidden)]
pub mod bindings;
mod build;
mod context;
pub mod dialog;
mod error;
mod event;
pub mod log;
mod outcome;
mod plugin;
pub mod renderer;
mod state;
pub mod testing;
pub mod time;
mod waiting;

pub use attributes::{Product, ReferralMedia};
pub use bindings::hoopoe::flow::types::*;
pub use build::Build;
pub use error::{FlowResult, OrFail};
/// Make a function the flow of this crate.
///
/// The function takes `(ctx: &Context, event: &Event)`, and a third parameter `state: Option<S>` when it keeps
/// state: `S` is read from JSON with serde, and is `None` for a conversation's first event. The function stays as
/// it is and can be called natively; a type of the same name implements [`Flow`].
///
/// Arguments, all optional:
/// - `events(message, status, timer, http_response, other)`: what the flow wants to see; messages only when
///   absent. Other events never reach the function.
/// - `name`, `version`: those of the crate when absent.
/// - `config_schema`: JSON Schema of the tenant's configuration, which [`Context::config`] reads; a text, or
///   `include_str!("../config.schema.json")`.
/// - `migrate`: a `fn(from_version: &str, state: Old) -> Result<S, E>` that turns the state of an earlier version
///   into this one's; `Old` is read with serde. It is called when a conversation comes to a new version, whether or
///   not the state has changed its shape. When absent, state is taken over as it is if it still can be read.
///
/// ```
/// use hoopoe_sdk::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Default, Serialize, Deserialize)]
/// struct Visits {
///     count: u32,
/// }
///
/// #[flow(events(message, timer), name = "visits", version = "1.2.0", migrate = from_number)]
/// fn visits(_ctx: &Context, event: &Event, state: Option<Visits>) -> FlowResult {
///     let mut visits = state.unwrap_or_default();
///     let Event::Message(_) = event else { return Outcome::nothing().clear_state() };
///     visits.count += 1;
///     Outcome::reply(format!("visit {}", visits.count)).state(&visits)
/// }
///
/// /// Version 1.1 kept a bare number.
/// fn from_number(_from: &str, count: u32) -> Result<Visits, FlowError> {
///     Ok(Visits { count })
/// }
///
/// let mut chat = testing::Harness::<visits>::new();
/// chat.says("hi").expect_reply("visit 1");
/// chat.says("hi again").expect_reply("visit 2");
/// chat.takes_over("1.1.0", 7).says("hi").expect_reply("visit 8");
/// ```
pub use hoopoe_sdk_macros::flow;
/// Make a function the template renderer of this crate. See the [module](mod@renderer) of the same name.
///
/// The function takes `(request: &Request)` and stays as it is; a type of the same name implements
/// [`Renderer`](renderer::Renderer). Arguments, all optional: `name`, `version` and `config_schema`, as of
/// [`flow`](macro@flow).
pub use hoopoe_sdk_macros::renderer;
pub use plugin::Flow;

/// Everything that a flow usually needs.
pub mod prelude {
    pub use crate::{
        Build, Content, Context, Event, Flow, FlowError, FlowResult, HttpRequest, ListRow, ListSection, Message,
        OrFail, Outcome, SendContent, SendMedia, SendTemplate, StoredTemplate, flow, log, testing,
    };
}

/// For the code that [`flow`] writes.
#[doc(hidden)]
pub mod __private {
    pub use crate::bindings;
    pub use crate::plugin::Plugin;
    pub use crate::renderer::RendererPlugin;
    pub use crate::state::{StateParameter, keep, migrate};
}
