//! From the function to a template renderer.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, FnArg, ItemFn, Result, ReturnType, Type};

use crate::arguments::Arguments;
use crate::expand::manifest;

const SHAPE: &str = "fn name(request: &Request) -> RenderResult";

pub(crate) fn expand(arguments: &Arguments, item: TokenStream) -> Result<TokenStream> {
    let span = item.span();
    let function: ItemFn =
        syn::parse2(item).map_err(|_| Error::new(span, format!("#[renderer] goes on a function: {SHAPE}")))?;
    check_arguments(arguments)?;
    let request = check(&function)?;
    let (visibility, name) = (&function.vis, &function.sig.ident);
    let manifest = manifest(arguments);
    // The types are checked where the user wrote them.
    let parameter = quote_spanned! {request.span()=> request };
    let call = quote_spanned! {function.sig.output.span()=> #name(#parameter) };
    let docs = format!("The renderer [`{name}`](fn@{name}) as a plugin.");

    Ok(quote! {
        #function

        #[doc = #docs]
        #[allow(non_camel_case_types)]
        #visibility struct #name {}

        impl ::hoopoe_sdk::renderer::Renderer for #name {
            fn manifest() -> ::hoopoe_sdk::Manifest {
                ::hoopoe_sdk::Manifest { events: ::std::vec::Vec::new(), ..#manifest }
            }

            fn render(request: &::hoopoe_sdk::renderer::Request) -> ::hoopoe_sdk::renderer::RenderResult {
                #call
            }
        }

        // Natively only tests call the renderer; this keeps the compiler from calling it unused.
        const _: fn() -> ::hoopoe_sdk::Manifest = <#name as ::hoopoe_sdk::renderer::Renderer>::manifest;

        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Plugin = ::hoopoe_sdk::__private::RendererPlugin<#name>;
            ::hoopoe_sdk::__private::bindings::template::export!(
                Plugin with_types_in ::hoopoe_sdk::__private::bindings::template
            );
        };
    })
}

/// What only flows have.
fn check_arguments(arguments: &Arguments) -> Result<()> {
    if let Some(event) = arguments.events.first() {
        return Err(Error::new_spanned(event, "a renderer gets no events; leave `events` out"));
    }
    if let Some(migrate) = &arguments.migrate {
        return Err(Error::new_spanned(migrate, "a renderer has no state; leave `migrate` out"));
    }
    Ok(())
}

/// The type of the parameter, when the function is fit to be a renderer.
fn check(function: &ItemFn) -> Result<&Type> {
    let signature = &function.sig;
    if let Some(keyword) = signature.asyncness {
        return Err(Error::new(keyword.span, "a renderer cannot be async: there is nothing to wait for"));
    }
    if !signature.generics.params.is_empty() {
        return Err(Error::new_spanned(&signature.generics, "a renderer cannot be generic"));
    }
    if let ReturnType::Default = signature.output {
        let text = format!("a renderer gives something back: {SHAPE}");
        return Err(Error::new(signature.paren_token.span.close(), text));
    }
    let parameters: Vec<&FnArg> = signature.inputs.iter().collect();
    match parameters.as_slice() {
        [FnArg::Typed(request)] => match &*request.ty {
            Type::Reference(reference) if reference.mutability.is_none() => Ok(&request.ty),
            other => Err(Error::new_spanned(other, "this parameter of a renderer is a `&Request`")),
        },
        [_, more, ..] => Err(Error::new_spanned(more, "a renderer takes (request: &Request) and nothing else")),
        _ => Err(Error::new_spanned(&signature.ident, "a renderer takes (request: &Request)")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The message of the error, and the source that it points at.
    fn error(arguments: &str, source: &str) -> (String, String) {
        let arguments = crate::arguments::parse(arguments.parse().expect("tokens")).expect("the arguments are known");
        let error = expand(&arguments, source.parse().expect("tokens")).expect_err("the source has a mistake");
        (error.to_string(), error.span().source_text().unwrap_or_default())
    }

    #[test]
    fn what_is_no_renderer_is_refused_where_it_is_wrong() {
        let right = "fn r(request: &Request) -> RenderResult {}";
        let cases = [
            ("", "struct A;", "goes on a function", "struct A;"),
            ("", "async fn r(request: &Request) -> RenderResult {}", "cannot be async", "async"),
            ("", "fn r<T>(request: &Request) -> RenderResult {}", "cannot be generic", "<T>"),
            ("", "fn r() -> RenderResult {}", "takes (request: &Request)", "r"),
            ("", "fn r(request: Request) -> RenderResult {}", "is a `&Request`", "Request"),
            ("", "fn r(a: &Request, b: u8) -> RenderResult {}", "nothing else", "b: u8"),
            ("", "fn r(request: &Request) {}", "gives something back", ")"),
            ("migrate = old", right, "has no state", "old"),
        ];
        for (arguments, source, message, place) in cases {
            let error = error(arguments, source);
            assert!(error.0.contains(message), "{source}: {}", error.0);
            assert_eq!(error.1, place, "{source}");
        }
        assert!(error("events(message)", right).0.contains("gets no events"));
    }

    #[test]
    fn a_renderer_is_accepted() {
        let item = quote!(
            pub fn r(request: &Request) -> Result<SendContent, RenderError> {}
        );
        assert!(expand(&Arguments::default(), item).is_ok());
    }
}
