//! Message templates: from stored JSON and values to what is to be sent. Pure: the host checks templates with it when
//! they are saved, and the built-in plugin `templates` renders with it in the sandbox.
//!
//! In: `components`, a list as in `docs/templates.md`, and `metadata`, an object ([`Template::parse`]); then values for
//! the variables ([`Template::render`]). Out: a [`Rendered`] message. What can fail: the template is malformed or can
//! never be sent ([`Invalid`], with the path of the field), values are missing, or the rendered message is over Meta's
//! limits ([`RenderError`]).
//!
//! There are two kinds. Free text becomes an ordinary message: text, media with a caption, or an interactive message
//! when it has buttons. A template that Meta has approved (`metadata.meta`) is sent by reference, with the values as
//! parameters in Meta's order.
//!
//! ```
//! use hoopoe_templates::{Rendered, Template};
//! use serde_json::json;
//!
//! let components = json!([{ "type": "body", "text": "Hello {{first_name|there}}, welcome!" }]);
//! let template = Template::parse(&components, &json!({})).unwrap();
//! let rendered = template.render(&[("first_name".to_owned(), "Sam".to_owned())], "en").unwrap();
//! assert_eq!(rendered, Rendered::Text { body: "Hello Sam, welcome!".to_owned(), preview_url: false });
//! ```

mod approved;
mod check;
mod fields;
mod free;
mod names;
mod parse;
mod template;
mod text;
mod values;

pub use fields::Invalid;
pub use names::{check_key, fallbacks, language};
pub use parse::check_frame;
pub use template::{MediaKind, Rendered, Source, Template};
pub use text::Variable;
pub use values::RenderError;

/// Meta's limits, in characters, by its reference of the messages endpoint and of template components.
pub mod limits {
    /// A text message.
    pub const TEXT: usize = 4096;
    /// The body of an interactive message or of an approved template, and the caption of a file.
    pub const BODY: usize = 1024;
    /// A header of text.
    pub const HEADER: usize = 60;
    /// A footer.
    pub const FOOTER: usize = 60;
    /// Reply buttons of an interactive message.
    pub const BUTTONS: usize = 3;
    /// The text on a button of an interactive message.
    pub const BUTTON: usize = 20;
    /// Buttons of an approved template.
    pub const APPROVED_BUTTONS: usize = 10;
    /// The text on a button of an approved template.
    pub const APPROVED_BUTTON: usize = 25;
    /// The id of a reply button, which comes back when it is tapped.
    pub const BUTTON_ID: usize = 256;
    /// An address that a button opens, or a file is fetched from.
    pub const URL: usize = 2000;
    /// The name of a document.
    pub const FILENAME: usize = 240;
    /// Meta's id of a file.
    pub const MEDIA_ID: usize = 512;
    /// A coupon code.
    pub const CODE: usize = 15;
    /// The name of an approved template.
    pub const NAME: usize = 512;
    /// Different variables of a template; ours.
    pub const VARIABLES: usize = 100;
    /// The JSON text of `components`, in bytes; ours.
    pub const COMPONENTS_BYTES: usize = 64 << 10;
    /// The JSON text of `metadata`, in bytes; ours.
    pub const METADATA_BYTES: usize = 16 << 10;
}
