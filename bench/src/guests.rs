//! Components of the contract that are made here: those that are given everything and do nothing, which are the floor of
//! the sandbox, and one that never comes back.

use anyhow::Result;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const WIT: &str = include_str!("../../wit/flow-0.1.0/flow.wit");

/// At address 0 a manifest without events. The answer of the calls lies where all is zero: for a flow `ok`, no actions,
/// state `keep`; for a renderer `ok`, an empty text. What the host hands over goes behind it, one piece after the
/// other.
const MODULE: &str = r#"(module
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 4096))
    (data (i32.const 0) "\40\00\00\00\05\00\00\00\50\00\00\00\05\00\00\00")
    (data (i32.const 64) "empty")
    (data (i32.const 80) "1.0.0")
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
        (global.get $next)
        (global.set $next
            (i32.and (i32.add (i32.add (global.get $next) (local.get 3)) (i32.const 15)) (i32.const -16))))"#;

const FLOW: &str = r#"
    (func (export "hoopoe:flow/handler@0.1.0#describe") (result i32) (i32.const 0))
    (func (export "hoopoe:flow/handler@0.1.0#on-event") (param i32) (result i32) (i32.const 1024))
    (func (export "hoopoe:flow/handler@0.1.0#migrate-state") (param i32 i32 i32 i32) (result i32) unreachable))"#;

const TEMPLATE: &str = r#"
    (func (export "hoopoe:flow/renderer@0.1.0#describe") (result i32) (i32.const 0))
    (func (export "hoopoe:flow/renderer@0.1.0#render") (param i32) (result i32) (i32.const 1024)))"#;

/// Its manifest wants messages (kind 0, which is the byte at 96).
const ENDLESS: &str = r#"
    (data (i32.const 16) "\60\00\00\00\01\00\00\00")
    (func (export "hoopoe:flow/handler@0.1.0#describe") (result i32) (i32.const 0))
    (func (export "hoopoe:flow/handler@0.1.0#on-event") (param i32) (result i32) (loop $again (br $again)) unreachable)
    (func (export "hoopoe:flow/handler@0.1.0#migrate-state") (param i32 i32 i32 i32) (result i32) unreachable))"#;

/// A flow that decides nothing.
pub fn flow() -> Result<Vec<u8>> {
    component(FLOW, "flow")
}

/// A renderer that renders nothing.
pub fn template() -> Result<Vec<u8>> {
    component(TEMPLATE, "template")
}

/// A flow that never comes back from an event.
pub fn endless() -> Result<Vec<u8>> {
    component(ENDLESS, "flow")
}

fn component(exports: &str, world: &str) -> Result<Vec<u8>> {
    let mut module = wat::parse_str(format!("{MODULE}{exports}"))?;
    let mut resolve = Resolve::default();
    let package = resolve.push_str("flow.wit", WIT)?;
    let world = resolve.select_world(&[package], Some(world))?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    ComponentEncoder::default().module(&module)?.encode()
}

#[cfg(test)]
mod tests {
    use hoopoe_sandbox::{Owner, Sandbox, Settings};

    use super::*;
    use crate::flow::subject::{context, event};

    #[tokio::test]
    async fn the_endless_flow_wants_messages_and_is_ended_by_force() {
        let sandbox = Sandbox::new(Settings::default()).expect("a sandbox");
        let plugin = sandbox.load(&endless().expect("a component")).await.expect("it loads");
        assert!(plugin.wants(&event()));
        assert!(plugin.on_event(Owner(1), context(), event(), None).await.result.is_err());
    }
}
