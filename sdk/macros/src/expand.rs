//! From the function to a plugin.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, FnArg, ItemFn, Result, Type};

use crate::arguments::Arguments;

pub(crate) fn expand(arguments: &Arguments, item: TokenStream) -> Result<TokenStream> {
    let span = item.span();
    let function: ItemFn = syn::parse2(item).map_err(|_| {
        Error::new(span, "#[flow] goes on a function: fn name(ctx: &Context, event: &Event) -> FlowResult")
    })?;
    let state = check(&function)?;
    let (visibility, name) = (&function.vis, &function.sig.ident);
    let manifest = manifest(arguments);
    let call = call(&function, state);
    let migrate = migrate(arguments, state);
    let docs = format!("The flow [`{name}`](fn@{name}) as a plugin, for the test harness.");

    Ok(quote! {
        #function

        #[doc = #docs]
        #[allow(non_camel_case_types)]
        #visibility struct #name {}

        impl ::hoopoe_sdk::Flow for #name {
            fn manifest() -> ::hoopoe_sdk::Manifest {
                #manifest
            }

            fn handle(
                context: &::hoopoe_sdk::Context,
                event: &::hoopoe_sdk::Event,
                state: ::core::option::Option<&[u8]>,
            ) -> ::hoopoe_sdk::FlowResult {
                #call
            }

            fn migrate(
                from_version: &str,
                state: &[u8],
            ) -> ::core::result::Result<::std::vec::Vec<u8>, ::std::string::String> {
                #migrate
            }
        }

        // Natively only tests call the flow; this keeps the compiler from calling it unused.
        const _: fn() -> ::hoopoe_sdk::Manifest = <#name as ::hoopoe_sdk::Flow>::manifest;

        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Plugin = ::hoopoe_sdk::__private::Plugin<#name>;
            ::hoopoe_sdk::__private::bindings::export!(Plugin with_types_in ::hoopoe_sdk::__private::bindings);
        };
    })
}

/// The type of the state parameter, when the function is fit to be a flow.
fn check(function: &ItemFn) -> Result<Option<&Type>> {
    let signature = &function.sig;
    if let Some(keyword) = signature.asyncness {
        let text = "a flow cannot be async: it decides, and the host does what it decided (see `then_http`)";
        return Err(Error::new(keyword.span, text));
    }
    if !signature.generics.params.is_empty() {
        return Err(Error::new_spanned(&signature.generics, "a flow cannot be generic"));
    }
    let parameters: Vec<&FnArg> = signature.inputs.iter().collect();
    match parameters.as_slice() {
        [_, _] => Ok(None),
        [_, _, FnArg::Typed(state)] => Ok(Some(&state.ty)),
        [] | [_] => Err(Error::new_spanned(&signature.ident, "a flow takes (ctx: &Context, event: &Event)")),
        [_, _, more, ..] => {
            let text = "a flow takes (ctx: &Context, event: &Event) and, if it has state, (state: Option<MyState>)";
            Err(Error::new_spanned(more, text))
        }
    }
}

fn manifest(arguments: &Arguments) -> TokenStream {
    let text = |given: &Option<syn::LitStr>, default: TokenStream| match given {
        Some(text) => quote!(#text),
        None => default,
    };
    let name = text(&arguments.name, quote!(::core::env!("CARGO_PKG_NAME")));
    let version = text(&arguments.version, quote!(::core::env!("CARGO_PKG_VERSION")));
    let events = match arguments.events.as_slice() {
        [] => quote!(::hoopoe_sdk::EventKind::Message),
        events => quote!(#(#events),*),
    };
    let config_schema = match &arguments.config_schema {
        Some(schema) => quote!(::core::option::Option::Some(::std::string::String::from(#schema))),
        None => quote!(::core::option::Option::None),
    };
    quote! {
        ::hoopoe_sdk::Manifest {
            name: ::std::string::String::from(#name),
            version: ::std::string::String::from(#version),
            events: ::std::vec![#events],
            config_schema: #config_schema,
        }
    }
}

/// The call of the function. The return type is checked where the user wrote it.
fn call(function: &ItemFn, state: Option<&Type>) -> TokenStream {
    let name = &function.sig.ident;
    let result = function.sig.output.span();
    match state {
        None => quote_spanned! {result=>
            let _ = state;
            #name(context, event)
        },
        Some(ty) => {
            let decode = quote_spanned! {ty.span()=> <#ty as ::hoopoe_sdk::__private::StateParameter>::decode(state)?};
            quote_spanned! {result=> #name(context, event, #decode)}
        }
    }
}

/// Without a function of the user's, old state is taken over as it is, when it still fits.
fn migrate(arguments: &Arguments, state: Option<&Type>) -> TokenStream {
    if let Some(function) = &arguments.migrate {
        return quote_spanned! {function.span()=>
            ::hoopoe_sdk::__private::migrate(from_version, state, #function)
        };
    }
    match state {
        Some(ty) => quote! {
            let _ = from_version;
            ::hoopoe_sdk::__private::keep::<#ty>(state)
        },
        None => quote! {
            let _ = from_version;
            ::core::result::Result::Ok(state.to_vec())
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(item: TokenStream) -> String {
        expand(&Arguments::default(), item).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn what_is_no_flow_is_refused_with_a_reason() {
        assert!(
            error(quote!(
                struct A;
            ))
            .contains("goes on a function")
        );
        assert!(
            error(quote!(
                fn f() -> FlowResult {}
            ))
            .contains("takes (ctx: &Context, event: &Event)")
        );
        assert!(
            error(quote!(
                fn f(a: A, b: B, c: C, d: D) -> FlowResult {}
            ))
            .contains("if it has state")
        );
        assert!(
            error(quote!(
                async fn f(a: A, b: B) -> FlowResult {}
            ))
            .contains("cannot be async")
        );
        assert!(
            error(quote!(
                fn f<T>(a: A, b: B) -> FlowResult {}
            ))
            .contains("cannot be generic")
        );
    }

    #[test]
    fn a_flow_is_accepted_with_and_without_state() {
        assert_eq!(
            error(quote!(
                fn f(a: &Context, b: &Event) -> FlowResult {}
            )),
            ""
        );
        assert_eq!(
            error(quote!(
                pub fn f(a: &Context, b: &Event, c: Option<S>) -> FlowResult {}
            )),
            ""
        );
    }
}
