//! What a send says: to whom, and one kind of content.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use hoopoe_protocol::outbound::typed::{Card, File, Interactive, Message, Place, Reaction, Read, Template, Text};
use hoopoe_protocol::outbound::{Content, Invalid};
use serde::de::value::MapAccessDeserializer;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::error::{ApiError, bad_request, invalid_field};
use crate::send::Addressed;
use crate::send_at::{SendAt, checked_time};

/// Longest validity of a message, in seconds: 30 days.
const LONGEST_VALIDITY: u32 = 30 * 24 * 60 * 60;
/// Most requests that a sender may ask for.
const MOST_ATTEMPTS: i32 = 20;

/// A message to send: `to` and one of the kinds of content. Kinds and their fields are those of Meta's reference.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SendBody {
    /// The recipient: a phone number with its country code, or Meta's business-scoped user id.
    #[schema(example = "+919012345678")]
    to: String,
    /// 1 to 4096 characters; or an object that can ask for a preview of the first link.
    #[serde(default)]
    #[schema(example = "Hello there")]
    text: Option<TextBody>,
    /// A picture.
    #[serde(default)]
    #[schema(example = json!({"link": "https://example.com/shoe.jpg", "caption": "Your new shoe"}))]
    image: Option<File>,
    /// A video.
    #[serde(default)]
    #[schema(example = json!({"id": "1013859600285441"}))]
    video: Option<File>,
    /// A sound; no caption.
    #[serde(default)]
    #[schema(example = json!({"link": "https://example.com/hello.ogg", "voice": true}))]
    audio: Option<File>,
    /// A file.
    #[serde(default)]
    #[schema(example = json!({"link": "https://example.com/invoice.pdf", "filename": "invoice.pdf"}))]
    document: Option<File>,
    /// A sticker; no caption.
    #[serde(default)]
    #[schema(example = json!({"id": "798882015472548"}))]
    sticker: Option<File>,
    /// A place.
    #[serde(default)]
    #[schema(example = json!({"latitude": 52.52, "longitude": 13.405, "name": "Our shop"}))]
    location: Option<Place>,
    /// 1 to 257 contact cards.
    #[serde(default)]
    #[schema(example = json!([{"name": {"formatted_name": "Ada Lovelace", "first_name": "Ada"},
        "phones": [{"phone": "+44 20 7946 0000"}]}]))]
    contacts: Option<Vec<Card>>,
    /// A reaction to a message of the contact.
    #[serde(default)]
    #[schema(example = json!({"message_id": "wamid.HBgL", "emoji": "👍"}))]
    reaction: Option<Reaction>,
    /// Something to tap: buttons, a list, a link, a form, products.
    #[serde(default)]
    #[schema(example = json!({"type": "button", "body": {"text": "Shall we deliver today?"}, "action": {"buttons":
        [{"type": "reply", "reply": {"id": "yes", "title": "Yes"}}, {"type": "reply", "reply": {"id": "no", "title": "No"}}]}}))]
    interactive: Option<Interactive>,
    /// A template that Meta has approved. `POST /tenants/{id}/send/template` sends one that is kept here.
    #[serde(default)]
    #[schema(example = json!({"name": "order_confirmation", "language": {"code": "en_US"}, "components":
        [{"type": "body", "parameters": [{"type": "text", "parameter_name": "first_name", "text": "Sam"}]}]}))]
    template: Option<Template>,
    /// Tells the contact that a message was read, and perhaps that an answer is being written. It takes its turn among
    /// the messages to this contact.
    #[serde(default)]
    #[schema(example = json!({"message_id": "wamid.HBgL", "typing": true}))]
    read: Option<Read>,
    /// A Graph API message without recipient: an object with `type` and the object of that type. For kinds and fields
    /// that Meta has and this service does not know; known ones are checked as above.
    #[serde(default)]
    #[schema(value_type = Option<Object>, example = json!({"type": "text", "text": {"body": "Hello there"}}))]
    payload: Option<Map<String, Value>>,
    /// Answer this message, by Meta's id; not with `reaction` and `read`.
    #[serde(default, alias = "replyTo")]
    reply_to: Option<String>,
    /// Unique per tenant, 1 to 256 characters: a second request with the same key sends nothing.
    #[serde(default, alias = "idempotencyKey")]
    #[schema(example = "order-1234")]
    idempotency_key: Option<String>,
    /// The number to send from, by Meta's id; the tenant's default number when absent.
    #[serde(default)]
    from: Option<String>,
    /// Not before this moment, up to 90 days ahead: RFC 3339 with an offset, or Unix seconds. At once when absent.
    #[serde(default, alias = "sendAt")]
    #[schema(value_type = Option<SendAt>, example = "2026-03-01T09:00:00+05:30")]
    send_at: Option<Value>,
    /// Seconds after which it is not worth sending any more, counted from `send_at` or now, 1 to 2,592,000; the host's
    /// MESSAGE_VALIDITY when absent.
    #[serde(default, alias = "expiresIn")]
    expires_in: Option<u32>,
    /// Requests to Meta at the most, 1 to 20, but for those that Meta refuses because of the number; the host's
    /// DELIVERY_RETRIES and one when absent.
    #[serde(default, alias = "maxAttempts")]
    max_attempts: Option<i32>,
    /// It is marketing: refused (409, `opted_out`) for contacts that have opted out of that, and (400) on Messenger and
    /// Instagram, where opt-out is not known. A template of which Meta has told that its category is `MARKETING` is so
    /// anyway.
    #[serde(default)]
    marketing: bool,
}

