//! What a template is made of, and what comes of it.

use serde_json::Value;

use crate::text::{Text, distinct};
use crate::values::{RenderError, Values};
use crate::{Invalid, Variable, approved, check, free, parse};

/// A template that was checked: with short enough values it can be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Set for a template that Meta has approved.
    pub(crate) meta: Option<Meta>,
    pub(crate) header: Option<Header>,
    pub(crate) body: Text,
    pub(crate) preview_url: bool,
    pub(crate) footer: Option<Text>,
    pub(crate) buttons: Vec<Button>,
}

/// The approved template at Meta.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Meta {
    pub name: String,
    /// When it differs from that of the stored template.
    pub language: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Header {
    Text(Text),
    Media { kind: MediaKind, source: Place, filename: Option<Text> },
}

/// Where a file is: one of the two, with variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Id(Text),
    Link(Text),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Button {
    /// Where it stands.
    pub path: String,
    pub kind: ButtonKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ButtonKind {
    QuickReply { text: Text, id: Option<Text> },
    Url { text: Text, url: Text },
    Phone { text: Text },
    CopyCode { code: Text },
    Otp { code: Text },
}

/// Kinds of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaKind {
    /// A picture.
    Image,
    /// A video.
    Video,
    /// Any file.
    Document,
}

impl MediaKind {
    /// As Meta writes it.
    pub fn name(self) -> &'static str {
        match self {
            MediaKind::Image => "image",
            MediaKind::Video => "video",
            MediaKind::Document => "document",
        }
    }
}

/// Where a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// An id of Meta.
    Id(String),
    /// An https URL that Meta can fetch.
    Link(String),
}

/// What is to be sent, within Meta's limits.
#[derive(Debug, Clone, PartialEq)]
pub enum Rendered {
    /// A text message.
    Text {
        /// 1 to 4096 characters.
        body: String,
        /// Show a preview of the first link.
        preview_url: bool,
    },
    /// A file with a caption.
    Media {
        /// What it is.
        kind: MediaKind,
        /// Where it is.
        source: Source,
        /// 1 to 1024 characters.
        caption: String,
        /// Documents only.
        filename: Option<String>,
    },
    /// Text with reply buttons.
    Buttons {
        /// 1 to 60 characters.
        header: Option<String>,
        /// 1 to 1024 characters.
        body: String,
        /// 1 to 60 characters.
        footer: Option<String>,
        /// 1 to 3: id and title.
        buttons: Vec<(String, String)>,
    },
    /// A message in Meta's own format: an object with `type` and the object of that type.
    Payload(Value),
    /// A template that Meta has approved, by reference.
    Approved {
        /// Its name at Meta.
        name: String,
        /// Its language at Meta.
        language: String,
        /// Meta's `components`: a list.
        components: Value,
    },
}

impl Template {
    /// Reads and checks a template: `components` is a list, `metadata` an object.
    pub fn parse(components: &Value, metadata: &Value) -> Result<Template, Invalid> {
        let template = parse::template(components, metadata)?;
        check::check(&template)?;
        Ok(template)
    }

    /// The variables in reading order (header, body, footer, buttons), each once.
    pub fn variables(&self) -> Vec<Variable> {
        distinct(self.texts().into_iter().flat_map(Text::variables))
    }

    /// Puts in the values: names and values, positional variables under `1`, `2` and so on. Values that no variable
    /// has are left out. `language` is that of the stored template.
    pub fn render(&self, variables: &[(String, String)], language: &str) -> Result<Rendered, RenderError> {
        let mut values = Values::new(variables);
        let rendered = match &self.meta {
            Some(meta) => approved::render(self, meta, &mut values, language),
            None => free::render(self, &mut values),
        };
        values.finish(rendered)
    }

    /// Every text that may have variables, in reading order.
    pub(crate) fn texts(&self) -> Vec<&Text> {
        let mut texts = Vec::new();
        match &self.header {
            Some(Header::Text(text)) => texts.push(text),
            Some(Header::Media { source: Place::Id(text) | Place::Link(text), filename, .. }) => {
                texts.push(text);
                texts.extend(filename);
            }
            None => {}
        }
        texts.push(&self.body);
        texts.extend(&self.footer);
        for button in &self.buttons {
            match &button.kind {
                ButtonKind::QuickReply { text, id } => {
                    texts.push(text);
                    texts.extend(id);
                }
                ButtonKind::Url { text, url } => texts.extend([text, url]),
                ButtonKind::Phone { text } => texts.push(text),
                ButtonKind::CopyCode { code } | ButtonKind::Otp { code } => texts.push(code),
            }
        }
        texts
    }
}
