//! What a rule does.

use super::{Groups, Problem, text};
use crate::limits;
use crate::schema::{Action, ActionType, Button};
use crate::wire::Writer;

/// Checks an action and writes it.
pub(super) fn write(path: &str, action: &Action, groups: &Groups, writer: &mut Writer) -> Result<(), Problem> {
    belongs(path, action)?;
    match action.kind {
        ActionType::SendTemplate => writer.node('T', |writer| template(path, action, groups, writer)),
        ActionType::SendText => {
            let body = needed(path, "text", &action.text)?;
            writer.node('X', |writer| {
                writer.leaf('b', text::filled(&format!("{path}.text"), body, limits::TEXT, groups)?);
                if action.preview_url == Some(true) {
                    writer.leaf('p', "");
                }
                Ok(())
            })
        }
        ActionType::ReplyButtons => writer.node('B', |writer| buttons(path, action, groups, writer)),
        ActionType::Set => writer.node('S', |writer| set(path, action, groups, writer)),
        ActionType::GoTo => {
            let step = needed(path, "step", &action.step)?;
            writer.node('G', |writer| {
                writer.leaf('s', text::name(&format!("{path}.step"), step)?);
                let Some(seconds) = action.timeout_seconds else { return Ok(()) };
                if !(1..=limits::TIMEOUT).contains(&seconds) {
                    let message = format!("{seconds} is out of bounds; give it 1 to {} (30 days)", limits::TIMEOUT);
                    return Err(Problem::new(format!("{path}.timeoutSeconds"), message));
                }
                writer.leaf('w', &seconds.to_string());
                Ok(())
            })
        }
        ActionType::Tag => writer.node('A', |writer| tags(path, action, writer)),
        ActionType::HandOff => writer.node('O', |writer| {
            let Some(reason) = &action.reason else { return Ok(()) };
            writer.leaf('r', text::filled(&format!("{path}.reason"), reason, limits::REASON, groups)?);
            Ok(())
        }),
        ActionType::Stop => {
            writer.leaf('E', "");
            Ok(())
        }
    }
}

fn template(path: &str, action: &Action, groups: &Groups, writer: &mut Writer) -> Result<(), Problem> {
    let key = needed(path, "templateKey", &action.template_key)?;
    writer.leaf('k', text::bounded(&format!("{path}.templateKey"), key, limits::TEMPLATE_KEY)?);
    if let Some(language) = &action.language {
        writer.leaf('l', &text::language(&format!("{path}.language"), language)?);
    }
    let Some(variables) = &action.variables else { return Ok(()) };
    let path = format!("{path}.variables");
    at_most(&path, variables.len(), limits::VARIABLES)?;
    for (name, value) in variables {
        let path = format!("{path}.{name}");
        writer.leaf('n', text::bounded(&path, name, limits::NAME)?);
        let Some(value) = value else {
            return Err(Problem::new(path, "it is null; give it a text, or leave it out for the template's default"));
        };
        writer.leaf('v', text::filled(&path, value, limits::VALUE, groups)?);
    }
    Ok(())
}

fn buttons(path: &str, action: &Action, groups: &Groups, writer: &mut Writer) -> Result<(), Problem> {
    let body = needed(path, "text", &action.text)?;
    writer.leaf('b', text::filled(&format!("{path}.text"), body, limits::BUTTONS_TEXT, groups)?);
    for (name, tag, margin) in [("header", 'h', &action.header), ("footer", 'f', &action.footer)] {
        if let Some(margin) = margin {
            writer.leaf(tag, text::filled(&format!("{path}.{name}"), margin, limits::MARGIN, groups)?);
        }
    }
    let buttons = needed(path, "buttons", &action.buttons)?;
    let path = format!("{path}.buttons");
    if !(1..=limits::BUTTONS).contains(&buttons.len()) {
        let message = format!("it has {} buttons; give it 1 to {}", buttons.len(), limits::BUTTONS);
        return Err(Problem::new(path, message));
    }
    for (place, Button { id, title }) in buttons.iter().enumerate() {
        writer.leaf('i', text::visible(&format!("{path}[{place}].id"), id, limits::BUTTON_ID)?);
        writer.leaf('t', text::visible(&format!("{path}[{place}].title"), title, limits::BUTTON_TITLE)?);
        let others = &buttons[..place];
        if others.iter().any(|other| other.id == *id || other.title == *title) {
            let message = "another button has the same id or title; each needs its own";
            return Err(Problem::new(format!("{path}[{place}]"), message));
        }
    }
    Ok(())
}

