//! Builds check queries against the descriptions in `.sqlx`, not against a database: here the descriptions are checked
//! against the real schema. What is out of date is told with the way out of it: `cargo xtask sqlx`.

use std::fs;
use std::path::{Path, PathBuf};

use hoopoe_testing::Database;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Executor, SqlSafeStr};

const AGAIN: &str = "run cargo xtask sqlx and look at the difference";

/// The macros whose queries are described.
const MACROS: [&str; 3] = ["sqlx::query!(", "sqlx::query_as!(", "sqlx::query_scalar!("];

/// Name and content of every description.
pub fn descriptions() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.sqlx");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |file: &PathBuf| {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        (name, serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap())
    };
    files.iter().map(read).collect()
}

/// The text of every source file of the store.
pub fn sources() -> Vec<String> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { sources.push(fs::read_to_string(path).unwrap()) }
        }
    }
    sources
}

#[tokio::test]
async fn descriptions_fit_the_schema() {
    let db = Database::create().await;
    let mut connection = db.pool.acquire().await.unwrap();
    for (file, description) in descriptions() {
        let query = description["query"].as_str().unwrap();
        let described = connection.describe(AssertSqlSafe(query.to_owned()).into_sql_str()).await;
        let described = described.unwrap_or_else(|error| panic!("{file} does not fit: {error}; {AGAIN}:\n{query}"));
        let real = serde_json::to_value(described).unwrap();
        for part in ["parameters", "columns", "nullable"] {
            let (kept, real) = (&description["describe"][part], &real[part]);
            assert_eq!(kept, real, "{file} has other {part} than the schema; {AGAIN}:\n{query}");
        }
    }
}

#[test]
fn every_query_is_described_and_no_other() {
    let (descriptions, sources) = (descriptions(), sources());
    for (file, description) in &descriptions {
        let query = description["query"].as_str().unwrap();
        let used = sources.iter().any(|source| source.contains(query));
        assert!(used, "{file} describes a query that is not in the sources; {AGAIN}:\n{query}");
    }
    let uses: usize =
        sources.iter().map(|source| MACROS.map(|name| source.matches(name).count()).iter().sum::<usize>()).sum();
    assert_eq!(uses, descriptions.len(), "checked queries in the sources, and their descriptions in .sqlx; {AGAIN}");
}
