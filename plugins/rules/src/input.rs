//! Events in the words of rules.

use hoopoe_rules::Moment;
use hoopoe_sdk::{Content, Event};

use crate::TIMER;

/// What rules are tried on; `None` for what they do not know.
pub(crate) fn moment(event: &Event) -> Option<Moment<'_>> {
    match event {
        Event::Message(message) => {
            let (kind, text, reply) = message_parts(&message.content);
            Some(Moment::Message { kind, text, reply })
        }
        Event::Timer(timer) if timer.name == TIMER => Some(Moment::Timeout { payload: &timer.payload }),
        _ => None,
    }
}

type Parts<'a> = (&'static str, Option<&'a str>, Option<(&'a str, &'a str)>);

/// The kind of message, its words, and what was chosen.
fn message_parts(content: &Content) -> Parts<'_> {
    match content {
        Content::Text(text) => ("text", Some(&text.body), None),
        Content::Image(file) => ("image", file.caption.as_deref(), None),
        Content::Video(file) => ("video", file.caption.as_deref(), None),
        Content::Document(file) => ("document", file.caption.as_deref(), None),
        Content::Audio(_) => ("audio", None, None),
        Content::Sticker(_) => ("sticker", None, None),
        Content::Location(_) => ("location", None, None),
        Content::Contacts(_) => ("contacts", None, None),
        Content::Reaction(_) => ("reaction", None, None),
        Content::ButtonReply(choice) => ("button_reply", Some(&choice.title), Some((&choice.id, &choice.title))),
        Content::ListReply(choice) => ("list_reply", Some(&choice.title), Some((&choice.id, &choice.title))),
        Content::TemplateButton(button) => {
            let id = button.payload.as_deref().unwrap_or(&button.text);
            ("template_button", Some(&button.text), Some((id, &button.text)))
        }
        Content::FormReply(_) => ("form_reply", None, None),
        Content::CallPermissionReply(_) => ("call_permission_reply", None, None),
        Content::Order(order) => ("order", order.text.as_deref(), None),
        Content::System(_) => ("system", None, None),
        Content::Edit(edit) => ("edit", edit.body.as_deref(), None),
        Content::Revoke(_) => ("revoke", None, None),
        Content::Unsupported(_) => ("unsupported", None, None),
        Content::Unknown(_) => ("unknown", None, None),
    }
}
