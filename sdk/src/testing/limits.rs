//! The limits of the contract, so that a test finds what the host would refuse.

use std::collections::BTreeSet;

use crate::{Action, ListSection, NextState, Outcome, Send, SendContent};

const ACTIONS: usize = 64;
const STATE_BYTES: usize = 64 << 10;
const PAYLOAD_BYTES: usize = 4 << 10;
const BODY_BYTES: usize = 256 << 10;
const HTTP_HEADERS: usize = 32;
const HTTP_TIMEOUT: u32 = 30_000;
const BUTTONS: usize = 3;
const ROWS: usize = 10;

type Checked = Result<(), String>;

/// Why the host would refuse an outcome. It may refuse more: URLs, media, raw messages and variables of templates
/// are not looked at.
pub(super) fn check(outcome: &Outcome) -> Checked {
    at_most("actions", outcome.actions.len(), ACTIONS)?;
    if let NextState::Replace(state) = &outcome.state {
        at_most("bytes of state", state.len(), STATE_BYTES)?;
    }
    for (place, action) in outcome.actions.iter().enumerate() {
        one(action).map_err(|reason| format!("actions[{place}]: {reason}"))?;
    }
    Ok(())
}

fn one(action: &Action) -> Checked {
    match action {
        Action::Send(send) => message(send),
        Action::MarkRead(_) => Ok(()),
        Action::HttpRequest(request) => {
            if !request.url.starts_with("https://") {
                return Err(format!("the URL `{}` does not begin with https://", request.url));
            }
            at_most("headers", request.headers.len(), HTTP_HEADERS)?;
            at_most("bytes of body", request.body.len(), BODY_BYTES)?;
            at_most("milliseconds of timeout", request.timeout_ms as usize, HTTP_TIMEOUT as usize)
        }
        Action::Schedule(timer) => {
            length("timer name", &timer.name, 1, 100)?;
            at_most("bytes of payload", timer.payload.len(), PAYLOAD_BYTES)
        }
        Action::Cancel(name) => length("timer name", name, 1, 100),
        Action::HandOff(_) => Ok(()),
        Action::Tag(tag) => length("tag", &tag.name, 1, 64),
    }
}

fn message(send: &Send) -> Checked {
    if let Some(key) = &send.idempotency_key {
        length("idempotency key", key, 1, 256)?;
    }
    match &send.content {
        SendContent::Text(text) => length("text", &text.body, 1, 4096),
        SendContent::Image(media) | SendContent::Video(media) | SendContent::Document(media) => {
            optional("caption", media.caption.as_deref(), 0, 1024)
        }
        SendContent::Buttons(buttons) => {
            length("body", &buttons.body, 1, 1024)?;
            optional("header", buttons.header.as_deref(), 1, 60)?;
            optional("footer", buttons.footer.as_deref(), 1, 60)?;
            between("buttons", buttons.buttons.len(), 1, BUTTONS)?;
            for button in &buttons.buttons {
                length("button id", &button.id, 1, 256)?;
                length("button title", &button.title, 1, 20)?;
            }
            unique("button id", buttons.buttons.iter().map(|button| button.id.as_str()))?;
            unique("button title", buttons.buttons.iter().map(|button| button.title.as_str()))
        }
        SendContent::List(list) => {
            length("body", &list.body, 1, 4096)?;
            optional("header", list.header.as_deref(), 1, 60)?;
            optional("footer", list.footer.as_deref(), 1, 60)?;
            length("button of a list", &list.button, 1, 20)?;
            sections(&list.sections)
        }
        SendContent::Stored(template) => length("key of a template", &template.key, 1, 64),
        _ => Ok(()),
    }
}

fn sections(sections: &[ListSection]) -> Checked {
    let rows = || sections.iter().flat_map(|section| &section.rows);
    between("rows", rows().count(), 1, ROWS)?;
    for section in sections {
        match &section.title {
            Some(title) => length("section title", title, 1, 24)?,
            None if sections.len() > 1 => return Err("with several sections each needs a title".to_owned()),
            None => {}
        }
    }
    for row in rows() {
        length("row id", &row.id, 1, 200)?;
        length("row title", &row.title, 1, 24)?;
        optional("row description", row.description.as_deref(), 1, 72)?;
    }
    unique("row id", rows().map(|row| row.id.as_str()))
}

fn length(what: &str, text: &str, min: usize, max: usize) -> Checked {
    let count = text.chars().count();
    if (min..=max).contains(&count) {
        Ok(())
    } else {
        Err(format!("the {what} {text:?} has {count} characters; give it {min} to {max}"))
    }
}

fn optional(what: &str, text: Option<&str>, min: usize, max: usize) -> Checked {
    text.map_or(Ok(()), |text| length(what, text, min, max))
}

fn between(what: &str, count: usize, min: usize, max: usize) -> Checked {
    if (min..=max).contains(&count) { Ok(()) } else { Err(format!("{count} {what}; give {min} to {max}")) }
}

fn at_most(what: &str, count: usize, max: usize) -> Checked {
    if count <= max { Ok(()) } else { Err(format!("{count} {what}; {max} are allowed")) }
}

fn unique<'a>(what: &str, ids: impl Iterator<Item = &'a str>) -> Checked {
    let mut seen = BTreeSet::new();
    for id in ids {
        if !seen.insert(id) {
            return Err(format!("the {what} {id:?} stands there twice"));
        }
    }
    Ok(())
}
