//! A conversation with a flow.

use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Run, content, context, message};
use crate::{Content, Context, Event, Flow, NextState};

/// A conversation with the flow `F`: gives it events, and keeps its state between them as the runtime does. Only
/// a run that succeeds changes the state. Time stands still unless [`Harness::advance`] moves it.
pub struct Harness<F: Flow> {
    context: Context,
    state: Option<Vec<u8>>,
    events: u64,
    flow: PhantomData<F>,
}

impl<F: Flow> Default for Harness<F> {
    fn default() -> Self {
        Self::new()
    }
}

impl<F: Flow> Harness<F> {
    /// A conversation in which nothing has happened, with [`context()`](super::context()).
    pub fn new() -> Self {
        Harness { context: context(), state: None, events: 0, flow: PhantomData }
    }

    /// Configure the plugin.
    ///
    /// # Panics
    /// When `config` cannot be written as JSON.
    pub fn config(mut self, config: &impl Serialize) -> Self {
        self.context.config = serde_json::to_string(config).expect("a test's configuration can be written as JSON");
        self
    }

    /// The context of the next event, to change it.
    pub fn context_mut(&mut self) -> &mut Context {
        &mut self.context
    }

    /// Let time pass, in milliseconds.
    pub fn advance(&mut self, milliseconds: u64) -> &mut Self {
        self.context.now += milliseconds;
        self
    }

    /// The contact sends a text.
    pub fn says(&mut self, text: impl Into<String>) -> Run {
        self.sends(content::text(text))
    }

    /// The contact sends something. Its messages are `wamid.TEST1`, `wamid.TEST2` and so on.
    pub fn sends(&mut self, content: Content) -> Run {
        let mut event = message(content);
        if let Event::Message(message) = &mut event {
            message.id = format!("wamid.TEST{}", self.events + 1);
            message.timestamp = self.context.now;
        }
        self.handles(&event)
    }

    /// Something happens.
    pub fn handles(&mut self, event: &Event) -> Run {
        self.events += 1;
        self.context.event_id = format!("00000000-0000-7000-8001-{:012}", self.events);
        drop(crate::log::native::take());
        let result = F::on_event(&self.context, event, self.state.as_deref());
        if let Ok(outcome) = &result {
            match &outcome.state {
                NextState::Keep => {}
                NextState::Replace(state) => self.state = Some(state.clone()),
                NextState::Clear => self.state = None,
            }
        }
        Run { result, logs: crate::log::native::take() }
    }

    /// The state after the last event.
    ///
    /// # Panics
    /// When the state is not an `S`.
    pub fn state<S: DeserializeOwned>(&self) -> Option<S> {
        let state = self.state.as_deref()?;
        Some(serde_json::from_slice(state).expect("the conversation's state has the type that the test asks for"))
    }
}
