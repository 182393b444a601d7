//! From a core module to a component.

use wit_component::{ComponentEncoder, metadata};

/// Turn a core module that carries its WIT into a component, as `wasm-tools component new` does. The error is for
/// whoever uploaded the module.
pub(crate) fn componentize(module: &[u8]) -> Result<Vec<u8>, String> {
    let (without_wit, _) = metadata::decode(module).map_err(|error| format!("{error:#}"))?;
    if without_wit.is_none() {
        return Err(
            "it carries no WIT: build it with hoopoe-sdk, or add the WIT with `wasm-tools component embed`".to_owned()
        );
    }
    ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|encoder| encoder.encode())
        .map_err(|error| format!("{error:#}"))
}
