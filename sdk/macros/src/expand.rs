//! From the function to a plugin.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, FnArg, ItemFn, Result, ReturnType, Type};

use crate::arguments::Arguments;

pub(crate) fn expand(arguments: &Arguments, item: TokenStream) -> Result<TokenStream> {
    let span = item.span();
    let function: ItemFn = syn::parse2(item).map_err(|_| {
        Error::new(span, "#[flow] goes on a function: fn name(ctx: &Context, event: &Event) -> FlowResult")
    })?;
    let parameters = check(&function)?;
    let state = parameters.state;
    let (visibility, name) = (&function.vis, &function.sig.ident);
    let manifest = manifest(arguments);
    let call = call(&function, &parameters);
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

/// The types of a flow's parameters.
struct Parameters<'a> {
    context: &'a Type,
    event: &'a Type,
    state: Option<&'a Type>,
}

/// The parameters, when the function is fit to be a flow.
fn check(function: &ItemFn) -> Result<Parameters<'_>> {
    let signature = &function.sig;
    if let Some(keyword) = signature.asyncness {
        let text = "a flow cannot be async: it decides, and the host does what it decided (see `then_http`)";
        return Err(Error::new(keyword.span, text));
    }
    if !signature.generics.params.is_empty() {
        return Err(Error::new_spanned(&signature.generics, "a flow cannot be generic"));
    }
    if let ReturnType::Default = signature.output {
        let text = "a flow gives something back: fn name(ctx: &Context, event: &Event) -> FlowResult";
        return Err(Error::new(signature.paren_token.span.close(), text));
    }
    let mut types = Vec::new();
    for parameter in &signature.inputs {
        match parameter {
            FnArg::Typed(typed) => types.push(&*typed.ty),
            FnArg::Receiver(receiver) => {
                let text = "a flow is a function of its own, not a method: what it keeps is its state parameter";
                return Err(Error::new_spanned(receiver, text));
            }
        }
    }
    match types.as_slice() {
        [context, event] => {
            borrowed(context, "Context")?;
            borrowed(event, "Event")?;
            Ok(Parameters { context, event, state: None })
        }
        [context, event, state] => {
            borrowed(context, "Context")?;
            borrowed(event, "Event")?;
            Ok(Parameters { context, event, state: Some(state) })
        }
        [] | [_] => Err(Error::new_spanned(&signature.ident, "a flow takes (ctx: &Context, event: &Event)")),
        [_, _, _, more, ..] => {
            let text = "a flow takes (ctx: &Context, event: &Event) and, if it has state, (state: Option<MyState>)";
            Err(Error::new_spanned(more, text))
        }
    }
}

/// Context and event are lent to a flow. Whether they are the right types is left to the compiler.
fn borrowed(ty: &Type, name: &str) -> Result<()> {
    match ty {
        Type::Reference(reference) if reference.mutability.is_none() => Ok(()),
        // Something that only the compiler can tell.
        Type::Macro(_) => Ok(()),
        _ => Err(Error::new_spanned(ty, format!("this parameter of a flow is a `&{name}`"))),
    }
}

pub(crate) fn manifest(arguments: &Arguments) -> TokenStream {
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
        Some(schema) => {
            // A mistake is shown at the expression.
            let text = quote_spanned! {schema.span().resolved_at(Span::call_site())=>
                { let text: &'static str = #schema; text }
            };
            quote!(::core::option::Option::Some(::std::string::String::from(#text)))
        }
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

/// The call of the function. Types are checked where the user wrote them.
fn call(function: &ItemFn, parameters: &Parameters<'_>) -> TokenStream {
    let name = &function.sig.ident;
    let at = |ty: &Type| ty.span().resolved_at(Span::call_site());
    let result = function.sig.output.span().resolved_at(Span::call_site());
    let context = quote_spanned!(at(parameters.context)=> context);
    let event = quote_spanned!(at(parameters.event)=> event);
    match parameters.state {
        None => quote_spanned! {result=>
            let _ = state;
            #name(#context, #event)
        },
        Some(ty) => {
            let decode = quote_spanned! {at(ty)=> <#ty as ::hoopoe_sdk::__private::StateParameter>::decode(state)?};
            quote_spanned! {result=> #name(#context, #event, #decode)}
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

    /// The message of the error, and the source that it points at.
    fn error(source: &str) -> (String, String) {
        let tokens = source.parse().expect("the source can be split into tokens");
        let error = expand(&Arguments::default(), tokens).expect_err("the source has a mistake");
        (error.to_string(), error.span().source_text().unwrap_or_default())
    }

    #[test]
    fn what_is_no_flow_is_refused_where_it_is_wrong() {
        let cases = [
            ("struct A;", "goes on a function", "struct A;"),
            ("fn f() -> FlowResult {}", "takes (ctx: &Context, event: &Event)", "f"),
            ("fn f(a: &A, b: &B, c: C, d: D) -> FlowResult {}", "if it has state", "D"),
            ("async fn f(a: &A, b: &B) -> FlowResult {}", "cannot be async", "async"),
            ("fn f<T>(a: &A, b: &B) -> FlowResult {}", "cannot be generic", "<T>"),
            ("fn f(a: &A, b: &B) {}", "gives something back", ")"),
            ("fn f(&self, b: &B) -> FlowResult {}", "not a method", "&self"),
            ("fn f(a: Context, b: &Event) -> FlowResult {}", "is a `&Context`", "Context"),
            ("fn f(a: &Context, b: &mut Event, c: C) -> FlowResult {}", "is a `&Event`", "&mut Event"),
        ];
        for (source, message, place) in cases {
            let error = error(source);
            assert!(error.0.contains(message), "{source}: {}", error.0);
            assert_eq!(error.1, place, "{source}");
        }
    }

    #[test]
    fn a_flow_is_accepted_with_and_without_state() {
        for source in [
            "fn f(a: &Context, b: &Event) -> FlowResult {}",
            "pub fn f(a: &Context, b: &Event, c: Option<S>) -> FlowResult {}",
        ] {
            let tokens = source.parse().expect("the source can be split into tokens");
            assert!(expand(&Arguments::default(), tokens).is_ok(), "{source}");
        }
    }

    #[test]
    fn the_compiler_checks_types_where_they_were_written() {
        let source = "fn f(a: &Wrong, b: &Other, c: State) -> Oops {}";
        let function: ItemFn = syn::parse_str(source).expect("this is a function");
        let parameters = check(&function).expect("only the compiler knows that these types are wrong");
        let places: Vec<String> = flatten(call(&function, &parameters))
            .into_iter()
            .filter(|(word, _)| ["context", "event", "decode"].contains(&word.as_str()))
            .map(|(_, place)| place)
            .collect();
        assert_eq!(places, ["&Wrong", "&Other", "State"]);
    }

    /// Every word of the tokens with the source that it points at.
    fn flatten(tokens: TokenStream) -> Vec<(String, String)> {
        let words = tokens.into_iter().map(|tree| match tree {
            proc_macro2::TokenTree::Group(group) => flatten(group.stream()),
            tree => vec![(tree.to_string(), tree.span().source_text().unwrap_or_default())],
        });
        words.flatten().collect()
    }
}
