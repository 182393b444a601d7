//! The fixture table: payloads with what must come of them.

use std::{fs, path::PathBuf};

use serde::Deserialize;
use serde_json::value::RawValue;

/// A payload as Meta documents it, and one line for each item that must come of it.
#[derive(Deserialize)]
pub struct Case {
    pub label: String,
    pub payload: Box<RawValue>,
    pub expected: Vec<String>,
}

/// The files of the table, without `.json`.
pub const FILES: [&str; 7] = ["messages", "identities", "statuses", "fields", "messenger", "batches", "broken"];

pub fn path(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/table").join(file).with_extension("json")
}

pub fn cases(file: &str) -> Vec<Case> {
    serde_json::from_str(&fs::read_to_string(path(file)).unwrap()).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Every payload of the table.
pub fn payloads() -> Vec<String> {
    FILES.into_iter().flat_map(cases).map(|case| case.payload.get().to_owned()).collect()
}
