//! From JSON to a template: the form alone.

use serde_json::Value;

use crate::fields::{Fields, kind};
use crate::limits::{COMPONENTS_BYTES, METADATA_BYTES, NAME};
use crate::template::{Button, ButtonKind, Header, MediaKind, Meta, Place, Template};
use crate::text::Text;
use crate::{Invalid, names};

/// The sorts of components, each at most once.
const SORTS: &str = "header, body, footer and buttons";
const FORMATS: &str = "text, image, video and document";
const BUTTONS: &str = "quick_reply, url, phone_number, copy_code and otp";
const CATEGORIES: [&str; 3] = ["AUTHENTICATION", "MARKETING", "UTILITY"];

/// Checks what holds for every renderer: `components` is a list of objects, each with a `type`, `metadata` an object,
/// and neither is too large.
pub fn check_frame(components: &Value, metadata: &Value) -> Result<(), Invalid> {
    let Value::Array(list) = components else {
        return Err(Invalid::new("components", format!("is {}; a list is needed", kind(components))));
    };
    if list.is_empty() {
        return Err(Invalid::new("components", "is empty; give at least a body"));
    }
    for (place, component) in list.iter().enumerate() {
        Fields::of(format!("components[{place}]"), component)?.needed("type")?;
    }
    if !metadata.is_object() {
        return Err(Invalid::new("metadata", format!("is {}; an object is needed", kind(metadata))));
    }
    for (path, value, limit) in [("components", components, COMPONENTS_BYTES), ("metadata", metadata, METADATA_BYTES)] {
        let size = value.to_string().len();
        if size > limit {
            return Err(Invalid::new(path, format!("has {size} bytes of JSON; {limit} are allowed")));
        }
        no_nul(path, value)?;
    }
    Ok(())
}

/// Postgres cannot store NUL.
fn no_nul(path: &str, value: &Value) -> Result<(), Invalid> {
    let refuse = || Err(Invalid::new(path, "holds a NUL character (U+0000); remove it"));
    match value {
        Value::String(text) if text.contains('\0') => refuse(),
        Value::Array(list) => list.iter().try_for_each(|value| no_nul(path, value)),
        Value::Object(object) if object.keys().any(|name| name.contains('\0')) => refuse(),
        Value::Object(object) => object.values().try_for_each(|value| no_nul(path, value)),
        _ => Ok(()),
    }
}

pub(crate) fn template(components: &Value, metadata: &Value) -> Result<Template, Invalid> {
    check_frame(components, metadata)?;
    let (mut header, mut body, mut footer, mut buttons) = (None, None, None, None);
    let mut preview_url = false;
    for (place, component) in components.as_array().into_iter().flatten().enumerate() {
        let mut fields = Fields::of(format!("components[{place}]"), component)?;
        let sort = fields.needed("type")?.to_ascii_lowercase();
        let twice = match sort.as_str() {
            "header" => header.replace(read_header(&mut fields)?).is_some(),
            "body" => {
                preview_url = fields.flag("preview_url")?;
                body.replace(text(&mut fields, "text")?).is_some()
            }
            "footer" => footer.replace(text(&mut fields, "text")?).is_some(),
            "buttons" => buttons.replace(read_buttons(&mut fields)?).is_some(),
            _ => return Err(Invalid::new(fields.at("type"), format!("{sort:?} is unknown; known are {SORTS}"))),
        };
        if twice {
            return Err(Invalid::new(fields.at("type"), format!("there is another {sort} before; give one")));
        }
        fields.finish()?;
    }
    let body =
        body.ok_or_else(|| Invalid::new("components", "there is no body; give {\"type\": \"body\", \"text\": ...}"))?;
    let meta = metadata.get("meta").filter(|meta| !meta.is_null()).map(read_meta).transpose()?;
    Ok(Template { meta, header, body, preview_url, footer, buttons: buttons.unwrap_or_default() })
}

