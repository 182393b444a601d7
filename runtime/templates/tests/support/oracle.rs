//! What must hold for any bytes as a template. The fuzz target uses it as well.

use hoopoe_templates::{RenderError, Rendered, Template, limits};
use serde_json::Value;

/// JSON of what Meta gets, in bytes: ten addresses of 2,000 characters, each of them escaped.
const PAYLOAD: usize = 256 << 10;

/// Names and values.
type Values = Vec<(String, String)>;

/// An input is an object with `components`, `metadata` and `values`. Nothing panics, what is refused is named with its
/// place, and what is rendered is within Meta's limits. Gives whether the template was taken.
pub fn template(input: &[u8]) -> bool {
    let Ok(whole) = serde_json::from_slice::<Value>(input) else { return false };
    let template = match Template::parse(&whole["components"], &whole["metadata"]) {
        Ok(template) => template,
        Err(error) => {
            assert!(["components", "metadata"].iter().any(|field| error.path.starts_with(field)), "no place: {error}");
            assert!(!error.message.is_empty(), "no reason: {error}");
            // It may quote what was given, with escapes.
            let length = error.to_string().len();
            assert!(length <= 2_000 + 20 * input.len(), "{length} bytes about {}", input.len());
            return false;
        }
    };
    let given = whole["values"].as_object().into_iter().flatten();
    let given: Values = given.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect();
    let filled =
        |value: &str| -> Values { template.variables().into_iter().map(|one| (one.name, value.to_owned())).collect() };
    let (link, long) = (filled("https://a.example/\u{1f99a}"), filled(&"\u{e9} ".repeat(3_000)));
    for values in [given, Values::new(), filled("x"), link, long] {
        match template.render(&values, "en") {
            Ok(rendered) => assert!(is_bounded(&rendered), "out of bounds: {rendered:?}"),
            Err(RenderError::MissingVariables(names)) => {
                let known = template.variables();
                assert!(!names.is_empty() && names.iter().all(|name| known.iter().any(|one| one.name == *name)));
            }
            Err(RenderError::Invalid(reason)) => assert!(!reason.is_empty()),
        }
    }
    true
}

fn is_bounded(rendered: &Rendered) -> bool {
    let is_within = |text: &str, limit: usize| !text.trim().is_empty() && text.chars().count() <= limit;
    match rendered {
        Rendered::Text { body, .. } => is_within(body, limits::TEXT),
        Rendered::Media { caption, filename, .. } => {
            is_within(caption, limits::BODY) && filename.iter().all(|name| is_within(name, limits::FILENAME))
        }
        Rendered::Buttons { header, body, footer, buttons } => {
            is_within(body, limits::BODY)
                && header.iter().all(|header| is_within(header, limits::HEADER))
                && footer.iter().all(|footer| is_within(footer, limits::FOOTER))
                && (1..=limits::BUTTONS).contains(&buttons.len())
                && buttons.iter().all(|(id, _)| is_within(id, limits::BUTTON_ID))
                && buttons.iter().all(|(_, title)| is_within(title, limits::BUTTON))
        }
        Rendered::Payload(payload) => payload.to_string().len() <= PAYLOAD,
        Rendered::Approved { name, components, .. } => {
            is_within(name, limits::NAME) && components.to_string().len() <= PAYLOAD
        }
    }
}
