//! Beginning an outcome. [`Build`](crate::Build) goes on from there.

use crate::{Action, Build, FlowResult, NextState, Outcome, SendContent};

impl Outcome {
    /// Do nothing, and keep the state as it is.
    pub fn nothing() -> FlowResult {
        Ok(Outcome { actions: Vec::new(), state: NextState::Keep })
    }

    /// Send a text of 1 to 4096 characters to the contact.
    pub fn reply(text: impl Into<String>) -> FlowResult {
        Outcome::nothing().then_reply(text)
    }

    /// Send something to the contact.
    ///
    /// ```
    /// # use hoopoe_sdk::prelude::*;
    /// # fn flow() -> FlowResult {
    /// Outcome::send(SendContent::Image(SendMedia::link("https://example.com/menu.png").caption("our menu")))
    /// # }
    /// # assert!(flow().is_ok());
    /// ```
    pub fn send(content: SendContent) -> FlowResult {
        Outcome::nothing().then_send(content)
    }

    /// Do one action.
    pub fn act(action: Action) -> FlowResult {
        Outcome::nothing().then(action)
    }

    /// Hand the conversation to people; the flow is silent until it is released.
    pub fn hand_off(reason: impl Into<String>) -> FlowResult {
        Outcome::act(Action::HandOff(reason.into()))
    }
}
