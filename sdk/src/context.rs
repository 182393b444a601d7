//! Reading the context.

use serde::de::DeserializeOwned;

use crate::{Context, FlowError};

impl Context {
    /// The tenant's configuration of this plugin, `{}` when there is none. Configuration that does not fit `T`
    /// rejects the event, with the reason.
    ///
    /// ```
    /// # use hoopoe_sdk::prelude::*;
    /// #[derive(serde::Deserialize)]
    /// struct Config {
    ///     greeting: Option<String>,
    /// }
    ///
    /// fn greet(ctx: &Context, _event: &Event) -> FlowResult {
    ///     let config: Config = ctx.config()?;
    ///     Outcome::reply(config.greeting.unwrap_or_else(|| "hello".into()))
    /// }
    /// # assert_eq!(greet(&testing::context(), &testing::text("hi")), Outcome::reply("hello"));
    /// ```
    pub fn config<T: DeserializeOwned>(&self) -> Result<T, FlowError> {
        serde_json::from_str(&self.config)
            .map_err(|error| FlowError::Reject(format!("the plugin's configuration does not fit: {error}")))
    }

    /// The group that the message was written into, Meta's id of it. Answers go to the contact alone.
    ///
    /// ```
    /// # use hoopoe_sdk::prelude::*;
    /// fn answer(ctx: &Context, _event: &Event) -> FlowResult {
    ///     // What people say to each other is not for a flow to answer.
    ///     if ctx.group_id().is_some() { Outcome::nothing() } else { Outcome::reply("hello") }
    /// }
    /// # assert_eq!(answer(&testing::context(), &testing::text("hi")), Outcome::reply("hello"));
    /// ```
    pub fn group_id(&self) -> Option<String> {
        serde_json::from_str(self.attribute("message.group-id")?).ok()
    }

    /// A fact that a later host gives: JSON text.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}
