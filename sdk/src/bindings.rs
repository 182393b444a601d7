//! The types of the contract, and its calls into and out of Wasm, generated from `wit/`.

#[cfg(target_arch = "wasm32")]
wit_bindgen::generate!({
    path: "../wit/flow-0.1.0",
    world: "flow",
    additional_derives: [PartialEq],
    pub_export_macro: true,
    default_bindings_module: "hoopoe_sdk::__private::bindings",
});

// Natively the types also travel between the tests and the process that runs the compiled plugin.
#[cfg(not(target_arch = "wasm32"))]
wit_bindgen::generate!({
    path: "../wit/flow-0.1.0",
    world: "flow",
    additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
    pub_export_macro: true,
    default_bindings_module: "hoopoe_sdk::__private::bindings",
});

pub mod template {
    //! The world of template renderers, with the types of the world of flows.

    wit_bindgen::generate!({
        path: "../wit/flow-0.1.0",
        world: "template",
        with: {
            "hoopoe:flow/types@0.1.0": crate::bindings::hoopoe::flow::types,
            "hoopoe:flow/host@0.1.0": crate::bindings::hoopoe::flow::host,
        },
        additional_derives: [PartialEq],
        pub_export_macro: true,
        default_bindings_module: "hoopoe_sdk::__private::bindings::template",
    });
}
