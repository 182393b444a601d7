//! From an event to what a flow is given: the same kinds of content as a WhatsApp message has.
//!
//! Files come without an id: their URL, valid for some time, stands in its place. Of several attachments the first is
//! the content; all of them are in the raw item.

use serde_json::json;

use super::{Attachment, Event, Kind, Message, Referral};
use crate::message::{
    self, Audio, Choice, Content, Edit, Location, Media, Reaction, ReplyTo, Revoke, Sticker, Text, Unsupported,
};

/// What a person did, as a message.
#[derive(Debug, Clone, PartialEq)]
pub struct Inbound {
    /// Unique per channel and event; absent when Meta's item has nothing to make one from. Of a message it is Meta's id.
    pub id: Option<String>,
    /// The kind as in WhatsApp: `text`, `image`, `interactive`, `reaction`, ...; or Meta's word.
    pub kind: String,
    /// What a list of messages shows.
    pub preview: Option<String>,
    /// The content.
    pub message: message::Message,
}

/// What a person did; nothing for echoes, deliveries, reads, and what has no meaning here ([`Kind::Other`]).
pub fn inbound(event: &Event) -> Option<Inbound> {
    // One message can be edited, or reacted to, again and again.
    let then = |of: &str, what: &str| event.timestamp.map(|at| format!("{of}/{what}/{at}"));
    let plain = |content: Content| (content, None, None);
    let (id, (content, reply_to, referral)) = match &event.kind {
        Kind::Message(message) => (Some(message.id.clone()), read(message)),
        Kind::Postback { id, title, payload, referral } => {
            let id = id.clone().or_else(|| then(&event.person, "postback"));
            (id, (choice(payload.as_ref(), title.as_ref()), None, referral.as_ref().map(came)))
        }
        Kind::Reaction { id: message_id, emoji } => {
            let reaction = Reaction { message_id: message_id.clone(), emoji: emoji.clone() };
            (then(message_id, "reaction"), plain(Content::Reaction(reaction)))
        }
        Kind::Edited { id: message_id, text } => {
            let edit = Edit { message_id: message_id.clone(), body: text.clone() };
            (then(message_id, "edit"), plain(Content::Edit(edit)))
        }
        Kind::Deleted { id } => {
            let revoke = Revoke { message_id: id.clone() };
            (Some(format!("{id}/deleted")), plain(Content::Revoke(revoke)))
        }
        Kind::Referral(referral) => {
            (then(&event.person, "referral"), (Content::Unknown("referral".to_owned()), None, Some(came(referral))))
        }
        Kind::Echo(_) | Kind::Delivery { .. } | Kind::Read { .. } | Kind::Other(_) => return None,
    };
    let message = message::Message {
        id: id.clone().unwrap_or_default(),
        timestamp: event.timestamp,
        content,
        reply_to,
        referral,
        group_id: None,
        errors: Vec::new(),
    };
    Some(Inbound {
        id,
        kind: message.content.kind().to_owned(),
        preview: message::preview_of(&message.content),
        message,
    })
}

impl Message {
    /// Its kind and text, as a list of messages shows them; also of an echo.
    pub fn shown(&self) -> (String, Option<String>) {
        let (content, ..) = read(self);
        (content.kind().to_owned(), message::preview_of(&content))
    }
}

type Read = (Content, Option<ReplyTo>, Option<message::Referral>);

fn read(message: &Message) -> Read {
    let content = match (&message.quick_reply, message.attachments.first(), &message.text) {
        (Some(payload), _, title) => choice(Some(payload), title.as_ref()),
        (None, Some(first), text) => attached(first, text.as_ref()),
        (None, None, Some(text)) => Content::Text(Text { body: text.clone() }),
        (None, None, None) if message.unsupported => Content::Unsupported(Unsupported { errors: Vec::new() }),
        (None, None, None) => Content::Unknown("unknown".to_owned()),
    };
    let reply_to = message.reply_to.clone().map(|id| ReplyTo {
        message_id: Some(id),
        forwarded: false,
        frequently_forwarded: false,
        from: None,
        product: None,
    });
    let story = message.story.as_ref().map(|story| message::Referral {
        source_type: Some("story".to_owned()),
        source_id: story.id.clone(),
        source_url: story.url.clone(),
        ..nothing()
    });
    (content, reply_to, message.referral.as_ref().map(came).or(story))
}

fn choice(payload: Option<&String>, title: Option<&String>) -> Content {
    let id = payload.or(title).cloned().unwrap_or_default();
    Content::ButtonReply(Choice { id, title: title.or(payload).cloned().unwrap_or_default(), description: None })
}

fn attached(it: &Attachment, text: Option<&String>) -> Content {
    let file = |url: &String| Media {
        id: url.clone(),
        mime_type: None,
        sha256: None,
        caption: text.cloned(),
        filename: it.title.clone().filter(|_| it.kind == "file"),
    };
    let known = match (it.kind.as_str(), &it.url) {
        ("image", Some(url)) if it.sticker_id.is_some() => {
            Some(Content::Sticker(Sticker { id: url.clone(), mime_type: None, sha256: None, animated: false }))
        }
        ("image", Some(url)) => Some(Content::Image(file(url))),
        ("video" | "reel" | "ig_reel", Some(url)) => Some(Content::Video(file(url))),
        ("file", Some(url)) => Some(Content::Document(file(url))),
        ("audio", Some(url)) => {
            Some(Content::Audio(Audio { id: url.clone(), mime_type: None, sha256: None, voice: false }))
        }
        ("location", url) => it.place.map(|(latitude, longitude)| {
            let (name, url) = (it.title.clone(), url.clone());
            Content::Location(Location { latitude, longitude, name, address: None, url })
        }),
        _ => None,
    };
    // The preview of a link beside a text (`fallback`), a shared post: the text is what the person says.
    known.unwrap_or_else(|| match text {
        Some(text) => Content::Text(Text { body: text.clone() }),
        None => Content::Unknown(it.kind.clone()),
    })
}

fn came(referral: &Referral) -> message::Referral {
    message::Referral {
        source_type: referral.source.clone(),
        source_id: referral.ad_id.clone().or_else(|| referral.product_id.clone()),
        source_url: referral.url.clone(),
        headline: referral.ad_title.clone(),
        body: referral.reference.clone(),
        ..nothing()
    }
}

fn nothing() -> message::Referral {
    message::Referral {
        source_type: None,
        source_id: None,
        source_url: None,
        headline: None,
        body: None,
        ctwa_clid: None,
        media_type: None,
        image_url: None,
        video_url: None,
        thumbnail_url: None,
    }
}

/// Progress of one message as an item of WhatsApp's `statuses[]` ([`crate::status::parse`]): an event of these platforms
/// may tell of many messages, and of some only by a moment. `at` is in milliseconds; Meta's second is kept.
pub fn status_item(message_id: &str, status: &str, at: i64, person: &str, callback_data: Option<&str>) -> String {
    let mut item = json!({
        "id": message_id,
        "status": status,
        "timestamp": (at / 1000).to_string(),
        "recipient_user_id": person,
    });
    if let Some(ours) = callback_data {
        item["biz_opaque_callback_data"] = json!(ours);
    }
    item.to_string()
}
