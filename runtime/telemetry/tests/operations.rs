//! What operators are given in `docs/operations` speaks of metrics that exist, and the runbook of alerts that exist.

#![allow(missing_docs, clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use hoopoe_telemetry::metrics;
use serde_json::Value;

fn read(name: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operations").join(name);
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Words that are names of our metrics.
fn names(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c: char| !is_part(c));
    words.filter(|word| word.starts_with("hoopoe_")).map(str::to_owned).collect()
}

fn check(expression: &str, place: &str) {
    let known = metrics().names();
    let used = names(expression);
    assert!(!used.is_empty(), "{place}: {expression} uses no metric");
    for name in used {
        assert!(known.contains(&name), "{place}: there is no metric {name}");
    }
    for (open, close) in [('(', ')'), ('{', '}'), ('[', ']')] {
        assert_eq!(expression.matches(open).count(), expression.matches(close).count(), "{place}: {expression}");
    }
}

fn rules() -> Vec<Value> {
    let file: Value = serde_saphyr::from_str(&read("alerts.yaml")).unwrap();
    let groups = file["groups"].as_array().unwrap().iter();
    groups
        .flat_map(|group| {
            assert!(group["name"].is_string(), "{group}");
            group["rules"].as_array().unwrap().clone()
        })
        .collect()
}

#[test]
fn every_alert_uses_metrics_that_exist_and_stands_in_the_runbook() {
    let runbook = read("README.md");
    let headings: Vec<&str> = runbook.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let mut alerts = Vec::new();
    for rule in rules() {
        let alert = rule["alert"].as_str().unwrap_or_else(|| panic!("no name: {rule}")).to_owned();
        check(rule["expr"].as_str().unwrap_or_else(|| panic!("no expression: {rule}")), &alert);
        for key in rule.as_object().unwrap().keys() {
            assert!(["alert", "expr", "for", "labels", "annotations"].contains(&key.as_str()), "{alert}: {key}");
        }
        if let Some(time) = rule.get("for") {
            let time = time.as_str().unwrap();
            assert!(time.strip_suffix('m').is_some_and(|number| number.parse::<u32>().is_ok()), "{alert}: {time}");
        }
        assert!(["page", "ticket"].contains(&rule["labels"]["severity"].as_str().unwrap()), "{alert}");
        assert!(rule["annotations"]["summary"].as_str().is_some_and(|summary| summary.ends_with('.')), "{alert}");
        alerts.push(alert);
    }
    assert_eq!(headings, alerts, "the runbook has a section for each alert, in the same order");
}

#[test]
fn every_panel_uses_metrics_that_exist() {
    let dashboard: Value = serde_json::from_str(&read("grafana.json")).unwrap();
    let mut ids = BTreeSet::new();
    let mut used = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}: its id is taken");
        let targets = panel["targets"].as_array().into_iter().flatten();
        for target in targets {
            let expression = target["expr"].as_str().unwrap();
            check(expression, title);
            used.extend(names(expression));
        }
    }
    // A metric that nobody looks at is missing here, or is one too many.
    let families: BTreeSet<String> = metrics()
        .names()
        .into_iter()
        .map(|name| {
            let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
            family.map_or(name.clone(), str::to_owned)
        })
        .collect();
    for family in families {
        let shown = used.iter().any(|name| name.starts_with(&family));
        let spared = ["hoopoe_queue_looks_total"].contains(&family.as_str());
        assert!(shown || spared, "{family} is on no panel");
    }
}

#[test]
fn the_runbook_speaks_of_metrics_that_exist() {
    let known = metrics().names();
    for name in names(&read("README.md")) {
        // Of a histogram it names the whole, and of others their common beginning.
        let found = known.iter().any(|known| known.starts_with(&name));
        assert!(found, "there is no metric {name}");
    }
}
