//! What a flow's decisions do to a conversation, as the runtime does it.

use super::content;
use crate::{Action, Choice, Contact, Content, HttpRequest, NextState, Outcome, Schedule, Send, SendContent};

/// What a conversation holds besides the state.
#[derive(Default)]
pub(super) struct Effects {
    /// Sorted by when they are due, then by when they were set.
    pub(super) timers: Vec<Schedule>,
    /// In order.
    pub(super) requests: Vec<HttpRequest>,
    /// The reason.
    pub(super) handed_off: Option<String>,
    /// Messages sent so far; they are `wamid.SENT1` and so on.
    sent: u64,
    /// The last message that offered something, and what a tap on it sends.
    offered: Option<(String, Vec<Content>)>,
}

impl Effects {
    pub(super) fn apply(&mut self, outcome: &Outcome, contact: &mut Contact, state: &mut Option<Vec<u8>>) {
        for action in &outcome.actions {
            match action {
                Action::Send(send) => self.send(send),
                Action::MarkRead(_) => {}
                Action::HttpRequest(request) => self.requests.push(request.clone()),
                Action::Schedule(timer) => {
                    self.cancel(&timer.name);
                    self.timers.push(timer.clone());
                    // Stable: of two that are due at the same moment the older one fires first.
                    self.timers.sort_by_key(|timer| timer.due);
                }
                Action::Cancel(name) => self.cancel(name),
                Action::HandOff(reason) => self.handed_off = Some(reason.clone()),
                Action::Tag(tag) => {
                    contact.tags.retain(|name| *name != tag.name);
                    if tag.present {
                        contact.tags.push(tag.name.clone());
                        contact.tags.sort_unstable();
                    }
                }
            }
        }
        match &outcome.state {
            NextState::Keep => {}
            NextState::Replace(next) => *state = Some(next.clone()),
            NextState::Clear => *state = None,
        }
    }

    fn send(&mut self, send: &Send) {
        self.sent += 1;
        let offered = choices(&send.content);
        if !offered.is_empty() {
            self.offered = Some((format!("wamid.SENT{}", self.sent), offered));
        }
    }

    fn cancel(&mut self, name: &str) {
        self.timers.retain(|timer| timer.name != name);
    }

    /// Take the next timer that is due at this moment.
    pub(super) fn due(&mut self, now: u64) -> Option<Schedule> {
        let due = self.timers.first().is_some_and(|timer| timer.due <= now);
        due.then(|| self.timers.remove(0))
    }

    pub(super) fn take_request(&mut self, name: &str) -> Option<HttpRequest> {
        let place = self.requests.iter().position(|request| request.name == name)?;
        Some(self.requests.remove(place))
    }

    /// The message that offers this title, and what a tap on it sends.
    pub(super) fn choose(&self, title: &str) -> Option<(String, Content)> {
        let (message_id, offered) = self.offered.as_ref()?;
        let choice = offered.iter().find(|content| title_of(content) == title)?;
        Some((message_id.clone(), choice.clone()))
    }

    pub(super) fn titles(&self) -> Vec<&str> {
        self.offered.iter().flat_map(|(_, offered)| offered).map(title_of).collect()
    }
}

/// What a tap on each button or row of a message sends.
pub(super) fn choices(content: &SendContent) -> Vec<Content> {
    match content {
        SendContent::Buttons(buttons) => {
            buttons.buttons.iter().map(|button| content::button_reply(&button.id, &button.title)).collect()
        }
        SendContent::List(list) => {
            let rows = list.sections.iter().flat_map(|section| &section.rows).cloned();
            rows.map(|row| Choice { id: row.id, title: row.title, description: row.description })
                .map(Content::ListReply)
                .collect()
        }
        _ => Vec::new(),
    }
}

pub(super) fn title_of(content: &Content) -> &str {
    match content {
        Content::ButtonReply(choice) | Content::ListReply(choice) => &choice.title,
        _ => "",
    }
}
