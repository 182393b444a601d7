//! What came of one event.

use crate::log::Level;
use crate::{Action, FlowError, FlowResult, Send, SendContent};

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
