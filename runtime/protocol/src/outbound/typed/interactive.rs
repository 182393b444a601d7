//! Interactive messages. Their kinds share one shape; which fields a kind has is checked with the limits.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
#[cfg(feature = "openapi")]
use utoipa::ToSchema;

use super::File;

/// A message with something to tap.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema), schema(as = SendInteractive))]
#[serde(deny_unknown_fields)]
pub struct Interactive {
    /// `button`, `list`, `cta_url`, `flow`, `location_request_message`, `address_message`, `product`, `product_list`,
    /// `catalog_message`, `call_permission_request`, `voice_call`, `order_details` or `order_status`.
    #[serde(rename = "type")]
    #[cfg_attr(feature = "openapi", schema(example = "button"))]
    pub kind: String,
    /// Text, or a file where the kind allows it; needed for `product_list`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<Header>,
    /// 1 to 1024 characters, 4096 in a `list`; needed except for `product` and `call_permission_request`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Words>,
    /// 1 to 60 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub footer: Option<Words>,
    /// What can be tapped.
    pub action: Action,
}

/// What stands above the body.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema), schema(as = SendHeader))]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// `text`, `image`, `video` or `document`: the field that is given.
    #[serde(rename = "type")]
    #[cfg_attr(feature = "openapi", schema(example = "text"))]
    pub kind: String,
    /// 1 to 60 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Without caption.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<File>,
    /// Without caption.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video: Option<File>,
    /// Without caption.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<File>,
}

/// Text of a body or footer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema), schema(as = SendWords))]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// The text.
    pub text: String,
}

/// What can be tapped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema), schema(as = SendAction))]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// `cta_url`, `flow`, `send_location`, `address_message`, `catalog_message`, `call_permission_request`, `voice_call`,
    /// `review_and_pay` (kind `order_details`) or `review_order` (kind `order_status`); absent for the other kinds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Kind `list`: the text on the button that opens it, 1 to 20 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub button: Option<String>,
    /// Kind `button`: 1 to 3.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<ReplyButton>,
    /// Kinds `list` and `product_list`: 1 to 10.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sections: Vec<Section>,
    /// Kinds `product` and `product_list`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalog_id: Option<String>,
    /// Kind `product`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_retailer_id: Option<String>,
    /// Kind `cta_url`: `display_text` (1 to 20 characters) and `url`. Kind `flow`: `flow_message_version` ("3"),
    /// `flow_id` or `flow_name`, `flow_cta` (1 to 30 characters) and more. Kind `address_message`: `country` and more.
    /// Kind `catalog_message`: `thumbnail_product_retailer_id`. Kind `voice_call`: `display_text` (1 to 20 characters),
    /// `ttl_minutes`, `payload`. Orders: as in Meta's reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub parameters: Option<Map<String, Value>>,
}

/// A reply button.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema), schema(as = SendReplyButton))]
#[serde(deny_unknown_fields)]
pub struct ReplyButton {
    /// `reply`.
    #[serde(default = "reply", rename = "type")]
    pub kind: String,
    /// What it shows and brings back.
    pub reply: Reply,
}

fn reply() -> String {
    "reply".to_owned()
}

/// What a button shows and brings back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema), schema(as = SendReply))]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// 1 to 256 characters, unique in the message, no space at its ends.
    pub id: String,
    /// 1 to 20 characters, unique in the message.
    pub title: String,
}

/// A part of a list: `rows` in a `list`, `product_items` in a `product_list`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema), schema(as = SendSection))]
#[serde(deny_unknown_fields)]
pub struct Section {
    /// 1 to 24 characters; needed when there is more than one section.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// 1 to 10, in all sections together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<Row>,
    /// 1 to 30, in all sections together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub product_items: Vec<ProductItem>,
}

/// A row of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema), schema(as = SendRow))]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// 1 to 200 characters, unique in the message.
    pub id: String,
    /// 1 to 24 characters.
    pub title: String,
    /// 1 to 72 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A product of the catalogue.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema), schema(as = SendProduct))]
#[serde(deny_unknown_fields)]
pub struct ProductItem {
    /// The business's own id of it.
    pub product_retailer_id: String,
}

impl Interactive {
    fn of(kind: &str, body: &str, action: Action) -> Interactive {
        let body = Some(Words { text: body.to_owned() });
        Interactive { kind: kind.to_owned(), body, action, ..Interactive::default() }
    }

    fn named(kind: &str, name: &str, body: &str, parameters: Value) -> Interactive {
        let parameters = parameters.as_object().cloned();
        Interactive::of(kind, body, Action { name: Some(name.to_owned()), parameters, ..Action::default() })
    }

    /// Reply buttons, by id and title.
    pub fn buttons(body: &str, buttons: &[(&str, &str)]) -> Interactive {
        let button = |(id, title): &(&str, &str)| ReplyButton {
            kind: reply(),
            reply: Reply { id: (*id).to_owned(), title: (*title).to_owned() },
        };
        let buttons = buttons.iter().map(button).collect();
        Interactive::of("button", body, Action { buttons, ..Action::default() })
    }

    /// A list behind a button.
    pub fn list(body: &str, button: &str, sections: Vec<Section>) -> Interactive {
        Interactive::of("list", body, Action { button: Some(button.to_owned()), sections, ..Action::default() })
    }

    /// A button that opens a website.
    pub fn cta_url(body: &str, display_text: &str, url: &str) -> Interactive {
        Interactive::named("cta_url", "cta_url", body, json!({ "display_text": display_text, "url": url }))
    }

    /// A button that opens a form of Meta's, by its id.
    pub fn flow(body: &str, flow_id: &str, cta: &str, token: &str) -> Interactive {
        let parameters =
            json!({ "flow_message_version": "3", "flow_id": flow_id, "flow_cta": cta, "flow_token": token });
        Interactive::named("flow", "flow", body, parameters)
    }

    /// A button that shares the contact's location.
    pub fn location_request(body: &str) -> Interactive {
        Interactive::named("location_request_message", "send_location", body, Value::Null)
    }

    /// A form for an address, by the country's two letters.
    pub fn address(body: &str, country: &str) -> Interactive {
        Interactive::named("address_message", "address_message", body, json!({ "country": country }))
    }

    /// One product.
    pub fn product(catalog_id: &str, product_retailer_id: &str) -> Interactive {
        let action = Action {
            catalog_id: Some(catalog_id.to_owned()),
            product_retailer_id: Some(product_retailer_id.to_owned()),
            ..Action::default()
        };
        Interactive { body: None, ..Interactive::of("product", "", action) }
    }

    /// Up to 30 products under a header.
    pub fn products(header: &str, body: &str, catalog_id: &str, sections: Vec<Section>) -> Interactive {
        let action = Action { catalog_id: Some(catalog_id.to_owned()), sections, ..Action::default() };
        let header = Header { kind: "text".to_owned(), text: Some(header.to_owned()), ..Header::default() };
        Interactive { header: Some(header), ..Interactive::of("product_list", body, action) }
    }

    /// A button that opens the catalogue.
    pub fn catalogue(body: &str) -> Interactive {
        Interactive::named("catalog_message", "catalog_message", body, Value::Null)
    }
}
