//! What came of one event.

use std::ops::Deref;

use super::effects::{choices, title_of};
use crate::log::Level;
use crate::{Action, FlowError, FlowResult, HttpRequest, Send, SendContent, StoredTemplate};

/// What a flow made of one event. Methods that begin with `expect_` panic when it is something else.
#[derive(Debug)]
pub struct Run {
    /// What the flow gave back.
    pub result: FlowResult,
    /// What it wrote to the log.
    pub logs: Vec<(Level, String)>,
}

impl Run {
    /// The actions, in order; none when the run failed.
    pub fn actions(&self) -> &[Action] {
        self.result.as_ref().map(|outcome| outcome.actions.as_slice()).unwrap_or_default()
    }

    /// The messages, in order.
    pub fn messages(&self) -> impl Iterator<Item = &Send> {
        self.actions().iter().filter_map(|action| match action {
            Action::Send(send) => Some(send),
            _ => None,
        })
    }

    /// The words of every message that has some: texts, and bodies of buttons and lists.
    pub fn replies(&self) -> Vec<&str> {
        fn words(send: &Send) -> Option<&str> {
            match &send.content {
                SendContent::Text(text) => Some(&text.body),
                SendContent::Buttons(buttons) => Some(&buttons.body),
                SendContent::List(list) => Some(&list.body),
                _ => None,
            }
        }
        self.messages().filter_map(words).collect()
    }

    /// The flow replied with exactly this, and with nothing else.
    #[track_caller]
    pub fn expect_reply(&self, text: &str) -> &Self {
        self.expect_replies(&[text])
    }

    /// The flow replied with exactly these, in this order.
    #[track_caller]
    pub fn expect_replies(&self, texts: &[&str]) -> &Self {
        assert!(self.result.is_ok(), "a reply was expected, and the run failed: {:?}", self.result);
        assert_eq!(self.replies(), texts, "the flow replied with something else");
        self
    }

    /// The last message that offers buttons or list rows offers these, in this order.
    #[track_caller]
    pub fn expect_choices(&self, titles: &[&str]) -> &Self {
        let offers: Vec<_> = self.messages().map(|send| choices(&send.content)).collect();
        let last = offers.iter().rev().find(|offered| !offered.is_empty());
        let offered: Vec<&str> = last.into_iter().flatten().map(title_of).collect();
        assert_eq!(offered, titles, "something else was offered: {:?}", self.result);
        self
    }

    /// The flow sent one of the tenant's templates; gives the first of this key.
    #[track_caller]
    pub fn expect_template(&self, key: &str) -> &StoredTemplate {
        let template = self.messages().find_map(|send| match &send.content {
            SendContent::Stored(template) if template.key == key => Some(template),
            _ => None,
        });
        template.unwrap_or_else(|| panic!("the template `{key}` was expected: {:?}", self.result))
    }

    /// The flow calls an HTTP service; gives the first request of this name.
    #[track_caller]
    pub fn expect_request(&self, name: &str) -> &HttpRequest {
        let request = self.actions().iter().find_map(|action| match action {
            Action::HttpRequest(request) if request.name == name => Some(request),
            _ => None,
        });
        request.unwrap_or_else(|| panic!("the request `{name}` was expected: {:?}", self.result))
    }

    /// The flow handed the conversation to people; gives the reason.
    #[track_caller]
    pub fn expect_hand_off(&self) -> &str {
        let reason = self.actions().iter().find_map(|action| match action {
            Action::HandOff(reason) => Some(reason),
            _ => None,
        });
        reason.unwrap_or_else(|| panic!("a hand-off was expected: {:?}", self.result))
    }

    /// The last message has this idempotency key.
    #[track_caller]
    pub fn expect_key(&self, key: &str) -> &Self {
        let last = self.messages().last().and_then(|send| send.idempotency_key.as_deref());
        assert_eq!(last, Some(key), "the last message has another idempotency key");
        self
    }

    /// The flow did nothing.
    #[track_caller]
    pub fn expect_silence(&self) -> &Self {
        assert!(self.result.is_ok(), "silence was expected, and the run failed: {:?}", self.result);
        assert_eq!(self.actions(), [], "silence was expected");
        self
    }

    /// The flow asked for another attempt; gives the reason.
    #[track_caller]
    pub fn expect_retry(&self) -> &str {
        match &self.result {
            Err(FlowError::Retry(reason)) => reason,
            other => panic!("a retry was expected, not {other:?}"),
        }
    }

    /// The flow gave the event up; gives the reason.
    #[track_caller]
    pub fn expect_reject(&self) -> &str {
        match &self.result {
            Err(FlowError::Reject(reason)) => reason,
            other => panic!("a rejection was expected, not {other:?}"),
        }
    }
}

/// What the flow made of the timers that fired while time passed, in order.
#[derive(Debug)]
pub struct Runs(pub Vec<Run>);

impl Deref for Runs {
    type Target = [Run];

    fn deref(&self) -> &[Run] {
        &self.0
    }
}

impl Runs {
    /// All of them together replied with exactly this, and with nothing else.
    #[track_caller]
    pub fn expect_reply(&self, text: &str) -> &Self {
        self.expect_replies(&[text])
    }

    /// All of them together replied with exactly these, in this order.
    #[track_caller]
    pub fn expect_replies(&self, texts: &[&str]) -> &Self {
        let failed = self.iter().find(|run| run.result.is_err());
        assert!(failed.is_none(), "replies were expected, and a run failed: {failed:?}");
        let replies: Vec<&str> = self.iter().flat_map(Run::replies).collect();
        assert_eq!(replies, texts, "the flow replied with something else");
        self
    }

    /// No timer fired, or the flow did nothing about it.
    #[track_caller]
    pub fn expect_silence(&self) -> &Self {
        self.iter().for_each(|run| {
            run.expect_silence();
        });
        self
    }
}
