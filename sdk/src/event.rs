//! Reading events.

use serde::de::DeserializeOwned;

use crate::{Content, Event, EventKind, FlowError, HttpAnswer, Message};

impl Event {
    /// Which kind of event this is.
    pub fn kind(&self) -> EventKind {
        match self {
            Event::Message(_) => EventKind::Message,
            Event::Status(_) => EventKind::Status,
            Event::Timer(_) => EventKind::Timer,
            Event::HttpResponse(_) => EventKind::HttpResponse,
            Event::Other(_) => EventKind::Other,
        }
    }

    /// What the contact wrote; see [`Message::text`].
    pub fn text(&self) -> Option<&str> {
        self.message()?.text()
    }

    /// What the contact tapped; see [`Message::choice`].
    pub fn choice(&self) -> Option<&str> {
        self.message()?.choice()
    }

    /// The message, when this event is one.
    pub fn message(&self) -> Option<&Message> {
        match self {
            Event::Message(message) => Some(message),
            _ => None,
        }
    }
}

impl Message {
    /// What the contact wrote, without space around it; absent for everything that is no text.
    pub fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text.body.trim()),
            _ => None,
        }
    }

    /// The id of the button or list row that the contact tapped; for a template's quick reply its payload, or its
    /// text when it has none.
    ///
    /// ```
    /// use hoopoe_sdk::prelude::*;
    ///
    /// fn answer(message: &Message) -> FlowResult {
    ///     match message.choice() {
    ///         Some("yes") => Outcome::reply("Good."),
    ///         Some(_) => Outcome::reply("A pity."),
    ///         None => Outcome::reply("Sure?").buttons([("yes", "Yes"), ("no", "No")]),
    ///     }
    /// }
    /// # let event = testing::message(testing::content::button_reply("yes", "Yes"));
    /// # assert_eq!(answer(event.message().unwrap()), Outcome::reply("Good."));
    /// ```
    pub fn choice(&self) -> Option<&str> {
        match &self.content {
            Content::ButtonReply(choice) | Content::ListReply(choice) => Some(&choice.id),
            Content::TemplateButton(button) => Some(button.payload.as_deref().unwrap_or(&button.text)),
            _ => None,
        }
    }
}

impl HttpAnswer {
    /// The status is 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Read the body as JSON. A body that does not fit `T` rejects the event, with the reason.
    ///
    /// ```
    /// use hoopoe_sdk::prelude::*;
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Order {
    ///     status: String,
    /// }
    ///
    /// fn tell(event: &Event) -> FlowResult {
    ///     let Event::HttpResponse(response) = event else { return Outcome::nothing() };
    ///     match &response.outcome {
    ///         Ok(answer) if answer.is_success() => Outcome::reply(answer.json::<Order>()?.status),
    ///         Ok(answer) => Outcome::hand_off(format!("the shop answered {}", answer.status)),
    ///         Err(reason) => Outcome::hand_off(reason),
    ///     }
    /// }
    /// # let event = testing::http_response("order", 200, r#"{"status": "packed"}"#);
    /// # assert_eq!(tell(&event), Outcome::reply("packed"));
    /// ```
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, FlowError> {
        serde_json::from_slice(&self.body).map_err(|error| {
            FlowError::Reject(format!("the body of the answer with status {} does not fit: {error}", self.status))
        })
    }

    /// The body as text; what is no UTF-8 is replaced by `\u{fffd}`.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The first header of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}
