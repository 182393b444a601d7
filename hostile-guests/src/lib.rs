//! Hostile plugins, as bytes that a tenant would upload.
//!
//! `guests/*.wat` are texts of three kinds, told apart by how they begin: a whole `(component ...)`; a whole
//! `(module ...)`, uploaded as it is; and everything else, which is the fields of a core module that [`flow`] completes
//! to a component of the world `flow`. [`bombs`] makes those that are too large to be written down.

#![allow(clippy::unwrap_used)]

pub mod bombs;
mod skeleton;
mod strings;

use std::fs;
use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The contract.
pub const WIT: &str = include_str!("../../wit/flow-0.1.0/flow.wit");

/// The guest of `guests/<name>.wat`. Panics when there is none or it is no WebAssembly text.
pub fn guest(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests").join(name).with_extension("wat");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let code = text.lines().find(|line| !line.trim().is_empty() && !line.trim_start().starts_with(";;"));
    match code {
        Some(line) if line.starts_with("(component") || line.starts_with("(module") => {
            wat::parse_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
        }
        _ => flow(&text),
    }
}

/// A flow made of these fields of a core module; whatever of the contract they leave out does nothing. Panics when
/// they are no WebAssembly text.
pub fn flow(fields: &str) -> Vec<u8> {
    component(&skeleton::module(fields))
}

/// The component of a core module that has all exports of the world `flow`.
pub fn component(module: &str) -> Vec<u8> {
    encode(&embed(module, WIT))
}

/// The component of a core module that carries its WIT. It is not validated: that is the host's part.
pub fn encode(module: &[u8]) -> Vec<u8> {
    ComponentEncoder::default().validate(false).module(module).unwrap().encode().unwrap()
}

/// A core module (text) that carries the world `flow` of this WIT.
pub fn embed(module: &str, wit: &str) -> Vec<u8> {
    let mut module = wat::parse_str(module).unwrap_or_else(|error| panic!("{error}\n{module}"));
    let mut resolve = Resolve::default();
    let package = resolve.push_str("flow.wit", wit).unwrap();
    let world = resolve.select_world(&[package], Some("flow")).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    module
}
