//! Holds a value against lines of the table.

use serde_json::Value;

use super::{
    Refusal,
    table::{Line, Need, Rule},
};

/// Checks the lines that are for one of `kinds`, then that nothing is there that none of them names.
pub(super) fn check(table: &[Line], kinds: &[&str], value: &Value) -> Result<(), Refusal> {
    let lines: Vec<&Line> = table.iter().filter(|(kind, ..)| kinds.contains(kind)).collect();
    for (_, path, need, rule) in &lines {
        let (around, name) = path.rsplit_once('.').unwrap_or(("", *path));
        for (place, object) in select(value, around) {
            let field = if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") };
            match object.get(name) {
                Some(Value::Null) | None if *need == Need::Must => return Err(Refusal::missing(&field)),
                Some(Value::Null) | None => {}
                Some(content) => one(&field, *rule, content)?,
            }
        }
    }
    let named: Vec<(String, bool)> =
        lines.iter().map(|(_, path, _, rule)| (plain(path), matches!(rule, Rule::Any))).collect();
    unexpected("", value, &named)
}

/// The objects that a path leads to, each with its place.
fn select<'a>(value: &'a Value, path: &str) -> Vec<(String, &'a Value)> {
    let mut found = vec![(String::new(), value)];
    for step in path.split('.').filter(|step| !step.is_empty()) {
        let (step, filter) = step.split_once('{').map_or((step, None), |(step, filter)| (step, Some(filter)));
        let (name, each) = step.strip_suffix("[]").map_or((step, false), |name| (name, true));
        let mut next = Vec::new();
        for (place, value) in found {
            let Some(content) = value.get(name) else { continue };
            let place = if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") };
            match content.as_array().filter(|_| each) {
                Some(list) => {
                    next.extend(list.iter().enumerate().map(|(number, item)| (format!("{place}[{number}]"), item)));
                }
                None => next.push((place, content)),
            }
        }
        if let Some((field, wanted)) = filter.and_then(|filter| filter.trim_end_matches('}').split_once('=')) {
            let fits = |value: &Value| value[field].as_str().is_some_and(|found| found.eq_ignore_ascii_case(wanted));
            next.retain(|(_, value)| fits(value));
        }
        found = next;
    }
    found
}

/// A path without its filters.
fn plain(path: &str) -> String {
    path.split('{').map(|piece| piece.split_once('}').map_or(piece, |(_, rest)| rest)).collect()
}

fn unexpected(path: &str, value: &Value, named: &[(String, bool)]) -> Result<(), Refusal> {
    match value {
        Value::Object(fields) => {
            for (name, content) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                if named.iter().any(|(line, open)| *open && *line == path) {
                    continue;
                }
                let below = [format!("{path}."), format!("{path}[].")];
                let known = |(line, _): &(String, bool)| *line == path || below.iter().any(|it| line.starts_with(it));
                if !named.iter().any(known) {
                    return Err(Refusal::invalid(format!("Unexpected key \"{name}\" on param \"{path}\"")));
                }
                unexpected(&path, content, named)?;
            }
            Ok(())
        }
        Value::Array(list) => list.iter().try_for_each(|item| unexpected(&format!("{path}[]"), item, named)),
        _ => Ok(()),
    }
}

fn one(field: &str, rule: Rule, value: &Value) -> Result<(), Refusal> {
    let text = || value.as_str().ok_or_else(|| Refusal::invalid(format!("Param {field} must be a string")));
    let good = match rule {
        Rule::Text(min, max) => return length(field, text()?, min, max),
        Rule::Id(max) => {
            length(field, text()?, 1, max)?;
            text()?.trim() == text()?
        }
        Rule::Word(words) => {
            if !words.contains(&text()?) {
                return Err(Refusal::invalid(format!("Param {field} must be one of {{{}}}", words.join(", "))));
            }
            true
        }
        Rule::Url => {
            length(field, text()?, 1, 2000)?;
            let rest = text()?.strip_prefix("https://").or(text()?.strip_prefix("http://"));
            rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(' '))
        }
        Rule::Bool => value.is_boolean(),
        Rule::Degrees => {
            let most = if field.ends_with("latitude") { 90.0 } else { 180.0 };
            let degrees = value.as_f64().or_else(|| value.as_str()?.parse().ok());
            degrees.is_some_and(|degrees: f64| degrees.abs() <= most)
        }
        Rule::Whole => value.is_i64(),
        Rule::Date => {
            let parts: Vec<_> = text()?.split('-').map(|part| (part.len(), part.parse::<u16>().is_ok())).collect();
            parts == [(4, true), (2, true), (2, true)]
        }
        Rule::Country => text()?.len() == 2 && text()?.chars().all(|letter| letter.is_ascii_uppercase()),
        Rule::Index => {
            let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
            number.is_some_and(|number| number < 10)
        }
        Rule::List(min, max) => {
            let list = value.as_array().ok_or_else(|| Refusal::invalid(format!("Param {field} must be an array")))?;
            if !(min..=max).contains(&list.len()) {
                let found = list.len();
                return Err(Refusal::value(
                    field,
                    format!("{field} must have {min} to {max} elements, it has {found}"),
                ));
            }
            if list.iter().any(|item| !item.is_object()) {
                return Err(Refusal::invalid(format!("Param {field} must be an array of objects")));
            }
            true
        }
        Rule::Fields => value.is_object(),
        Rule::Any => true,
    };
    if good { Ok(()) } else { Err(Refusal::value(field, format!("{field} is not valid"))) }
}

pub(super) fn length(field: &str, text: &str, min: usize, max: usize) -> Result<(), Refusal> {
    let length = text.chars().count();
    let blank = min > 0 && text.trim().is_empty();
    if (min..=max).contains(&length) && !blank {
        return Ok(());
    }
    Err(Refusal::value(field, format!("{field} length invalid: {length}. Min length: {min}, Max length: {max}")))
}
