//! Beginning an outcome. [`Build`](crate::Build) goes on from there.

use serde::Serialize;

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

    /// Send one of the tenant's own templates, by its key, with values for its variables. Positional variables have
    /// the names `1`, `2` and so on. A template or a variable that is missing fails the run.
    ///
    /// ```
    /// # use hoopoe_sdk::prelude::*;
    /// fn greet(ctx: &Context) -> FlowResult {
    ///     let name = ctx.conversation.contact.name.as_deref().unwrap_or("there");
    ///     Outcome::template("welcome", [("name", name)]).language("pt_BR").then_template("menu", [])
    /// }
    /// # assert_eq!(greet(&testing::context()).unwrap().actions.len(), 2);
    /// ```
    ///
    /// [`StoredTemplate`](crate::StoredTemplate) takes variables whose number is not known beforehand.
    pub fn template<const N: usize>(key: impl Into<String>, variables: [(&str, &str); N]) -> FlowResult {
        Outcome::nothing().then_template(key, variables)
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

    /// Send any message of Meta's Graph API, without its recipient: what has no type here, for example a product list,
    /// contacts or a request for the location.
    ///
    /// ```
    /// # use hoopoe_sdk::prelude::*;
    /// # fn flow() -> FlowResult {
    /// Outcome::payload(&serde_json::json!({
    ///     "type": "interactive",
    ///     "interactive": {
    ///         "type": "location_request_message",
    ///         "body": { "text": "Where shall we deliver to?" },
    ///         "action": { "name": "send_location" },
    ///     },
    /// }))
    /// # }
    /// # assert!(flow().is_ok());
    /// ```
    pub fn payload<P: Serialize + ?Sized>(payload: &P) -> FlowResult {
        Outcome::send(SendContent::Raw(serde_json::to_string(payload)?))
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
