//! The `#[flow]` attribute. Use it through `hoopoe_sdk::flow`, where it is documented.
//!
//! In: a function of two or three parameters. Out: the same function, a type of its name that implements
//! `hoopoe_sdk::Flow`, and, for Wasm only, the exports of a plugin. What can fail: the function or the arguments
//! are not what a flow needs; the error points at the place.

mod arguments;
mod expand;
mod renderer;

use proc_macro::TokenStream;

/// Make a function a flow plugin. Documented at `hoopoe_sdk::flow`.
#[proc_macro_attribute]
pub fn flow(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let expanded = arguments::parse(arguments.into()).and_then(|arguments| expand::expand(&arguments, item.into()));
    expanded.unwrap_or_else(|error| error.into_compile_error()).into()
}

/// Make a function a template renderer. Documented at `hoopoe_sdk::renderer`.
#[proc_macro_attribute]
pub fn renderer(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let expanded = arguments::parse(arguments.into()).and_then(|arguments| renderer::expand(&arguments, item.into()));
    expanded.unwrap_or_else(|error| error.into_compile_error()).into()
}
