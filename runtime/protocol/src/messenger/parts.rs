//! A message of Messenger or Instagram and what it is made of.

use serde_json::value::RawValue;

use super::is_true;
use crate::wire::{self, Object};

/// A message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Meta's id.
    pub id: String,
    /// Its text.
    pub text: Option<String>,
    /// The payload of the quick reply that was tapped.
    pub quick_reply: Option<String>,
    /// Meta's id of the message that it answers.
    pub reply_to: Option<String>,
    /// The story that it answers (Instagram).
    pub story: Option<Story>,
    /// How the person came.
    pub referral: Option<Referral>,
    /// What is attached.
    pub attachments: Vec<Attachment>,
    /// Echoes: the application that sent it; absent for what people wrote in Meta's own inbox.
    pub app_id: Option<String>,
    /// Echoes: what the sender attached to the message.
    pub metadata: Option<String>,
    /// Meta does not show this kind of message to applications (Instagram).
    pub unsupported: bool,
}

/// A file, place or shared post.
#[derive(Debug, Clone, PartialEq)]
pub struct Attachment {
    /// For example `image`, `video`, `audio`, `file`, `location`, `story_mention`, `share`.
    pub kind: String,
    /// Where it is; valid for some time.
    pub url: Option<String>,
    /// Its title.
    pub title: Option<String>,
    /// Of an image that is a sticker: Meta's id of it.
    pub sticker_id: Option<String>,
    /// Of a place: latitude and longitude in degrees.
    pub place: Option<(f64, f64)>,
}

/// A story of the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    /// Meta's id of it.
    pub id: Option<String>,
    /// Where it is.
    pub url: Option<String>,
}

/// How a person came: a link, an advertisement, a shop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referral {
    /// What the link or advertisement carries.
    pub reference: Option<String>,
    /// `ADS`, `SHORTLINK`, `CUSTOMER_CHAT_PLUGIN`, ...
    pub source: Option<String>,
    /// Meta's id of the advertisement.
    pub ad_id: Option<String>,
    /// The page that the person came from.
    pub url: Option<String>,
    /// The title of the advertisement.
    pub ad_title: Option<String>,
    /// Meta's id of the product that the person asks about.
    pub product_id: Option<String>,
}

impl Message {
    pub(super) fn read(id: String, it: &Object<'_>) -> Message {
        let reply = it.object("reply_to");
        let story = reply.object("story");
        let story = Story { id: story.text("id"), url: story.text("url") };
        Message {
            id,
            text: it.text("text"),
            quick_reply: it.object("quick_reply").text("payload"),
            reply_to: reply.text("mid").filter(|id| id.len() <= wire::MAX_ID),
            story: Some(story).filter(|story| story.id.is_some() || story.url.is_some()),
            referral: referral(it),
            attachments: it.list("attachments").into_iter().filter_map(attachment).collect(),
            app_id: it.text("app_id"),
            metadata: it.text("metadata"),
            unsupported: is_true(it, "is_unsupported"),
        }
    }
}

fn attachment(raw: &RawValue) -> Option<Attachment> {
    let it = Object::read(raw.get())?;
    let payload = it.object("payload");
    let place = payload.object("coordinates");
    let degrees = |name: &str| place.get(name).and_then(wire::text)?.parse::<f64>().ok().filter(|it| it.is_finite());
    Some(Attachment {
        kind: it.text("type").map(|kind| wire::clip(&kind, 100))?,
        url: payload.text("url").or_else(|| it.text("url")),
        title: payload.text("title").or_else(|| it.text("title")),
        sticker_id: payload.text("sticker_id").or_else(|| it.text("sticker_id")),
        place: degrees("lat").zip(degrees("long")),
    })
}

/// The referral of a message or postback, when there is one.
pub(super) fn referral(it: &Object<'_>) -> Option<Referral> {
    it.get("referral").and_then(|raw| Object::read(raw.get())).map(|it| Referral::read(&it))
}

impl Referral {
    pub(super) fn read(it: &Object<'_>) -> Referral {
        Referral {
            reference: it.text("ref"),
            source: it.text("source"),
            ad_id: it.text("ad_id"),
            url: it.text("referer_uri"),
            ad_title: it.object("ads_context_data").text("ad_title"),
            product_id: it.object("product").text("id"),
        }
    }
}