fn text(fields: &mut Fields<'_>, name: &'static str) -> Result<Text, Invalid> {
    let source = fields.needed(name)?;
    if source.trim().is_empty() {
        return Err(Invalid::new(fields.at(name), "is empty; leave the part out or give it a text"));
    }
    Text::parse(fields.at(name), source)
}

fn optional(fields: &mut Fields<'_>, name: &'static str) -> Result<Option<Text>, Invalid> {
    fields.text(name)?.map(|source| Text::parse(fields.at(name), source)).transpose()
}

fn read_header(fields: &mut Fields<'_>) -> Result<Header, Invalid> {
    let format = fields.text("format")?.unwrap_or("text").to_ascii_lowercase();
    let kind = match format.as_str() {
        "text" => return Ok(Header::Text(text(fields, "text")?)),
        "image" => MediaKind::Image,
        "video" => MediaKind::Video,
        "document" => MediaKind::Document,
        _ => return Err(Invalid::new(fields.at("format"), format!("{format:?} is unknown; known are {FORMATS}"))),
    };
    let source = match (optional(fields, "id")?, optional(fields, "link")?) {
        (Some(id), None) => Place::Id(id),
        (None, Some(link)) => Place::Link(link),
        _ => {
            return Err(Invalid::new(
                fields.path(),
                format!("give the {format}'s link or Meta's id of it, one of the two"),
            ));
        }
    };
    let filename = if kind == MediaKind::Document { optional(fields, "filename")? } else { None };
    Ok(Header::Media { kind, source, filename })
}

fn read_buttons(fields: &mut Fields<'_>) -> Result<Vec<Button>, Invalid> {
    let path = fields.at("buttons");
    let list = fields.list("buttons")?;
    if list.is_empty() {
        return Err(Invalid::new(path, "is empty; give at least one button or leave the component out"));
    }
    list.iter().enumerate().map(|(place, button)| read_button(format!("{path}[{place}]"), button)).collect()
}

fn read_button(path: String, button: &Value) -> Result<Button, Invalid> {
    let mut fields = Fields::of(path.clone(), button)?;
    let sort = fields.needed("type")?.to_ascii_lowercase();
    let kind = match sort.as_str() {
        "quick_reply" => ButtonKind::QuickReply { text: text(&mut fields, "text")?, id: optional(&mut fields, "id")? },
        "url" => ButtonKind::Url { text: text(&mut fields, "text")?, url: text(&mut fields, "url")? },
        "phone_number" => {
            fields.needed("phone_number")?;
            ButtonKind::Phone { text: text(&mut fields, "text")? }
        }
        "copy_code" => ButtonKind::CopyCode { code: text(&mut fields, "code")? },
        "otp" => ButtonKind::Otp { code: text(&mut fields, "code")? },
        _ => return Err(Invalid::new(fields.at("type"), format!("{sort:?} is unknown; known are {BUTTONS}"))),
    };
    fields.finish()?;
    Ok(Button { path, kind })
}

fn read_meta(meta: &Value) -> Result<Meta, Invalid> {
    let mut fields = Fields::of("metadata.meta".to_owned(), meta)?;
    let name = fields.needed("name")?;
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if !(1..=NAME).contains(&name.len()) || !name.bytes().all(fits) {
        let expected = format!("give the template's name at Meta: 1 to {NAME} of a-z, 0-9 and _");
        return Err(Invalid::new(fields.at("name"), expected));
    }
    let language = match fields.text("language")? {
        Some(code) => Some(names::language(code).map_err(|error| Invalid::new(fields.at("language"), error.message))?),
        None => None,
    };
    if let Some(category) = fields.text("category")?
        && !CATEGORIES.iter().any(|known| known.eq_ignore_ascii_case(category))
    {
        let expected = format!("{category:?} is unknown; Meta's categories are {}", CATEGORIES.join(", "));
        return Err(Invalid::new(fields.at("category"), expected));
    }
    fields.finish()?;
    Ok(Meta { name: name.to_owned(), language })
}
