//! Reading JSON objects field by field, so that what is wrong is named with its path.

use serde_json::{Map, Value};

/// Something is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct Invalid {
    /// Where, for example `components[0].text`.
    pub path: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl Invalid {
    pub(crate) fn new(path: impl Into<String>, message: impl Into<String>) -> Invalid {
        Invalid { path: path.into(), message: message.into() }
    }
}

/// The fields of one object.
pub(crate) struct Fields<'a> {
    path: String,
    object: &'a Map<String, Value>,
    known: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    pub fn of(path: String, value: &'a Value) -> Result<Self, Invalid> {
        match value {
            Value::Object(object) => Ok(Fields { path, object, known: Vec::new() }),
            _ => Err(Invalid::new(path, format!("is {}; an object is needed", kind(value)))),
        }
    }

    /// The path of a field.
    pub fn at(&self, name: &str) -> String {
        format!("{}.{name}", self.path)
    }

    /// The path of the object.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// A field of any type; null counts as absent.
    pub fn value(&mut self, name: &'static str) -> Option<&'a Value> {
        self.known.push(name);
        self.object.get(name).filter(|value| !value.is_null())
    }

    pub fn text(&mut self, name: &'static str) -> Result<Option<&'a str>, Invalid> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(Invalid::new(self.at(name), format!("is {}; a text is needed", kind(other)))),
        }
    }

    pub fn needed(&mut self, name: &'static str) -> Result<&'a str, Invalid> {
        self.text(name)?.ok_or_else(|| Invalid::new(self.at(name), "is missing"))
    }

    pub fn flag(&mut self, name: &'static str) -> Result<bool, Invalid> {
        match self.value(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Err(Invalid::new(self.at(name), format!("is {}; true or false is needed", kind(other)))),
        }
    }

    pub fn list(&mut self, name: &'static str) -> Result<&'a [Value], Invalid> {
        match self.value(name) {
            Some(Value::Array(list)) => Ok(list),
            None => Err(Invalid::new(self.at(name), "is missing")),
            Some(other) => Err(Invalid::new(self.at(name), format!("is {}; a list is needed", kind(other)))),
        }
    }

    /// Refuses fields that nobody asked for.
    pub fn finish(self) -> Result<(), Invalid> {
        match self.object.keys().find(|name| !self.known.contains(&name.as_str())) {
            Some(name) => {
                Err(Invalid::new(self.at(name), format!("is unknown here; known are {}", self.known.join(", "))))
            }
            None => Ok(()),
        }
    }
}

pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
