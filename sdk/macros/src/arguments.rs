//! What stands in the parentheses of `#[flow(...)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::meta::ParseNestedMeta;
use syn::parse::Parser;
use syn::{Error, Expr, LitStr, Path, Result, Token, parenthesized};

/// The arguments, each with its default when it is absent.
#[derive(Default)]
pub(crate) struct Arguments {
    /// Paths of `EventKind`s; empty means messages only.
    pub(crate) events: Vec<TokenStream>,
    pub(crate) name: Option<LitStr>,
    pub(crate) version: Option<LitStr>,
    /// A text, also by `include_str!`.
    pub(crate) config_schema: Option<Expr>,
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
            "version" => set(&mut self.version, version(meta.value()?.parse()?)?, meta),
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

/// As the host reads it: three numbers, and after `-` or `+` whatever the author likes, in 64 characters.
fn version(version: LitStr) -> Result<LitStr> {
    let value = version.value();
    let numbers: Vec<&str> = value.split(['-', '+']).next().unwrap_or_default().split('.').collect();
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let readable = value.len() <= 64 && value.bytes().all(|byte| byte.is_ascii_graphic());
    if readable && numbers.len() == 3 && numbers.iter().all(is_number) {
        Ok(version)
    } else {
        Err(Error::new(version.span(), "a plugin's version is a semantic version such as \"1.2.0\""))
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

    /// The message of the error, and the source that it points at.
    fn error(source: &str) -> (String, String) {
        let tokens = source.parse().expect("the source can be split into tokens");
        let error = parse(tokens).err().expect("the source has a mistake");
        (error.to_string(), error.span().source_text().unwrap_or_default())
    }

    #[test]
    fn mistakes_are_named_where_they_are() {
        let cases = [
            ("event(message)", "expected `events(...)`", "event"),
            ("events(message, messages)", "expected `message`", "messages"),
            ("events()", "never run", "events()"),
            ("name = \"My Flow\"", "1 to 64", "\"My Flow\""),
            ("name = 7", "expected string literal", "7"),
            ("version = \"1.0\"", "semantic version", "\"1.0\""),
            ("version = \"v1.0.0\"", "semantic version", "\"v1.0.0\""),
            ("version = \"1.0.0\", version = \"2.0.0\"", "given twice", "version = \"2.0.0\""),
        ];
        for (source, message, place) in cases {
            let error = error(source);
            assert!(error.0.contains(message), "{source}: {}", error.0);
            assert_eq!(error.1, place, "{source}");
        }
    }

    #[test]
    fn everything_can_be_given() {
        let tokens = quote!(
            events(message, http_response),
            name = "a-1",
            version = "1.0.0-rc.1",
            config_schema = include_str!("../config.schema.json"),
            migrate = old::migrate
        );
        let arguments = parse(tokens).expect("these are right");
        assert_eq!(arguments.events.len(), 2);
        assert!(arguments.name.is_some() && arguments.config_schema.is_some() && arguments.migrate.is_some());
    }
}