fn set(path: &str, action: &Action, groups: &Groups, writer: &mut Writer) -> Result<(), Problem> {
    let variables = needed(path, "variables", &action.variables)?;
    let path = format!("{path}.variables");
    if variables.is_empty() {
        return Err(Problem::new(path, "it is empty; give it a variable to set"));
    }
    at_most(&path, variables.len(), limits::VARIABLES)?;
    for (name, value) in variables {
        let path = format!("{path}.{name}");
        writer.leaf('n', text::name(&path, name)?);
        let Some(value) = value else { continue };
        let value = if value.is_empty() { value } else { text::bounded(&path, value, limits::VALUE)? };
        text::check_placeholders(&path, value, groups)?;
        writer.leaf('v', value);
    }
    Ok(())
}

fn tags(path: &str, action: &Action, writer: &mut Writer) -> Result<(), Problem> {
    for (name, sign, tags) in [("add", '+', &action.add), ("remove", '-', &action.remove)] {
        let tags = tags.as_deref().unwrap_or_default();
        let path = format!("{path}.{name}");
        // Each is an action of its own for the host.
        at_most(&path, tags.len(), limits::ACTIONS / 2)?;
        for (place, tag) in tags.iter().enumerate() {
            writer.leaf(sign, text::visible(&format!("{path}[{place}]"), tag, limits::TAG)?);
        }
    }
    if writer.text.is_empty() {
        return Err(Problem::new(path, "it changes no tag; give it add or remove"));
    }
    Ok(())
}

fn needed<'a, T>(path: &str, field: &str, value: &'a Option<T>) -> Result<&'a T, Problem> {
    value.as_ref().ok_or_else(|| Problem::new(format!("{path}.{field}"), "it is missing"))
}

fn at_most(path: &str, count: usize, most: usize) -> Result<(), Problem> {
    if count <= most {
        return Ok(());
    }
    Err(Problem::new(path, format!("it has {count} entries; at most {most} are allowed")))
}

/// Refuses fields of other types of action.
fn belongs(path: &str, action: &Action) -> Result<(), Problem> {
    let takes: &[&str] = match action.kind {
        ActionType::SendTemplate => &["templateKey", "language", "variables"],
        ActionType::SendText => &["text", "previewUrl"],
        ActionType::ReplyButtons => &["text", "header", "footer", "buttons"],
        ActionType::Set => &["variables"],
        ActionType::GoTo => &["step", "timeoutSeconds"],
        ActionType::Tag => &["add", "remove"],
        ActionType::HandOff => &["reason"],
        ActionType::Stop => &[],
    };
    let given = [
        ("templateKey", action.template_key.is_some()),
        ("language", action.language.is_some()),
        ("variables", action.variables.is_some()),
        ("text", action.text.is_some()),
        ("previewUrl", action.preview_url.is_some()),
        ("header", action.header.is_some()),
        ("footer", action.footer.is_some()),
        ("buttons", action.buttons.is_some()),
        ("step", action.step.is_some()),
        ("timeoutSeconds", action.timeout_seconds.is_some()),
        ("reason", action.reason.is_some()),
        ("add", action.add.is_some()),
        ("remove", action.remove.is_some()),
    ];
    match given.iter().find(|(field, is_given)| *is_given && !takes.contains(field)) {
        None => Ok(()),
        Some((field, _)) if takes.is_empty() => Err(Problem::new(format!("{path}.{field}"), "stop takes nothing")),
        Some((field, _)) => {
            let message = format!("this type of action does not take it; it takes {}", takes.join(", "));
            Err(Problem::new(format!("{path}.{field}"), message))
        }
    }
}
