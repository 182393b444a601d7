//! What operators are given in `docs/operations` speaks of metrics that exist, and the runbook of alerts that exist.

#![allow(missing_docs, clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use hoopoe_telemetry::metrics;
use serde_json::Value;

fn read(name: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operations").join(name);
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Labels that Prometheus adds to every series.
const OF_TARGETS: [&str; 2] = ["instance", "job"];
/// A metric, and its label that gets its values when something happens.
const OPEN: (&str, &str) = ("hoopoe_graph_failures_total", "code");

/// Labels with their values.
type Labels = BTreeMap<String, BTreeSet<String>>;

/// A metric as a text names it: `name{label="value",other=~"one|two"}`.
struct Use {
    name: String,
    labels: Labels,
}

/// All uses of our metrics.
fn uses(text: &str) -> Vec<Use> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let begins = text.match_indices("hoopoe_").map(|(at, _)| at).filter(|at| !text[..*at].ends_with(is_part));
    let used = begins.map(|at| {
        let rest = &text[at..];
        let (name, rest) = rest.split_at(rest.find(|c: char| !is_part(c)).unwrap_or(rest.len()));
        let matchers = rest.strip_prefix('{').map_or("", |rest| rest.split('}').next().unwrap());
        let labels = matchers.split(',').filter(|matcher| !matcher.is_empty()).map(|matcher| {
            let (label, values) = matcher.split_at(matcher.find(['=', '!']).unwrap());
            let values = values.trim_start_matches(['=', '!', '~']).trim_matches('"').split('|');
            (label.trim().to_owned(), values.map(str::to_owned).collect())
        });
        Use { name: name.to_owned(), labels: labels.collect() }
    });
    used.collect()
}

/// The samples of this process before anything has happened, or their metrics: a histogram is one.
fn known(of: fn(&str) -> &str) -> BTreeMap<String, Labels> {
    let text = metrics().text();
    let mut known: BTreeMap<String, Labels> = BTreeMap::new();
    for sample in text.lines().filter(|line| !line.starts_with('#')).flat_map(uses) {
        let labels = known.entry(of(&sample.name).to_owned()).or_default();
        for (label, values) in sample.labels {
            labels.entry(label).or_default().extend(values);
        }
    }
    known
}

fn sample(name: &str) -> &str {
    name
}

/// The metric that a sample is of.
fn family(name: &str) -> &str {
    ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name)
}

/// The metric exists, has these labels, and they have these values.
fn check_use(used: &Use, known: &BTreeMap<String, Labels>, place: &str) {
    let Use { name, labels } = used;
    let has = known.get(name).unwrap_or_else(|| panic!("{place}: there is no metric {name}"));
    for (label, values) in labels.iter().filter(|(label, _)| !OF_TARGETS.contains(&label.as_str())) {
        let all = has.get(label).unwrap_or_else(|| panic!("{place}: {name} has no label {label}"));
        let unknown: Vec<_> = values.difference(all).collect();
        assert!(
            unknown.is_empty() || (name.as_str(), label.as_str()) == OPEN,
            "{place}: {label} of {name} is never {unknown:?}"
        );
    }
}

fn check(expression: &str, place: &str) {
    let known = known(sample);
    let used = uses(expression);
    assert!(!used.is_empty(), "{place}: {expression} uses no metric");
    used.iter().for_each(|used| check_use(used, &known, place));
    let lists = expression.split(" by (").skip(1).filter_map(|rest| rest.split(')').next());
    for label in lists.flat_map(|list| list.split(',')).map(str::trim).filter(|label| !OF_TARGETS.contains(label)) {
        for Use { name, .. } in &used {
            assert!(known[name].contains_key(label), "{place}: {name} has no label {label}");
        }
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
            used.extend(uses(expression).into_iter().map(|used| family(&used.name).to_owned()));
        }
    }
    // A metric that nobody looks at is missing here, or is one too many.
    for name in known(family).into_keys() {
        assert!(used.contains(&name) || name == "hoopoe_queue_looks_total", "{name} is on no panel");
    }
}

#[test]
fn the_runbook_speaks_of_metrics_that_exist() {
    // Of a histogram it names the whole. In a table the bar between two values is escaped.
    let known = known(family);
    let used = uses(&read("README.md").replace("\\|", "|"));
    assert!(!used.is_empty());
    used.iter().for_each(|used| check_use(used, &known, "the runbook"));
}

#[test]
fn what_does_not_exist_is_found() {
    let fails = |expression: &'static str| std::panic::catch_unwind(|| check(expression, "a test")).is_err();
    assert!(!fails("sum by (step) (rate(hoopoe_statuses_total{job=~\"$job\",step=~\"sent|failed\"}[5m]))"));
    for expression in [
        "sum(hoopoe_statuses)",
        "sum(hoopoe_statuses_total{state=\"failed\"})",
        "sum(hoopoe_statuses_total{step=~\"sent|dead\"})",
        "sum(hoopoe_statuses_total{step!=\"dead\"})",
        "sum by (outcome) (hoopoe_statuses_total)",
        "max(hoopoe_database_acquire_seconds)",
        "sum(hoopoe_graph_failures_total{class=\"suspend\"})",
    ] {
        assert!(fails(expression), "{expression}");
    }
}
