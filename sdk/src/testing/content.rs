//! Content of every kind that a contact can send.

use crate::{
    Audio, CallPermissionReply, Choice, ContactCard, ContactPhone, Content, Edit, FormReply, Location, Media, Order,
    OrderItem, PlatformError, Reaction, Revoke, Sticker, SystemNotice, TemplateButton, Text, Unsupported,
};

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn media(mime_type: &str) -> Media {
    Media { id: "media-1".to_owned(), mime_type: some(mime_type), sha256: None, caption: None, filename: None }
}

/// A text.
pub fn text(body: impl Into<String>) -> Content {
    Content::Text(Text { body: body.into() })
}

/// A picture with a caption.
pub fn image() -> Content {
    Content::Image(Media { caption: some("look"), ..media("image/jpeg") })
}

/// A film.
pub fn video() -> Content {
    Content::Video(media("video/mp4"))
}

/// A voice message.
pub fn audio() -> Content {
    Content::Audio(Audio { id: "media-1".to_owned(), mime_type: some("audio/ogg"), sha256: None, voice: true })
}

/// A file.
pub fn document() -> Content {
    Content::Document(Media { filename: some("invoice.pdf"), ..media("application/pdf") })
}

/// A sticker.
pub fn sticker() -> Content {
    let mime_type = some("image/webp");
    Content::Sticker(Sticker { id: "media-1".to_owned(), mime_type, sha256: None, animated: false })
}

/// A place.
pub fn location() -> Content {
    Content::Location(Location {
        latitude: 52.5163,
        longitude: 13.3777,
        name: some("Brandenburger Tor"),
        address: None,
        url: None,
    })
}

/// A contact card.
pub fn contacts() -> Content {
    Content::Contacts(vec![ContactCard {
        formatted_name: "Grace Hopper".to_owned(),
        phones: vec![ContactPhone { phone: "+1 555 000 3333".to_owned(), wa_id: some("15550003333") }],
        emails: vec!["grace@example.com".to_owned()],
        raw: "{}".to_owned(),
    }])
}

/// A reaction to a sent message.
pub fn reaction(emoji: impl Into<String>) -> Content {
    Content::Reaction(Reaction { message_id: "wamid.SENT1".to_owned(), emoji: Some(emoji.into()) })
}

/// A reaction taken back.
pub fn reaction_removed() -> Content {
    Content::Reaction(Reaction { message_id: "wamid.SENT1".to_owned(), emoji: None })
}

/// A tap on a reply button.
pub fn button_reply(id: impl Into<String>, title: impl Into<String>) -> Content {
    Content::ButtonReply(Choice { id: id.into(), title: title.into(), description: None })
}

/// A choice from a list.
pub fn list_reply(id: impl Into<String>, title: impl Into<String>) -> Content {
    Content::ListReply(Choice { id: id.into(), title: title.into(), description: None })
}

/// A completed WhatsApp Flow with these answers.
pub fn form_reply(response_json: impl Into<String>) -> Content {
    Content::FormReply(FormReply { name: some("flow"), body: some("Sent"), response_json: response_json.into() })
}

/// Permission to call, given for good.
pub fn call_permission_reply() -> Content {
    Content::CallPermissionReply(CallPermissionReply { response: "accept".to_owned(), expires_at: None })
}

/// A tap on a quick-reply button of a template.
pub fn template_button(text: impl Into<String>, payload: impl Into<String>) -> Content {
    Content::TemplateButton(TemplateButton { text: text.into(), payload: Some(payload.into()) })
}

/// An order of two of one thing.
pub fn order() -> Content {
    Content::Order(Order {
        catalog_id: "catalog-1".to_owned(),
        text: None,
        items: vec![OrderItem {
            product_retailer_id: "sku-1".to_owned(),
            quantity: 2,
            item_price: "9.99".to_owned(),
            currency: "EUR".to_owned(),
        }],
    })
}

/// The contact has a new number.
pub fn system() -> Content {
    Content::System(SystemNotice {
        kind: "user_changed_number".to_owned(),
        body: some("Ada changed her number"),
        wa_id: some("15550009999"),
        user_id: None,
    })
}

/// The contact edited a message.
pub fn edit(body: impl Into<String>) -> Content {
    Content::Edit(Edit { message_id: "wamid.TEST1".to_owned(), body: Some(body.into()) })
}

/// The contact deleted a message.
pub fn revoke() -> Content {
    Content::Revoke(Revoke { message_id: "wamid.TEST1".to_owned() })
}

/// Meta cannot deliver what the contact sent.
pub fn unsupported() -> Content {
    let error = PlatformError { code: 131_051, title: "Unsupported message type".to_owned(), details: None };
    Content::Unsupported(Unsupported { errors: vec![error] })
}

/// A kind that this contract does not know.
pub fn unknown(kind: impl Into<String>) -> Content {
    Content::Unknown(kind.into())
}

/// One of every kind, for a flow that must cope with all of them.
pub fn every_kind() -> Vec<Content> {
    vec![
        text("hi"),
        image(),
        video(),
        audio(),
        document(),
        sticker(),
        location(),
        contacts(),
        reaction("\u{1f44d}"),
        reaction_removed(),
        button_reply("yes", "Yes"),
        list_reply("1", "One"),
        form_reply("{}"),
        call_permission_reply(),
        template_button("Stop", "stop"),
        order(),
        system(),
        edit("hello"),
        revoke(),
        unsupported(),
        unknown("hologram"),
    ]
}
