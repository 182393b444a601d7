//! The floor of the sandbox: a component of the same contract that is given everything and does nothing.

use anyhow::Result;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const WIT: &str = include_str!("../../../wit/flow-0.1.0/flow.wit");

/// At address 0 a manifest without events. The answer of `on-event` lies where all is zero: `ok`, no actions, state
/// `keep`. What the host hands over goes behind it, one piece after the other.
const MODULE: &str = r#"(module
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 4096))
    (data (i32.const 0) "\40\00\00\00\05\00\00\00\50\00\00\00\05\00\00\00")
    (data (i32.const 64) "empty")
    (data (i32.const 80) "1.0.0")
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
        (global.get $next)
        (global.set $next
            (i32.and (i32.add (i32.add (global.get $next) (local.get 3)) (i32.const 15)) (i32.const -16))))
    (func (export "hoopoe:flow/handler@0.1.0#describe") (result i32) (i32.const 0))
    (func (export "hoopoe:flow/handler@0.1.0#on-event") (param i32) (result i32) (i32.const 1024))
    (func (export "hoopoe:flow/handler@0.1.0#migrate-state") (param i32 i32 i32 i32) (result i32) unreachable))"#;

/// The component's bytes.
pub fn component() -> Result<Vec<u8>> {
    let mut module = wat::parse_str(MODULE)?;
    let mut resolve = Resolve::default();
    let package = resolve.push_str("flow.wit", WIT)?;
    let world = resolve.select_world(&[package], Some("flow"))?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    ComponentEncoder::default().module(&module)?.encode()
}
