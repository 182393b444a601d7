//! Runs a tenant's rule set, which is its configuration in the compact form of `hoopoe-rules`.
//!
//! The logic is there; here the event is put into its words, and what it decides into the contract's. Each message is
//! sent once for the message that it answers, even when Meta delivers that again.

mod input;

use hoopoe_rules::{Effect, Input, Program, State};
use hoopoe_sdk::prelude::*;
use hoopoe_sdk::{Action, ReplyButton, Schedule, Send, SendButtons, SendText, Tag};

/// The timer of the step at which a conversation is.
const TIMER: &str = "rules:step";
/// Longest idempotency key, in characters.
const LONGEST_KEY: usize = 256;

#[flow(events(message, timer))]
fn rules(ctx: &Context, event: &Event, state: Option<State>) -> FlowResult {
    let Some(moment) = input::moment(event) else { return Outcome::nothing() };
    // What people say to each other: answers would go to each of them privately.
    if ctx.group_id().is_some() {
        log::info("written into a group: no rule is tried");
        return Outcome::nothing();
    }
    let program = Program::read(&ctx.config).or_reject("rules")?;
    let contact = &ctx.conversation.contact;
    let input = Input {
        moment,
        event_id: &ctx.event_id,
        now: ctx.now,
        tenant_name: &ctx.tenant.name,
        contact_name: contact.name.as_deref(),
        contact_phone: contact.wa_id.as_deref(),
        contact_username: contact.username.as_deref(),
        tags: &contact.tags,
    };
    let before = state.unwrap_or_default();
    let decided = program.run(&input, before.clone()).or_reject("rules")?;
    for rule in &decided.matched {
        log::info(format!("rule {rule} matched"));
    }
    for note in &decided.notes {
        log::warn(note);
    }
    let mut sent = 0;
    let outcome = decided.effects.into_iter().fold(Outcome::nothing(), |outcome, effect| {
        outcome.then(action(effect, || {
            sent += 1;
            key(ctx, event, sent)
        }))
    });
    match decided.state {
        after if after == before => outcome,
        after if after.is_empty() => outcome.clear_state(),
        after => outcome.state(&after),
    }
}

/// What the host is to do. `key` makes the next message's idempotency key.
fn action(effect: Effect, key: impl FnOnce() -> Option<String>) -> Action {
    let content = match effect {
        Effect::Template { key, language, variables } => {
            SendContent::Stored(StoredTemplate { key, language, variables })
        }
        Effect::Text { body, preview_url } => SendContent::Text(SendText { body, preview_url }),
        Effect::Buttons { body, header, footer, buttons } => {
            let buttons = buttons.into_iter().map(|(id, title)| ReplyButton { id, title }).collect();
            SendContent::Buttons(SendButtons { body, header, footer, buttons })
        }
        Effect::Tag { name, present } => return Action::Tag(Tag { name, present }),
        Effect::HandOff(reason) => return Action::HandOff(reason),
        Effect::Schedule { due, payload } => {
            return Action::Schedule(Schedule { name: TIMER.to_owned(), due, payload });
        }
        Effect::Cancel => return Action::Cancel(TIMER.to_owned()),
    };
    Action::Send(Send { content, reply_to: None, idempotency_key: key() })
}

/// The same for the same message of the contact. Without one, the host makes a key of the event.
fn key(ctx: &Context, event: &Event, number: u32) -> Option<String> {
    let key = match event {
        Event::Message(message) => format!("rules:{}:{number}", message.id),
        _ => format!("rules:event:{}:{number}", ctx.event_id),
    };
    (key.chars().count() <= LONGEST_KEY).then_some(key)
}

#[cfg(test)]
mod tests;
