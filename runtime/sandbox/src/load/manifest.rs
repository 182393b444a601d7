//! What a manifest has to be, so that others can rely on it.

use super::Error;
use crate::contract::Manifest;

/// A JSON Schema of a plugin's configuration, in bytes; the configuration itself has 64 KiB.
const SCHEMA_BYTES: usize = 64 << 10;

/// See `manifest` in the contract. Whether `config_schema` is a JSON Schema is for others to judge.
pub(crate) fn check(manifest: &Manifest) -> Result<(), Error> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !(1..=64).contains(&manifest.name.len()) || !manifest.name.chars().all(fits) {
        return Err(Error::Manifest("the name has to be 1 to 64 of a-z, 0-9 and `-`".to_owned()));
    }
    if !is_version(&manifest.version) {
        return Err(Error::Manifest("the version has to be a semantic version such as 1.2.0".to_owned()));
    }
    let schema = manifest.config_schema.as_ref().map_or(0, String::len);
    if schema > SCHEMA_BYTES {
        return Err(Error::Manifest(format!("the config schema has {schema} bytes; {SCHEMA_BYTES} are allowed")));
    }
    let repeated = manifest.events.iter().enumerate().any(|(place, kind)| manifest.events[..place].contains(kind));
    if repeated {
        return Err(Error::Manifest("the events name a kind twice".to_owned()));
    }
    Ok(())
}

/// Three numbers, and after `-` or `+` whatever the author likes, in 64 characters.
fn is_version(text: &str) -> bool {
    let numbers = text.split(['-', '+']).next().unwrap_or_default();
    let parts: Vec<&str> = numbers.split('.').collect();
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    text.len() <= 64
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && parts.len() == 3
        && parts.iter().all(is_number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::EventKind;

    fn manifest(name: &str, version: &str) -> Manifest {
        Manifest { name: name.to_owned(), version: version.to_owned(), events: Vec::new(), config_schema: None }
    }

    #[test]
    fn a_manifest_needs_a_name_and_a_version() {
        let long = "x".repeat(65);
        let cases = [
            ("auto-reply", "1.2.0", true),
            ("a", "0.1.0-rc.1+5", true),
            ("", "1.0.0", false),
            ("Auto", "1.0.0", false),
            (long.as_str(), "1.0.0", false),
            ("a", "1.0", false),
            ("a", "1..0", false),
            ("a", "v1.0.0", false),
            ("a", "1.0.0- x", false),
        ];
        for (name, version, fits) in cases {
            assert_eq!(check(&manifest(name, version)).is_ok(), fits, "{name} {version}");
        }
    }

    #[test]
    fn a_schema_is_bounded_and_events_are_named_once() {
        let schema = |bytes| Manifest { config_schema: Some(" ".repeat(bytes)), ..manifest("a", "1.0.0") };
        let events = |events| Manifest { events, ..manifest("a", "1.0.0") };
        assert!(check(&schema(SCHEMA_BYTES)).is_ok());
        assert!(check(&schema(SCHEMA_BYTES + 1)).is_err());
        assert!(check(&events(vec![EventKind::Message, EventKind::Timer])).is_ok());
        assert!(check(&events(vec![EventKind::Timer, EventKind::Message, EventKind::Timer])).is_err());
    }
}
