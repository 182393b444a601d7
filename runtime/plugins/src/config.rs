//! Configurations and their JSON Schemas.
//!
//! A schema comes with a plugin, from somebody whom the host does not trust. So nothing is fetched, patterns run in
//! linear time, references stay within the schema and do not lead back to where they stand, and what they expand to is
//! bounded: a check takes time in proportion to the configuration's size.

use std::collections::HashMap;

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

/// Largest configuration, in bytes of its JSON text.
pub const LARGEST_CONFIG: usize = 64 << 10;
/// Largest schema, in bytes of its JSON text.
const LARGEST_SCHEMA: usize = 64 << 10;
/// Most parts of a schema with its references written out.
const MOST_PARTS: usize = 10_000;
/// Bytes of one compiled pattern, and of the cache of its run.
const PATTERN_BYTES: usize = 1 << 20;
/// Violations that are told.
const MOST_VIOLATIONS: usize = 20;

/// A place where a configuration breaks a rule of its schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// JSON Pointer into the configuration; empty for the whole.
    pub path: String,
    /// JSON Pointer into the schema.
    pub rule: String,
    /// What is wrong.
    pub message: String,
}

/// What is wrong with a schema (JSON text), if anything.
pub fn check_schema(text: &str) -> Result<(), String> {
    compile(text).map(drop)
}

/// Checks a configuration against a schema (JSON text). Without a schema any object will do.
pub fn check_config(schema: Option<&str>, config: &Value) -> Result<(), Vec<Violation>> {
    let whole = |message: String| vec![Violation { path: String::new(), rule: String::new(), message }];
    if !config.is_object() {
        return Err(whole("a configuration is a JSON object".to_owned()));
    }
    let size = config.to_string().len();
    if size > LARGEST_CONFIG {
        return Err(whole(format!("it has {size} bytes as JSON; at most {LARGEST_CONFIG} are allowed")));
    }
    let Some(schema) = schema else { return Ok(()) };
    let validator = compile(schema).map_err(|error| whole(format!("the version's schema cannot be used: {error}")))?;
    let violations: Vec<Violation> = validator
        .iter_errors(config)
        .take(MOST_VIOLATIONS)
        .map(|error| Violation {
            path: error.instance_path().to_string(),
            rule: error.schema_path().to_string(),
            message: error.to_string(),
        })
        .collect();
    if violations.is_empty() { Ok(()) } else { Err(violations) }
}

fn compile(text: &str) -> Result<Validator, String> {
    if text.len() > LARGEST_SCHEMA {
        return Err(format!("it has {} bytes; at most {LARGEST_SCHEMA} are allowed", text.len()));
    }
    let schema: Value = serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))?;
    if !schema.is_object() {
        return Err("a schema of a configuration is a JSON object".to_owned());
    }
    let mut parts = Parts { root: &schema, known: HashMap::new(), open: Vec::new() };
    let count = parts.count(&schema, true)?;
    if count > MOST_PARTS {
        return Err(format!("with its references it has {count} parts; at most {MOST_PARTS} are allowed"));
    }
    let patterns = PatternOptions::regex().size_limit(PATTERN_BYTES).dfa_size_limit(PATTERN_BYTES);
    let options = jsonschema::options().offline().with_pattern_options(patterns);
    options.build(&schema).map_err(|error| {
        let place = error.instance_path().to_string();
        if place.is_empty() { error.to_string() } else { format!("at {place}: {error}") }
    })
}

/// Counts the parts of a schema with its references written out.
struct Parts<'a> {
    root: &'a Value,
    /// By pointer.
    known: HashMap<&'a str, usize>,
    /// References that are being followed.
    open: Vec<&'a str>,
}

impl<'a> Parts<'a> {
    fn count(&mut self, value: &'a Value, is_root: bool) -> Result<usize, String> {
        let mut count: usize = 1;
        match value {
            Value::Array(items) => {
                for item in items {
                    count = count.saturating_add(self.count(item, false)?);
                }
            }
            Value::Object(members) => {
                for (name, member) in members {
                    let more = match (name.as_str(), member) {
                        ("$ref", Value::String(reference)) => self.follow(reference)?,
                        ("$dynamicRef" | "$recursiveRef", Value::String(_)) => {
                            return Err(format!("{name} is not allowed; write a $ref to #/..."));
                        }
                        ("$id", Value::String(_)) if !is_root => {
                            return Err("$id is allowed at the top only".to_owned());
                        }
                        // There `id` moves the base of references, as $id does later.
                        ("$schema", Value::String(dialect)) if dialect.contains("draft-04") => {
                            return Err("draft 4 of JSON Schema is not taken; write draft 6 or later".to_owned());
                        }
                        _ => self.count(member, false)?,
                    };
                    count = count.saturating_add(more);
                }
            }
            _ => {}
        }
        Ok(count)
    }

