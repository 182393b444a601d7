//! A statement that no build checks has no description, and the tests of tenants and plans do not see it. So only a few
//! files may run such statements.

use std::fs;
use std::path::{Path, PathBuf};

/// Files that may, each with the reason.
const ALLOWED: [(&str, &str); 2] = [
    ("store/src/hot.rs", "begin, commit and rollback: they touch no row"),
    ("store/src/migrating.rs", "makes the tables that checked queries need"),
];

/// Functions that take a statement as a text, and what lets a text pass as one.
const UNCHECKED: [&str; 9] = [
    "query",
    "query_as",
    "query_scalar",
    "query_with",
    "query_as_with",
    "query_scalar_with",
    "raw_sql",
    "QueryBuilder",
    "AssertSqlSafe",
];

/// Methods that take a statement as a text, too.
const METHODS: [&str; 5] = [".execute(\"", ".fetch_all(\"", ".fetch_one(\"", ".fetch_optional(\"", ".prepare(\""];

/// Places where a statement is given as a text, outside of the macros and of a test module at the end.
fn unchecked(source: &str) -> Vec<&str> {
    let source = source.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let mut found = Vec::new();
    for name in UNCHECKED {
        for (place, _) in source.match_indices(name) {
            let (before, behind) = (&source[..place], &source[place + name.len()..]);
            let is_part = before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
            let is_other = before.ends_with('.') || before.ends_with("fn ");
            if !is_part && !is_other && (behind.starts_with('(') || behind.starts_with("::")) {
                found.push(line_at(source, place));
            }
        }
    }
    for method in METHODS {
        found.extend(source.match_indices(method).map(|(place, _)| line_at(source, place)));
    }
    found
}

fn line_at(source: &str, place: usize) -> &str {
    let start = source[..place].rfind('\n').map_or(0, |end| end + 1);
    source[start..].lines().next().unwrap_or_default().trim()
}

/// The runtime's source files but for those of tests, by their paths under `runtime`.
fn files() -> Vec<(String, PathBuf)> {
    let runtime = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let crates = fs::read_dir(&runtime).unwrap().map(|entry| entry.unwrap().path().join("src"));
    let mut folders: Vec<PathBuf> = crates.filter(|folder| folder.is_dir()).collect();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(&runtime).unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if !name.starts_with("testing/") && !name.ends_with("/tests.rs") && !name.contains("/tests/") {
                files.push((name, path));
            }
        }
    }
    files
}

#[test]
fn statements_are_checked_when_they_are_built() {
    let (files, mut used) = (files(), Vec::new());
    assert!(files.len() >= 200, "{} files", files.len());
    for (name, path) in files {
        let source = fs::read_to_string(path).unwrap();
        let found = unchecked(&source);
        if ALLOWED.iter().any(|(allowed, _)| *allowed == name) {
            assert!(!found.is_empty(), "{name} needs no exception any more");
            used.push(name);
        } else {
            assert!(found.is_empty(), "{name}: use sqlx::query! or its like instead of\n{}", found.join("\n"));
        }
    }
    assert_eq!(used.len(), ALLOWED.len(), "of {ALLOWED:?} only {used:?} are there");
}

#[test]
fn a_statement_as_a_text_is_found() {
    for source in [
        "    sqlx::query(\"select 1\").execute(db)",
        "query_as::<_, Row>(text)",
        "    sqlx::query_scalar(\n        \"select 1\",\n    )",
        "let sum = sqlx::raw_sql(text);",
        "QueryBuilder::new(text)",
        "db.execute(AssertSqlSafe(text))",
        "db.execute(\"vacuum\")",
    ] {
        assert_eq!(unchecked(source).len(), 1, "{source}");
    }
    for source in [
        "sqlx::query!(\"select 1\")",
        "sqlx::query_as!(Row, \"select 1\")",
        "url.query()",
        "fn query(&self) {}",
        "let query = 1;",
        "use sqlx::query;",
        "sql()\n}\n\n#[cfg(test)]\nmod tests {\n    sqlx::query(text)\n}",
    ] {
        assert!(unchecked(source).is_empty(), "{source}");
    }
}
