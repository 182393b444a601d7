//! Free text: an ordinary message.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::limits::{BODY, BUTTON, BUTTON_ID, FILENAME, FOOTER, HEADER, MEDIA_ID, TEXT, URL};
use crate::template::{ButtonKind, Header, MediaKind, Place, Rendered, Source, Template};
use crate::text::Text;
use crate::values::Values;

/// A header with its values.
pub(crate) enum Filled {
    Text(String),
    Media { kind: MediaKind, source: Source, filename: Option<String> },
}

pub(crate) fn render(template: &Template, values: &mut Values<'_>) -> Rendered {
    let header = template.header.as_ref().map(|header| fill_header(header, values));
    let with_file = matches!(header, Some(Filled::Media { .. }));
    let interactive = !template.buttons.is_empty();
    let body = values.text(&template.body, if interactive || with_file { BODY } else { TEXT });
    let footer = template.footer.as_ref().map(|footer| values.text(footer, FOOTER));
    match template.buttons.first().map(|button| &button.kind) {
        None => plain(template, header, body, footer, values),
        Some(ButtonKind::Url { text, url }) => {
            let parameters = json!({ "display_text": values.text(text, BUTTON), "url": values.url(url, URL) });
            let action = json!({ "name": "cta_url", "parameters": parameters });
            interactive_payload("cta_url", header, &body, footer, action)
        }
        Some(_) => {
            let buttons = replies(template, values);
            match header {
                Some(file @ Filled::Media { .. }) => {
                    let reply = |(id, title): &(String, String)| json!({ "type": "reply", "reply": { "id": id, "title": title } });
                    let action = json!({ "buttons": buttons.iter().map(reply).collect::<Vec<_>>() });
                    interactive_payload("button", Some(file), &body, footer, action)
                }
                Some(Filled::Text(header)) => Rendered::Buttons { header: Some(header), body, footer, buttons },
                None => Rendered::Buttons { header: None, body, footer, buttons },
            }
        }
    }
}

pub(crate) fn fill_header(header: &Header, values: &mut Values<'_>) -> Filled {
    match header {
        Header::Text(text) => Filled::Text(values.text(text, HEADER)),
        Header::Media { kind, source, filename } => {
            let source = match source {
                Place::Id(id) => Source::Id(values.text(id, MEDIA_ID)),
                Place::Link(link) => Source::Link(values.url(link, URL)),
            };
            let filename = filename.as_ref().map(|name| values.text(name, FILENAME));
            Filled::Media { kind: *kind, source, filename }
        }
    }
}

/// The file as Meta's objects have it.
pub(crate) fn file(source: &Source, filename: Option<&str>) -> Value {
    let mut file = match source {
        Source::Id(id) => json!({ "id": id }),
        Source::Link(link) => json!({ "link": link }),
    };
    if let Some(filename) = filename {
        file["filename"] = json!(filename);
    }
    file
}

/// Without buttons Meta has no place for header and footer: they become paragraphs of the text or the caption.
fn plain(
    template: &Template,
    header: Option<Filled>,
    body: String,
    footer: Option<String>,
    values: &mut Values<'_>,
) -> Rendered {
    let mut join = |header: Option<String>, body: String, limit: usize| {
        let whole = header.into_iter().chain([body]).chain(footer.clone()).collect::<Vec<_>>().join("\n\n");
        let count = whole.chars().count();
        if count > limit {
            values.note(format!(
                "{}: with header and footer it has {count} characters; Meta's limit is {limit}",
                template.body.path
            ));
        }
        whole
    };
    match header {
        Some(Filled::Media { kind, source, filename }) => {
            Rendered::Media { kind, source, caption: join(None, body, BODY), filename }
        }
        Some(Filled::Text(header)) => {
            Rendered::Text { body: join(Some(header), body, TEXT), preview_url: template.preview_url }
        }
        None => Rendered::Text { body: join(None, body, TEXT), preview_url: template.preview_url },
    }
}

fn replies(template: &Template, values: &mut Values<'_>) -> Vec<(String, String)> {
    let mut used = HashSet::new();
    let mut buttons = Vec::new();
    for button in &template.buttons {
        let ButtonKind::QuickReply { text, id } = &button.kind else { continue };
        let title = values.text(text, BUTTON);
        let id: &Text = id.as_ref().unwrap_or(text);
        let id = values.text(id, BUTTON_ID);
        if !used.insert(id.clone()) {
            values
                .note(format!("{}.id: {id:?} is used twice with these values; give each button its own", button.path));
        }
        buttons.push((id, title));
    }
    buttons
}

fn interactive_payload(
    kind: &str,
    header: Option<Filled>,
    body: &str,
    footer: Option<String>,
    action: Value,
) -> Rendered {
    let mut object = json!({ "type": kind, "body": { "text": body }, "action": action });
    match header {
        Some(Filled::Text(text)) => object["header"] = json!({ "type": "text", "text": text }),
        Some(Filled::Media { kind, source, filename }) => {
            object["header"] = json!({ "type": kind.name(), kind.name(): file(&source, filename.as_deref()) });
        }
        None => {}
    }
    if let Some(footer) = footer {
        object["footer"] = json!({ "text": footer });
    }
    Rendered::Payload(json!({ "type": "interactive", "interactive": object }))
}
