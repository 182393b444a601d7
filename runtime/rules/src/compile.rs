//! From a rule set to its compact form. What is wrong is told with its place: `flows[3].match.regex: ...`.

mod actions;
mod conditions;
mod text;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use crate::hours::{self, Zones};
use crate::limits;
use crate::schema::{ActionType, On, Rule, RuleSet};
use crate::wire::Writer;

/// What is wrong with a rule set, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct Problem {
    /// The place, for example `flows[3].match.regex`.
    pub path: String,
    /// What is wrong there and what to do.
    pub message: String,
}

impl Problem {
    pub(crate) fn new(path: impl Into<String>, message: impl Display) -> Self {
        Problem { path: path.into(), message: message.to_string() }
    }
}

/// Checks a rule set and gives the configuration with which the plugin `rules` runs it: JSON text of at most 64 KiB.
/// `zones` finds the time zones of business hours.
pub fn compile(set: &RuleSet, zones: &Zones) -> Result<String, Problem> {
    if set.flows.len() > limits::RULES {
        let message = format!("it has {} rules; at most {} are allowed", set.flows.len(), limits::RULES);
        return Err(Problem::new("flows", message));
    }
    let mut writer = Writer::default();
    if let Some(language) = &set.default_language {
        writer.leaf('L', &text::language("defaultLanguage", language)?);
    }
    if let Some(key) = &set.fallback_template_key {
        writer.leaf('F', text::bounded("fallbackTemplateKey", key, limits::TEMPLATE_KEY)?);
    }
    if set.business_hours.len() > limits::HOURS {
        let message = format!("it has {} entries; at most {} are allowed", set.business_hours.len(), limits::HOURS);
        return Err(Problem::new("businessHours", message));
    }
    for (name, entry) in &set.business_hours {
        let path = format!("businessHours.{name}");
        text::name(&path, name)?;
        writer.node('H', |writer| hours::write(&path, entry, zones, writer))?;
    }
    check_together(set)?;
    let mut compiler = Compiler { hours: hours::places(&set.business_hours), regexes: 0, phrases: 0 };
    let mut rules = Vec::with_capacity(set.flows.len());
    for (place, rule) in set.flows.iter().enumerate() {
        let mut written = Writer::default();
        let path = format!("flows[{place}]");
        written.node('R', |writer| compiler.rule(&path, rule, writer))?;
        rules.push((Reverse(rule.priority.unwrap_or(0)), rule.step.is_none(), written.text));
    }
    // A stable sort: what is equal stays as listed.
    rules.sort_by_key(|(priority, is_global, _)| (*priority, *is_global));
    writer.text.extend(rules.into_iter().map(|(_, _, rule)| rule));
    let config = serde_json::json!({ "v": crate::program::VERSION, "rules": writer.text }).to_string();
    if config.len() > limits::COMPILED {
        let message = format!(
            "the rules take {} bytes when they are compiled; at most {} are allowed: use fewer or shorter rules, or \
             templates for long texts",
            config.len(),
            limits::COMPILED
        );
        return Err(Problem::new("flows", message));
    }
    Ok(config)
}

