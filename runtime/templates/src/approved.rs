//! Templates that Meta has approved: only the values are sent, in Meta's order: header, body, then each button by its
//! index; within a component by position, or in reading order with the parameter's name.

use serde_json::{Value, json};

use crate::Variable;
use crate::free::{Filled, file, fill_header};
use crate::limits::{BODY, BUTTON_ID, CODE, URL};
use crate::template::{ButtonKind, Header, Meta, Rendered, Template};
use crate::text::{Piece, Text};
use crate::values::Values;

pub(crate) fn render(template: &Template, meta: &Meta, values: &mut Values<'_>, language: &str) -> Rendered {
    let mut components = Vec::new();
    if let Some(header) = &template.header {
        components.extend(header_parameters(header, values));
    }
    // Meta counts the text with its values too.
    values.text(&template.body, BODY);
    let body = parameters(&template.body, values);
    if !body.is_empty() {
        components.push(json!({ "type": "body", "parameters": body }));
    }
    for (index, button) in template.buttons.iter().enumerate() {
        if let Some((sort, parameter)) = button_parameter(&button.kind, values) {
            components.push(json!({
                "type": "button", "sub_type": sort, "index": index.to_string(), "parameters": [parameter]
            }));
        }
    }
    let language = meta.language.as_deref().unwrap_or(language).to_owned();
    Rendered::Approved { name: meta.name.clone(), language, components: Value::Array(components) }
}

fn header_parameters(header: &Header, values: &mut Values<'_>) -> Option<Value> {
    let filled = fill_header(header, values);
    let parameters = match (header, filled) {
        (Header::Text(text), _) => parameters(text, values),
        (_, Filled::Media { kind, source, filename }) => {
            vec![json!({ "type": kind.name(), kind.name(): file(&source, filename.as_deref()) })]
        }
        (_, Filled::Text(_)) => Vec::new(),
    };
    (!parameters.is_empty()).then(|| json!({ "type": "header", "parameters": parameters }))
}

/// The variables of a text as Meta's parameters.
fn parameters(text: &Text, values: &mut Values<'_>) -> Vec<Value> {
    let mut variables = text.distinct();
    variables.sort_by_key(|variable| variable.position().unwrap_or_default());
    let parameter = |variable: &Variable| {
        let value = value(variable, text, values);
        match variable.position() {
            Some(_) => json!({ "type": "text", "text": value }),
            None => json!({ "type": "text", "parameter_name": variable.name, "text": value }),
        }
    };
    variables.iter().map(parameter).collect()
}

/// A value that Meta takes as a parameter: not empty, on one line, at most four spaces in a row.
fn value(variable: &Variable, text: &Text, values: &mut Values<'_>) -> String {
    let value = values.get(variable).to_owned();
    let complaint = if value.trim().is_empty() {
        "is empty; Meta takes no empty parameter, give the variable a value or a default"
    } else if value.contains(['\n', '\r', '\t']) {
        "has a line break or a tab, which Meta does not take in a parameter"
    } else if value.contains("     ") {
        "has more than four spaces in a row, which Meta does not take in a parameter"
    } else {
        return value;
    };
    values.note(format!("{}: the value of {{{{{}}}}} {complaint}", text.path, variable.name));
    value
}

/// Meta's sub-type and the parameter of a button that has one.
fn button_parameter(kind: &ButtonKind, values: &mut Values<'_>) -> Option<(&'static str, Value)> {
    match kind {
        ButtonKind::QuickReply { id, .. } => {
            let id = id.as_ref()?;
            Some(("quick_reply", json!({ "type": "payload", "payload": values.text(id, BUTTON_ID) })))
        }
        // The variable stands at the end; Meta adds the value to the address as it is.
        ButtonKind::Url { url, .. } => {
            let Some(Piece::Variable(variable)) = url.pieces.last() else { return None };
            values.text(url, URL);
            Some(("url", json!({ "type": "text", "text": value(variable, url, values) })))
        }
        ButtonKind::CopyCode { code } => {
            Some(("copy_code", json!({ "type": "coupon_code", "coupon_code": values.text(code, CODE) })))
        }
        ButtonKind::Otp { code } => Some(("url", json!({ "type": "text", "text": values.text(code, CODE) }))),
        ButtonKind::Phone { .. } => None,
    }
}
