//! The fixture table, written for this project from Meta's documented shapes: what comes of each payload alone, and of
//! all of them in one POST. `UPDATE_SNAPSHOTS=1` writes the expected lines anew; read the difference.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::fs;

use support::{
    cases::{Case, FILES, cases, path},
    tell,
};

#[test]
fn what_comes_of_each_payload() {
    let mut number = 0;
    for file in FILES {
        let cases = cases(file);
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            update(file, &cases);
            continue;
        }
        for case in &cases {
            assert_eq!(tell::all(case.payload.get()), case.expected, "{file}: {}", case.label);
        }
        number += cases.len();
    }
    assert!(number >= 150 || number == 0, "{number} payloads");
}

fn update(file: &str, cases: &[Case]) {
    let one = |case: &Case| {
        let lines: Vec<_> = tell::all(case.payload.get()).iter().map(|it| format!("      {}", quoted(it))).collect();
        let (label, payload) = (quoted(&case.label), case.payload.get());
        format!(
            "  {{\n    \"label\": {label},\n    \"payload\": {payload},\n    \"expected\": [\n{}\n    ]\n  }}",
            lines.join(",\n")
        )
    };
    let text = cases.iter().map(one).collect::<Vec<_>>().join(",\n");
    fs::write(path(file), format!("[\n{text}\n]\n")).unwrap();
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

/// The elements of `entry`, as text.
fn entries(payload: &str) -> Option<String> {
    let rest = payload.split_once("\"entry\": [")?.1;
    Some(rest[..rest.rfind(']')?].to_owned())
}

/// All payloads for WhatsApp in one POST, in order and in reverse: each gives what it gives alone, so none reaches a
/// tenant that is not its own and none costs another.
#[test]
fn what_comes_of_all_in_one_post() {
    let good = |case: &Case| case.payload.get().starts_with("{\"object\": \"whatsapp_business_account\"");
    let mut all: Vec<(String, Vec<String>)> = FILES
        .into_iter()
        .flat_map(cases)
        .filter(good)
        .filter_map(|case| Some((entries(case.payload.get())?, case.expected)))
        .collect();
    assert!(all.len() >= 150, "{}", all.len());
    for _ in ["in order", "in reverse"] {
        let (entries, expected): (Vec<_>, Vec<_>) = all.iter().cloned().unzip();
        let body = format!(r#"{{"object": "whatsapp_business_account", "entry": [{}]}}"#, entries.join(","));
        let found = tell::all(&body);
        for (found, expected) in found.iter().zip(expected.concat()) {
            assert_eq!(*found, expected);
        }
        assert_eq!(found.len(), expected.concat().len());
        all.reverse();
    }
}