/// What no rule shows alone: ids, steps, and how much one message can set off.
fn check_together(set: &RuleSet) -> Result<(), Problem> {
    let mut ids = BTreeMap::new();
    for (place, rule) in set.flows.iter().enumerate() {
        text::name(&format!("flows[{place}].id"), &rule.id)?;
        if let Some(first) = ids.insert(rule.id.as_str(), place) {
            let message = format!("{:?} is the id of flows[{first}] already; give each rule its own", rule.id);
            return Err(Problem::new(format!("flows[{place}].id"), message));
        }
    }
    let targets = |rule: &'_ Rule| -> Vec<(Option<usize>, String)> {
        let actions = rule.action.places().filter(|(_, action)| action.kind == ActionType::GoTo);
        actions.filter_map(|(place, action)| Some((place, action.step.clone()?))).collect()
    };
    let waiting: BTreeSet<&str> = set.flows.iter().filter_map(|rule| rule.step.as_deref()).collect();
    let reached: BTreeSet<String> =
        set.flows.iter().flat_map(|rule| targets(rule).into_iter().map(|(_, step)| step)).collect();
    for (place, rule) in set.flows.iter().enumerate() {
        if let Some(step) = rule.step.as_deref().filter(|step| !reached.contains(*step)) {
            let message = format!("no go_to leads to the step {step:?}");
            return Err(Problem::new(format!("flows[{place}].step"), message));
        }
        for (action, step) in targets(rule) {
            if !waiting.contains(step.as_str()) {
                let path = text::at(&format!("flows[{place}].action"), action);
                return Err(Problem::new(format!("{path}.step"), format!("no rule has the step {step:?}")));
            }
        }
    }
    let going_on = set.flows.iter().filter(|rule| rule.goes_on == Some(true));
    let actions: usize = going_on.map(|rule| rule.action.places().count()).sum();
    if actions > limits::CONTINUED_ACTIONS {
        let limit = limits::CONTINUED_ACTIONS;
        let message = format!("rules with continue have {actions} actions together; at most {limit} are allowed");
        return Err(Problem::new("flows", message));
    }
    Ok(())
}

/// What is counted over all rules.
struct Compiler<'a> {
    hours: BTreeMap<&'a str, usize>,
    /// Bytes of all compiled regular expressions.
    regexes: usize,
    /// Phrases that are compared with the text.
    phrases: usize,
}

/// The groups that a rule's regular expressions can catch.
#[derive(Default)]
struct Groups {
    any: bool,
    most: usize,
    names: Vec<String>,
}

impl Compiler<'_> {
    fn rule(&mut self, path: &str, rule: &Rule, writer: &mut Writer) -> Result<(), Problem> {
        if let Some(description) = &rule.description
            && description.chars().count() > limits::DESCRIPTION
        {
            let message = format!("at most {} characters are allowed", limits::DESCRIPTION);
            return Err(Problem::new(format!("{path}.description"), message));
        }
        let is_timeout = rule.on == Some(On::Timeout);
        let goes_on = rule.goes_on == Some(true);
        if let Some(step) = &rule.step {
            text::name(&format!("{path}.step"), step)?;
            writer.leaf('s', step);
        } else if is_timeout {
            let message = "a rule on timeout needs the step whose timeout it is";
            return Err(Problem::new(format!("{path}.step"), message));
        }
        if is_timeout || goes_on {
            let flags = [is_timeout.then_some('t'), goes_on.then_some('c')];
            writer.leaf('o', &flags.into_iter().flatten().collect::<String>());
        }
        let mut groups = Groups::default();
        if let Some(matches) = &rule.matches {
            let mut condition = conditions::Conditions { compiler: self, groups: &mut groups, is_timeout };
            writer.node('m', |writer| condition.write(&format!("{path}.match"), matches, writer))?;
        }
        writer.leaf('i', &rule.id);
        let path = format!("{path}.action");
        let count = rule.action.places().count();
        if !(1..=limits::ACTIONS).contains(&count) {
            let message = format!("it has {count} actions; give it 1 to {}", limits::ACTIONS);
            return Err(Problem::new(path, message));
        }
        writer.node('D', |writer| {
            for (place, action) in rule.action.places() {
                let path = text::at(&path, place);
                if action.kind == ActionType::Stop && goes_on {
                    return Err(Problem::new(path, "a rule with continue cannot stop; leave one of the two out"));
                }
                if action.kind == ActionType::Stop && place.is_some_and(|place| place + 1 < count) {
                    return Err(Problem::new(path, "nothing behind stop is done; put it last"));
                }
                actions::write(&path, action, &groups, writer)?;
            }
            Ok(())
        })
    }
}
