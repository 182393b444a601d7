//! What no values could make right: limits that the plain text exceeds already, and parts that Meta does not combine.

use std::collections::HashSet;

use crate::limits::{
    APPROVED_BUTTON, APPROVED_BUTTONS, BODY, BUTTON, BUTTON_ID, BUTTONS, CODE, FILENAME, FOOTER, HEADER, MEDIA_ID,
    TEXT, URL, VARIABLES,
};
use crate::template::{Button, ButtonKind, Header, Place, Template};
use crate::text::{Piece, Text};
use crate::values::is_https;
use crate::{Invalid, Variable};

type Checked = Result<(), Invalid>;

pub(crate) fn check(template: &Template) -> Checked {
    names(template)?;
    header(template)?;
    match template.meta {
        Some(_) => approved(template),
        None => free(template),
    }
}

/// Named or positional variables, not both; positions without a gap.
fn names(template: &Template) -> Checked {
    let mut first: Option<&Variable> = None;
    for text in template.texts() {
        for variable in text.variables() {
            let first = first.get_or_insert(variable);
            if first.position().is_some() != variable.position().is_some() {
                let (one, other) = (&first.name, &variable.name);
                return Err(Invalid::new(
                    &text.path,
                    format!("mixes named and positional variables ({{{{{one}}}}} and {{{{{other}}}}}); use one kind"),
                ));
            }
        }
    }
    let variables = template.variables();
    if variables.len() > VARIABLES {
        let message = format!("has {} different variables; {VARIABLES} are allowed", variables.len());
        return Err(Invalid::new("components", message));
    }
    let positions: HashSet<usize> = variables.iter().filter_map(Variable::position).collect();
    match (1..=positions.len()).find(|number| !positions.contains(number)) {
        Some(number) => Err(Invalid::new(
            "components",
            format!("{{{{{number}}}}} is missing; positional variables count from 1 without a gap"),
        )),
        None => Ok(()),
    }
}

fn header(template: &Template) -> Checked {
    match &template.header {
        Some(Header::Text(text)) => length(text, HEADER),
        Some(Header::Media { source, filename, .. }) => {
            match source {
                Place::Id(id) => length(id, MEDIA_ID)?,
                Place::Link(link) => address(link)?,
            }
            filename.as_ref().map_or(Ok(()), |filename| length(filename, FILENAME))
        }
        None => Ok(()),
    }
}

fn free(template: &Template) -> Checked {
    let interactive = !template.buttons.is_empty();
    let with_file = matches!(template.header, Some(Header::Media { .. }));
    length(&template.body, if interactive || with_file { BODY } else { TEXT })?;
    template.footer.as_ref().map_or(Ok(()), |footer| length(footer, FOOTER))?;
    if template.preview_url && (interactive || with_file) {
        return Err(Invalid::new(&template.body.path, "preview_url is possible with plain text only; leave it out"));
    }
    let is_reply = |button: &&Button| matches!(button.kind, ButtonKind::QuickReply { .. });
    let replies = template.buttons.iter().filter(is_reply).count();
    let mut ids = HashSet::new();
    for (place, button) in template.buttons.iter().enumerate() {
        match &button.kind {
            ButtonKind::QuickReply { text, id } => {
                length(text, BUTTON)?;
                let id = id.as_ref().unwrap_or(text);
                length(id, BUTTON_ID)?;
                if !ids.insert(&id.pieces) {
                    return Err(Invalid::new(format!("{}.id", button.path), "is used twice; give each button its own"));
                }
                if place >= BUTTONS {
                    return Err(Invalid::new(&button.path, format!("is one too many; Meta's limit is {BUTTONS}")));
                }
            }
            ButtonKind::Url { text, url } => {
                length(text, BUTTON)?;
                address(url)?;
                if replies > 0 || place > 0 {
                    let message = "a free text has either one url button or up to 3 quick_reply buttons; \
                                   only approved templates (metadata.meta) combine them";
                    return Err(Invalid::new(&button.path, message));
                }
            }
            ButtonKind::Phone { .. } | ButtonKind::CopyCode { .. } | ButtonKind::Otp { .. } => {
                let message = "only approved templates (metadata.meta) can have it; use quick_reply or url";
                return Err(Invalid::new(format!("{}.type", button.path), message));
            }
        }
    }
    Ok(())
}

fn approved(template: &Template) -> Checked {
    length(&template.body, BODY)?;
    if template.preview_url {
        return Err(Invalid::new(&template.body.path, "preview_url is not possible in an approved template"));
    }
    for text in template.texts() {
        let wrong =
            |variable: &&Variable| variable.position().is_none() && variable.name != variable.name.to_lowercase();
        if let Some(variable) = text.variables().find(wrong) {
            let message = format!("{{{{{}}}}} has capital letters; Meta takes a-z, 0-9 and _", variable.name);
            return Err(Invalid::new(&text.path, message));
        }
    }
    if let Some(Header::Text(text)) = &template.header
        && text.distinct().len() > 1
    {
        return Err(Invalid::new(
            &text.path,
            "has several variables; the header of an approved template has at most one",
        ));
    }
    if let Some(footer) = &template.footer {
        length(footer, FOOTER)?;
        plain(footer, "the footer of an approved template")?;
    }
    if template.buttons.len() > APPROVED_BUTTONS {
        let count = template.buttons.len();
        let message = format!("there are {count}; Meta's limit is {APPROVED_BUTTONS}");
        return Err(Invalid::new(&template.buttons[APPROVED_BUTTONS].path, message));
    }
    template.buttons.iter().try_for_each(approved_button)
}

fn approved_button(button: &Button) -> Checked {
    let label = |text: &Text| {
        length(text, APPROVED_BUTTON)?;
        plain(text, "the text on a button of an approved template")
    };
    match &button.kind {
        ButtonKind::QuickReply { text, id } => {
            label(text)?;
            id.as_ref().map_or(Ok(()), |id| length(id, BUTTON_ID))
        }
        ButtonKind::Url { text, url } => {
            label(text)?;
            address(url)?;
            let inner = url.pieces.iter().rev().skip(1).any(|piece| matches!(piece, Piece::Variable(_)));
            if inner || matches!(url.pieces.as_slice(), [Piece::Variable(_)]) {
                let message = "an approved template has at most one variable in it, at the end";
                return Err(Invalid::new(&url.path, message));
            }
            Ok(())
        }
        ButtonKind::Phone { text } => label(text),
        ButtonKind::CopyCode { code } | ButtonKind::Otp { code } => length(code, CODE),
    }
}

fn length(text: &Text, limit: usize) -> Checked {
    let count = text.least_chars();
    if count > limit {
        let message = format!("has {count} characters without its variables; Meta's limit is {limit}");
        return Err(Invalid::new(&text.path, message));
    }
    Ok(())
}

fn plain(text: &Text, what: &str) -> Checked {
    match text.has_variables() {
        true => Err(Invalid::new(&text.path, format!("{what} has no variables; write it out as it was approved"))),
        false => Ok(()),
    }
}

/// https, as far as it is known before the values are.
fn address(text: &Text) -> Checked {
    length(text, URL)?;
    let Some(Piece::Plain(start)) = text.pieces.first() else { return Ok(()) };
    let whole = if text.has_variables() { format!("{start}x") } else { start.clone() };
    if is_https(&whole) {
        return Ok(());
    }
    Err(Invalid::new(&text.path, "is no https address; Meta takes https:// only"))
}
