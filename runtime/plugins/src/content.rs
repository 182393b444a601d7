//! What plugins want to send, as the protocol has it.

use hoopoe_protocol::outbound::{Button, Content, Media, Row, Section, Source};
use hoopoe_sandbox::contract::{MediaSource, SendContent, SendMedia};
use serde_json::Value;

/// What a plugin wants to send, as the protocol's content; limits are checked by [`Content::payload`]. A stored template
/// has to be rendered first.
pub fn send_content(content: &SendContent) -> Result<Content, String> {
    Ok(match content {
        SendContent::Text(text) => Content::Text { body: text.body.clone(), preview_url: text.preview_url },
        SendContent::Image(file) => Content::Image(media(file)),
        SendContent::Video(file) => Content::Video(media(file)),
        SendContent::Audio(file) => Content::Audio(media(file)),
        SendContent::Document(file) => Content::Document(media(file)),
        SendContent::Sticker(file) => Content::Sticker(media(file)),
        SendContent::Location(place) => Content::Location {
            latitude: place.latitude,
            longitude: place.longitude,
            name: place.name.clone(),
            address: place.address.clone(),
        },
        SendContent::Reaction(reaction) => {
            Content::Reaction { message_id: reaction.message_id.clone(), emoji: reaction.emoji.clone() }
        }
        SendContent::Buttons(buttons) => Content::Buttons {
            body: buttons.body.clone(),
            header: buttons.header.clone(),
            footer: buttons.footer.clone(),
            buttons: buttons
                .buttons
                .iter()
                .map(|button| Button { id: button.id.clone(), title: button.title.clone() })
                .collect(),
        },
        SendContent::List(list) => Content::List {
            body: list.body.clone(),
            header: list.header.clone(),
            footer: list.footer.clone(),
            button: list.button.clone(),
            sections: list
                .sections
                .iter()
                .map(|section| Section {
                    title: section.title.clone(),
                    rows: section
                        .rows
                        .iter()
                        .map(|row| Row {
                            id: row.id.clone(),
                            title: row.title.clone(),
                            description: row.description.clone(),
                        })
                        .collect(),
                })
                .collect(),
        },
        SendContent::Template(template) => Content::Template {
            name: template.name.clone(),
            language: template.language.clone(),
            components: serde_json::from_str(&template.components)
                .map_err(|error| format!("template.components: not JSON: {error}"))?,
        },
        SendContent::Stored(template) => {
            return Err(format!("stored: the template {} has to be rendered first", template.key));
        }
        SendContent::Raw(json) => match serde_json::from_str(json) {
            Ok(Value::Object(object)) => Content::Raw(object),
            Ok(_) => return Err("raw: not a JSON object".to_owned()),
            Err(error) => return Err(format!("raw: not JSON: {error}")),
        },
    })
}

fn media(file: &SendMedia) -> Media {
    let source = match &file.source {
        MediaSource::Id(id) => Source::Id(id.clone()),
        MediaSource::Link(link) => Source::Link(link.clone()),
    };
    Media { source, caption: file.caption.clone(), filename: file.filename.clone() }
}
