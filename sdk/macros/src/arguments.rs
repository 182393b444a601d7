//! What stands in the parentheses of `#[flow(...)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::meta::ParseNestedMeta;
use syn::parse::Parser;
use syn::{Error, LitStr, Path, Result, Token, parenthesized};

/// The arguments, each with its default when it is absent.
#[derive(Default)]
pub(crate) struct Arguments {
    /// Paths of `EventKind`s; empty means messages only.
    pub(crate) events: Vec<TokenStream>,
    pub(crate) name: Option<LitStr>,
    pub(crate) version: Option<LitStr>,
    pub(crate) config_schema: Option<LitStr>,
    pub(crate) migrate: Option<Path>,
}

const KNOWN: &str = "expected `events(...)`, `name = \"...\"`, `version = \"...\"`, `config_schema = \"...\"` or \
                     `migrate = path::to::function`";

pub(crate) fn parse(tokens: TokenStream) -> Result<Arguments> {
    let mut arguments = Arguments::default();
    syn::meta::parser(|meta| arguments.take(&meta)).parse2(tokens)?;
    Ok(arguments)
}

impl Arguments {
    fn take(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let Some(key) = meta.path.get_ident().map(ToString::to_string) else { return Err(meta.error(KNOWN)) };
        match key.as_str() {
            "events" => self.take_events(meta),
            "name" => set(&mut self.name, plugin_name(meta.value()?.parse()?)?, meta),
            "version" => set(&mut self.version, meta.value()?.parse()?, meta),
            "config_schema" => set(&mut self.config_schema, meta.value()?.parse()?, meta),
            "migrate" => set(&mut self.migrate, meta.value()?.parse()?, meta),
            _ => Err(meta.error(KNOWN)),
        }
    }

    fn take_events(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let events;
        parenthesized!(events in meta.input);
        for event in events.parse_terminated(Path::parse_mod_style, Token![,])? {
            self.events.push(event_kind(&event)?);
        }
        if self.events.is_empty() {
            return Err(meta.error("a flow that wants no events would never run"));
        }
        Ok(())
    }
}

fn set<T>(slot: &mut Option<T>, value: T, meta: &ParseNestedMeta<'_>) -> Result<()> {
    if slot.replace(value).is_some() { Err(meta.error("given twice")) } else { Ok(()) }
}

fn plugin_name(name: LitStr) -> Result<LitStr> {
    let value = name.value();
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if (1..=64).contains(&value.len()) && value.chars().all(allowed) {
        Ok(name)
    } else {
        Err(Error::new(name.span(), "a plugin's name is 1 to 64 of a-z, 0-9 and `-`"))
    }
}

fn event_kind(path: &Path) -> Result<TokenStream> {
    let name = path.get_ident().map(ToString::to_string).unwrap_or_default();
    Ok(match name.as_str() {
        "message" => quote!(::hoopoe_sdk::EventKind::Message),
        "status" => quote!(::hoopoe_sdk::EventKind::Status),
        "timer" => quote!(::hoopoe_sdk::EventKind::Timer),
        "http_response" => quote!(::hoopoe_sdk::EventKind::HttpResponse),
        "other" => quote!(::hoopoe_sdk::EventKind::Other),
        _ => {
            let text = "expected `message`, `status`, `timer`, `http_response` or `other`";
            return Err(Error::new_spanned(path, text));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(tokens: TokenStream) -> String {
        parse(tokens).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn mistakes_are_named() {
        assert!(error(quote!(event(message))).starts_with("expected `events(...)`"));
        assert!(error(quote!(events(messages))).starts_with("expected `message`"));
        assert!(error(quote!(events())).contains("never run"));
        assert!(error(quote!(name = "My Flow")).contains("1 to 64"));
        assert!(error(quote!(version = "1.0.0", version = "2.0.0")).contains("given twice"));
    }

    #[test]
    fn everything_can_be_given() {
        let tokens = quote!(
            events(message, http_response),
            name = "a-1",
            version = "1.0.0",
            config_schema = "{}",
            migrate = old::migrate
        );
        let arguments = parse(tokens).expect("these are right");
        assert_eq!(arguments.events.len(), 2);
        assert!(arguments.name.is_some() && arguments.migrate.is_some());
    }
}