    fn follow(&mut self, reference: &'a str) -> Result<usize, String> {
        if let Some(count) = self.known.get(reference) {
            return Ok(*count);
        }
        let Some(pointer) = reference.strip_prefix('#').filter(|rest| rest.starts_with('/') && !rest.contains('%'))
        else {
            return Err(format!("$ref {reference:?} is not allowed; refer to a part of this schema, as in #/$defs/x"));
        };
        if self.open.contains(&reference) {
            return Err(format!("$ref {reference:?} leads back to where it stands"));
        }
        let target = self.root.pointer(pointer).ok_or_else(|| format!("$ref {reference:?} leads nowhere"))?;
        self.open.push(reference);
        let count = self.count(target, false)?;
        self.open.pop();
        self.known.insert(reference, count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schema_is_checked_before_it_is_kept() {
        let deep = "[".repeat(200) + &"]".repeat(200);
        let doubling: Value = (0..30)
            .map(|n| (format!("d{n}"), json!({ "allOf": vec![json!({ "$ref": format!("#/$defs/d{}", n + 1) }); 2] })))
            .chain([("d30".to_owned(), json!(true))])
            .collect();
        let cases = [
            (json!({ "type": "object", "properties": { "a": { "type": "string" } } }).to_string(), ""),
            (json!({ "$schema": "http://json-schema.org/draft-07/schema#", "type": "object" }).to_string(), ""),
            (json!({ "$id": "https://example.com/c", "$ref": "#/$defs/a", "$defs": { "a": {} } }).to_string(), ""),
            (json!({ "properties": { "$ref": { "type": "string" } } }).to_string(), ""),
            ("{".to_owned(), "not JSON"),
            (deep, "not JSON"),
            ("true".to_owned(), "JSON object"),
            (json!({ "type": "strin" }).to_string(), "/type"),
            (json!({ "pattern": "(" }).to_string(), "pattern"),
            (json!({ "pattern": "(a+)\\1" }).to_string(), "pattern"),
            (json!({ "pattern": "((a{1000}){1000}){1000}" }).to_string(), "pattern"),
            (json!({ "$ref": "https://example.com/schema.json" }).to_string(), "not allowed"),
            (json!({ "items": { "$ref": "file:///etc/passwd" } }).to_string(), "not allowed"),
            (json!({ "$ref": "#" }).to_string(), "not allowed"),
            (json!({ "$ref": "#/$defs/none" }).to_string(), "leads nowhere"),
            (json!({ "$ref": "#/$defs/a", "$defs": { "a": { "$ref": "#/$defs/a" } } }).to_string(), "leads back"),
            (
                json!({ "$ref": "#/$defs/a", "$defs": {
                    "a": { "items": { "$ref": "#/$defs/b" } }, "b": { "not": { "$ref": "#/$defs/a" } },
                } })
                .to_string(),
                "leads back",
            ),
            (json!({ "$dynamicRef": "#a" }).to_string(), "$dynamicRef"),
            (json!({ "items": { "$id": "https://example.com/other" } }).to_string(), "$id"),
            (json!({ "$schema": "http://json-schema.org/draft-04/schema#" }).to_string(), "draft 4"),
            (json!({ "$schema": "https://example.com/mine" }).to_string(), ""),
            (json!({ "$ref": "#/$defs/d0", "$defs": doubling }).to_string(), "parts"),
            (json!({ "description": "x".repeat(65536) }).to_string(), "bytes"),
        ];
        for (schema, word) in cases {
            let checked = check_schema(&schema);
            let short: String = schema.chars().take(200).collect();
            if schema.contains("example.com/mine") {
                assert!(checked.is_err(), "an unknown dialect cannot be fetched");
                continue;
            }
            assert_eq!(checked.is_ok(), word.is_empty(), "{short}: {checked:?}");
            let message = checked.err().unwrap_or_default();
            assert!(message.contains(word), "{short}: no {word:?} in {message:?}");
        }
    }

    #[test]
    fn a_configuration_is_told_what_is_wrong_with_it() {
        let schema = json!({
            "type": "object", "required": ["greeting"], "additionalProperties": false,
            "properties": {
                "greeting": { "type": "string", "maxLength": 5 },
                "days": { "type": "array", "items": { "enum": ["mon", "tue"] } },
            },
        });
        let schema = schema.to_string();
        let cases = [
            (json!({ "greeting": "hi" }), vec![]),
            (json!({ "greeting": "hi", "days": ["mon"] }), vec![]),
            (json!({}), vec![("", "/required")]),
            (json!([]), vec![("", "")]),
            (json!({ "greeting": 1 }), vec![("/greeting", "/properties/greeting/type")]),
            (
                json!({ "greeting": "longer", "days": ["mon", "sun"], "x": 1 }),
                vec![
                    ("/greeting", "/properties/greeting/maxLength"),
                    ("/days/1", "/properties/days/items/enum"),
                    ("", "/additionalProperties"),
                ],
            ),
        ];
        for (config, expected) in cases {
            let violations = check_config(Some(&schema), &config).err().unwrap_or_default();
            let mut found: Vec<_> = violations.iter().map(|v| (v.path.as_str(), v.rule.as_str())).collect();
            let mut expected = expected;
            found.sort_unstable();
            expected.sort_unstable();
            assert_eq!(found, expected, "{config}");
        }
        assert_eq!(check_config(None, &json!({ "anything": true })), Ok(()));
        let large = json!({ "x": "y".repeat(LARGEST_CONFIG) });
        assert!(check_config(None, &large).is_err());
    }
}
