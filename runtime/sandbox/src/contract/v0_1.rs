//! Version 0.1.0 of the contract: bindings, the host's side of it, and the calls.

use wasmtime::component::{HasSelf, InstancePre, Linker};
use wasmtime::{Result, Store};

use self::bindings::hoopoe::flow::host::{self, Level};
use self::bindings::hoopoe::flow::types;
use super::renderer::{RenderError, Request};
use super::{Context, Event, FlowError, Manifest, Outcome, SendContent};
use crate::guest::Guest;

#[allow(missing_docs)]
pub(super) mod bindings {
    //! Generated from `wit/flow-0.1.0`, world `flow`.

    wasmtime::component::bindgen!({
        path: "../../wit/flow-0.1.0",
        world: "flow",
        imports: { default: trappable },
        exports: { default: async },
        additional_derives: [PartialEq],
    });
}

#[allow(missing_docs)]
pub(super) mod template_bindings {
    //! Generated from `wit/flow-0.1.0`, world `template`: the types and the host's side are those of `flow`.

    wasmtime::component::bindgen!({
        path: "../../wit/flow-0.1.0",
        world: "template",
        imports: { default: trappable },
        exports: { default: async },
        additional_derives: [PartialEq],
        with: {
            "hoopoe:flow/host": super::bindings::hoopoe::flow::host,
            "hoopoe:flow/types": super::bindings::hoopoe::flow::types,
        },
    });
}

/// Ends a guest that called `abort`.
#[derive(Debug, thiserror::Error)]
#[error("the guest ended itself")]
struct Aborted;

impl host::Host for Guest {
    fn log(&mut self, level: Level, message: String) -> Result<()> {
        Guest::log(self, level, message);
        Ok(())
    }

    fn abort(&mut self, message: String) -> Result<()> {
        Guest::abort(self, message);
        Err(Aborted.into())
    }
}

impl types::Host for Guest {}

/// Give plugins of both worlds what they may import.
pub(crate) fn link(linker: &mut Linker<Guest>) -> Result<()> {
    bindings::Flow::add_to_linker::<_, HasSelf<_>>(linker, |guest| guest)
}

/// A flow whose imports are resolved and whose exports are found: an instance is made of it for each call.
#[derive(Clone)]
pub(crate) struct Flow(bindings::FlowPre<Guest>);

impl Flow {
    pub(crate) fn new(pre: InstancePre<Guest>) -> Result<Self> {
        bindings::FlowPre::new(pre).map(Flow)
    }

    pub(crate) async fn describe(&self, store: &mut Store<Guest>) -> Result<Manifest> {
        let flow = self.0.instantiate_async(&mut *store).await?;
        flow.hoopoe_flow_handler().call_describe(store).await
    }

    pub(crate) async fn on_event(
        &self,
        store: &mut Store<Guest>,
        context: &Context,
        event: &Event,
        state: Option<&[u8]>,
    ) -> Result<std::result::Result<Outcome, FlowError>> {
        let flow = self.0.instantiate_async(&mut *store).await?;
        flow.hoopoe_flow_handler().call_on_event(store, context, event, state).await
    }

    pub(crate) async fn migrate_state(
        &self,
        store: &mut Store<Guest>,
        from_version: &str,
        state: &[u8],
    ) -> Result<std::result::Result<Vec<u8>, String>> {
        let flow = self.0.instantiate_async(&mut *store).await?;
        flow.hoopoe_flow_handler().call_migrate_state(store, from_version, state).await
    }
}

/// A renderer whose imports are resolved and whose exports are found: an instance is made of it for each call.
#[derive(Clone)]
pub(crate) struct Template(template_bindings::TemplatePre<Guest>);

impl Template {
    pub(crate) fn new(pre: InstancePre<Guest>) -> Result<Self> {
        template_bindings::TemplatePre::new(pre).map(Template)
    }

    pub(crate) async fn describe(&self, store: &mut Store<Guest>) -> Result<Manifest> {
        let template = self.0.instantiate_async(&mut *store).await?;
        template.hoopoe_flow_renderer().call_describe(store).await
    }

    pub(crate) async fn render(
        &self,
        store: &mut Store<Guest>,
        request: &Request,
    ) -> Result<std::result::Result<SendContent, RenderError>> {
        let template = self.0.instantiate_async(&mut *store).await?;
        template.hoopoe_flow_renderer().call_render(store, request).await
    }
}