/// A text, as a string or as Meta has it.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = SendTextBody)]
enum TextBody {
    Plain(String),
    Full(Text),
}

impl<'de> Deserialize<'de> for TextBody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = TextBody;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, or an object with body")
            }

            fn visit_str<E>(self, text: &str) -> Result<TextBody, E> {
                Ok(TextBody::Plain(text.to_owned()))
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<TextBody, A::Error> {
                Text::deserialize(MapAccessDeserializer::new(map)).map(TextBody::Full)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// What one of the fields holds.
enum Given {
    /// A text as a string: the request has one field where Meta has an object.
    Plain(String),
    Typed(Box<Message>),
    Raw(Map<String, Value>),
}

impl SendBody {
    /// Whom it goes to, and the Graph API message.
    pub fn checked(mut self, now: DateTime<Utc>) -> Result<(Addressed, Value), ApiError> {
        let payload = self.payload()?;
        let mut address = Addressed::check(&self.to, self.from, self.idempotency_key)?;
        if self.max_attempts.is_some_and(|attempts| !(1..=MOST_ATTEMPTS).contains(&attempts)) {
            return Err(invalid_field("max_attempts", format!("give it 1 to {MOST_ATTEMPTS}")));
        }
        address.send_at = checked_time(self.send_at, now)?;
        (address.validity, address.max_attempts) = (checked_validity(self.expires_in)?, self.max_attempts);
        address.marketing = self.marketing;
        Ok((address, payload))
    }

    fn payload(&mut self) -> Result<Value, ApiError> {
        let reply_to = self.reply_to.as_deref();
        let (name, given) = Self::one(&mut [
            (
                "text",
                self.text.take().map(|text| match text {
                    TextBody::Plain(body) => Given::Plain(body),
                    TextBody::Full(text) => typed(Message::Text(text)),
                }),
            ),
            ("image", self.image.take().map(|it| typed(Message::Image(it)))),
            ("video", self.video.take().map(|it| typed(Message::Video(it)))),
            ("audio", self.audio.take().map(|it| typed(Message::Audio(it)))),
            ("document", self.document.take().map(|it| typed(Message::Document(it)))),
            ("sticker", self.sticker.take().map(|it| typed(Message::Sticker(it)))),
            ("location", self.location.take().map(|it| typed(Message::Location(it)))),
            ("contacts", self.contacts.take().map(|it| typed(Message::Contacts(it)))),
            ("reaction", self.reaction.take().map(|it| typed(Message::Reaction(it)))),
            ("interactive", self.interactive.take().map(|it| typed(Message::Interactive(it.into())))),
            ("template", self.template.take().map(|it| typed(Message::Template(it)))),
            ("read", self.read.take().map(|it| typed(Message::Read(it)))),
            ("payload", self.payload.take().map(Given::Raw)),
        ])?;
        let refused = |Invalid { field, message }: Invalid| invalid_field(&field, message);
        match given {
            Given::Plain(body) => {
                let text = Message::Text(Text { body, preview_url: false });
                text.payload(reply_to).map_err(|invalid| match invalid.field.as_str() {
                    "text.body" => invalid_field(name, invalid.message),
                    _ => refused(invalid),
                })
            }
            Given::Typed(message) => message.payload(reply_to).map_err(refused),
            Given::Raw(object) => {
                Content::Raw(object).payload(reply_to).map_err(|invalid| match invalid.field.as_str() {
                    "reply_to" => refused(invalid),
                    field => invalid_field(&format!("{name}.{field}"), invalid.message),
                })
            }
        }
    }

    /// The one field that is given.
    fn one(fields: &mut [(&'static str, Option<Given>)]) -> Result<(&'static str, Given), ApiError> {
        let given: Vec<_> = fields.iter().filter(|(_, given)| given.is_some()).map(|(name, _)| *name).collect();
        match given.as_slice() {
            [] => {
                let names: Vec<_> = fields.iter().map(|(name, _)| *name).collect();
                Err(bad_request(format!("there is nothing to send; give one of {}", names.join(", "))))
            }
            [name] => {
                let found = fields.iter_mut().find_map(|(_, given)| given.take());
                found.map(|given| (*name, given)).ok_or_else(|| bad_request("there is nothing to send"))
            }
            several => Err(bad_request(format!("{}: give one of them, not several", several.join(" and ")))),
        }
    }
}

fn typed(message: Message) -> Given {
    Given::Typed(Box::new(message))
}

/// How long a message is worth sending, by the field `expires_in`.
pub fn checked_validity(seconds: Option<u32>) -> Result<Option<TimeDelta>, ApiError> {
    match seconds {
        Some(1..=LONGEST_VALIDITY) | None => Ok(seconds.map(|seconds| TimeDelta::seconds(seconds.into()))),
        Some(_) => Err(invalid_field("expires_in", format!("give it 1 to {LONGEST_VALIDITY} seconds"))),
    }
}
