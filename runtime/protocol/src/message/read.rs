//! From an item of `messages[]` to its [`Content`], and from that to the line that a list of messages shows.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{ContactCard, ContactPhone, Content, Edit, Unsupported, Wire};
use crate::wire;

/// The content that the item's type names; [`Content::Unknown`] when it is not there or cannot be read.
pub(super) fn content(item: &Wire<'_>) -> Content {
    let kind = item.kind();
    known(&kind, item).unwrap_or(Content::Unknown(kind))
}

fn known(kind: &str, item: &Wire<'_>) -> Option<Content> {
    Some(match kind {
        "text" => Content::Text(wire::parse(item.text?)?),
        "image" => Content::Image(wire::parse(item.image?)?),
        "video" => Content::Video(wire::parse(item.video?)?),
        "audio" => Content::Audio(wire::parse(item.audio?)?),
        "document" => Content::Document(wire::parse(item.document?)?),
        "sticker" => Content::Sticker(wire::parse(item.sticker?)?),
        "location" => Content::Location(wire::parse(item.location?)?),
        "contacts" => Content::Contacts(wire::parse::<Vec<&RawValue>>(item.contacts?)?.into_iter().map(card).collect()),
        "reaction" => {
            let mut reaction: super::Reaction = wire::parse(item.reaction?)?;
            reaction.emoji = reaction.emoji.filter(|emoji| !emoji.is_empty());
            Content::Reaction(reaction)
        }
        "interactive" => interactive(item.interactive?)?,
        "button" => Content::TemplateButton(wire::parse(item.button?)?),
        "order" => Content::Order(wire::parse(item.order?)?),
        "system" => Content::System(wire::parse(item.system?)?),
        "edit" => Content::Edit(edit(item.edit?)?),
        "revoke" => Content::Revoke(wire::parse(item.revoke?)?),
        // Meta called it `unknown` until 2025.
        "unsupported" | "unknown" if kind == "unsupported" || item.errors.is_some() => {
            Content::Unsupported(Unsupported { errors: wire::errors(item.errors) })
        }
        _ => return None,
    })
}

fn interactive(raw: &RawValue) -> Option<Content> {
    #[derive(Deserialize)]
    struct Interactive<'a> {
        #[serde(borrow)]
        button_reply: Option<&'a RawValue>,
        list_reply: Option<&'a RawValue>,
        nfm_reply: Option<&'a RawValue>,
        call_permission_reply: Option<&'a RawValue>,
    }
    let interactive: Interactive = wire::parse(raw)?;
    None.or_else(|| interactive.button_reply.and_then(wire::parse).map(Content::ButtonReply))
        .or_else(|| interactive.list_reply.and_then(wire::parse).map(Content::ListReply))
        .or_else(|| interactive.nfm_reply.and_then(wire::parse).map(Content::FormReply))
        .or_else(|| interactive.call_permission_reply.and_then(wire::parse).map(Content::CallPermissionReply))
}

/// A card without a name, or with broken parts, is still a card.
fn card(raw: &RawValue) -> ContactCard {
    #[derive(Deserialize, Default)]
    struct Card<'a> {
        #[serde(borrow)]
        name: Option<&'a RawValue>,
        phones: Option<&'a RawValue>,
        emails: Option<&'a RawValue>,
    }
    #[derive(Deserialize)]
    struct Name {
        #[serde(deserialize_with = "wire::required")]
        formatted_name: String,
    }
    #[derive(Deserialize)]
    struct Email {
        #[serde(deserialize_with = "wire::required")]
        email: String,
    }
    let card: Card = wire::parse(raw).unwrap_or_default();
    ContactCard {
        formatted_name: card.name.and_then(wire::parse::<Name>).map_or_else(String::new, |name| name.formatted_name),
        phones: wire::list(card.phones).into_iter().filter_map(wire::parse::<ContactPhone>).collect(),
        emails: wire::list(card.emails).into_iter().filter_map(wire::parse::<Email>).map(|it| it.email).collect(),
        raw: raw.get().to_owned(),
    }
}

/// The new message stands inside the edit, with a type and content of its own.
fn edit(raw: &RawValue) -> Option<Edit> {
    #[derive(Deserialize)]
    struct Edited<'a> {
        #[serde(deserialize_with = "wire::required")]
        original_message_id: String,
        #[serde(borrow)]
        message: Option<&'a RawValue>,
    }
    let edited: Edited = wire::parse(raw)?;
    // An edit inside an edit is no message: looking no deeper keeps this from recursing with the input.
    let body = edited.message.and_then(wire::parse::<Wire>).filter(|inner| inner.kind() != "edit");
    Some(Edit {
        message_id: edited.original_message_id,
        body: body.and_then(|inner| match content(&inner) {
            Content::Text(text) => Some(text.body),
            Content::Image(media) | Content::Video(media) | Content::Document(media) => media.caption,
            _ => None,
        }),
    })
}

/// What a list of messages shows: text, caption, the title of what was tapped.
pub(super) fn preview(content: &Content) -> Option<String> {
    let text = match content {
        Content::Text(text) => Some(&text.body),
        Content::Image(media) | Content::Video(media) => media.caption.as_ref(),
        Content::Document(media) => media.caption.as_ref().or(media.filename.as_ref()),
        Content::Location(place) => place.name.as_ref().or(place.address.as_ref()),
        Content::Contacts(cards) => cards.first().map(|card| &card.formatted_name),
        Content::Reaction(reaction) => reaction.emoji.as_ref(),
        Content::ButtonReply(choice) | Content::ListReply(choice) => Some(&choice.title),
        Content::FormReply(form) => form.body.as_ref(),
        Content::CallPermissionReply(reply) => Some(&reply.response),
        Content::TemplateButton(button) => Some(&button.text),
        Content::Order(order) => order.text.as_ref(),
        Content::System(notice) => notice.body.as_ref(),
        Content::Edit(edit) => edit.body.as_ref(),
        Content::Unsupported(unsupported) => unsupported.errors.first().map(|error| &error.title),
        Content::Audio(_) | Content::Sticker(_) | Content::Revoke(_) | Content::Unknown(_) => None,
    };
    text.filter(|text| !text.is_empty()).map(|text| wire::clip(text, 4096))
}
