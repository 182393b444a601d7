//! Templates that Meta has approved, with the values of their variables.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
#[cfg(feature = "openapi")]
use utoipa::ToSchema;

use super::{File, Place};

/// A template of Meta's.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema), schema(as = SendMetaTemplate))]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// 1 to 512 characters.
    #[cfg_attr(feature = "openapi", schema(example = "order_confirmation"))]
    pub name: String,
    /// The language that it was approved in.
    pub language: Language,
    /// The values; none when the template has no variables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<Component>,
}

/// A language.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema), schema(as = SendLanguage))]
#[serde(deny_unknown_fields)]
pub struct Language {
    /// For example `en` or `pt_BR`.
    #[cfg_attr(feature = "openapi", schema(example = "en_US"))]
    pub code: String,
    /// `deterministic`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
}

/// The values of one part of the template.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema), schema(as = SendComponent))]
#[serde(deny_unknown_fields)]
pub struct Component {
    /// `header`, `body`, `button`, `carousel` or `limited_time_offer`.
    #[serde(rename = "type")]
    #[cfg_attr(feature = "openapi", schema(example = "body"))]
    pub kind: String,
    /// Buttons: `quick_reply`, `url`, `copy_code`, `flow`, `catalog`, `mpm`, `order_details` or
    /// `voice_call`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub_type: Option<String>,
    /// Buttons: the place among the template's buttons, 0 to 9; may lack with `voice_call`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<Index>,
    /// In the order of the template's variables, or each with its `parameter_name`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<Parameter>,
    /// Carousels: 2 to 10.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cards: Vec<CarouselCard>,
}

/// The place of a button, as Meta takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema), schema(as = SendIndex))]
#[serde(untagged)]
pub enum Index {
    /// 0 to 9.
    Number(u8),
    /// The digit.
    Text(String),
}

/// A card of a carousel.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema), schema(as = SendCarouselCard))]
#[serde(deny_unknown_fields)]
pub struct CarouselCard {
    /// Its place, 0 to 9.
    pub card_index: u8,
    /// The values of the card.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(no_recursion))]
    pub components: Vec<Component>,
}

/// One value: the field that `type` names.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema), schema(as = SendParameter))]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// `text`, `currency`, `date_time`, `image`, `video`, `document`, `location`, `product`; in buttons `payload`, `text`,
    /// `coupon_code`, `action`, `ttl_minutes`; in a limited-time offer `limited_time_offer`.
    #[serde(rename = "type")]
    #[cfg_attr(feature = "openapi", schema(example = "text"))]
    pub kind: String,
    /// Templates with named variables: the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(example = "first_name"))]
    pub parameter_name: Option<String>,
    /// 1 to 1024 characters; 60 in a header, 2000 at the end of a button's URL, 32,768 in a body that stands alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(example = "Sam"))]
    pub text: Option<String>,
    /// What a tap brings back: 1 to 256 characters on a quick reply, 1 to 512 on a `voice_call`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// Button `voice_call`: how long it is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_minutes: Option<u64>,
    /// 1 to 15 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coupon_code: Option<String>,
    /// `fallback_value`, `code` (ISO 4217) and `amount_1000`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub currency: Option<Map<String, Value>>,
    /// `fallback_value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub date_time: Option<Map<String, Value>>,
    /// Headers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<File>,
    /// Headers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video: Option<File>,
    /// Headers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<File>,
    /// Headers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Place>,
    /// Headers of cards: `product_retailer_id` and `catalog_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub product: Option<Map<String, Value>>,
    /// `expiration_time_ms`: milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub limited_time_offer: Option<Map<String, Value>>,
    /// Buttons that open a form or the catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub action: Option<Map<String, Value>>,
}

impl Parameter {
    /// A text, by place.
    pub fn text(text: &str) -> Parameter {
        Parameter { kind: "text".to_owned(), text: Some(text.to_owned()), ..Parameter::default() }
    }

    /// A text, by name.
    pub fn named(name: &str, text: &str) -> Parameter {
        Parameter { parameter_name: Some(name.to_owned()), ..Parameter::text(text) }
    }
}

impl Component {
    /// The values of the body.
    pub fn body(parameters: Vec<Parameter>) -> Component {
        Component { kind: "body".to_owned(), parameters, ..Component::default() }
    }

    /// The value of a button.
    pub fn button(sub_type: &str, index: u8, parameter: Parameter) -> Component {
        Component {
            kind: "button".to_owned(),
            sub_type: Some(sub_type.to_owned()),
            index: Some(Index::Number(index)),
            parameters: vec![parameter],
            ..Component::default()
        }
    }
}

impl Template {
    /// A template with these values.
    pub fn new(name: &str, language: &str, components: Vec<Component>) -> Template {
        let language = Language { code: language.to_owned(), policy: None };
        Template { name: name.to_owned(), language, components }
    }

    /// An authentication template: Meta wants the code, at most 15 characters, in the body and in the button.
    pub fn authentication(name: &str, language: &str, code: &str) -> Template {
        let button = Component::button("url", 0, Parameter::text(code));
        Template::new(name, language, vec![Component::body(vec![Parameter::text(code)]), button])
    }
}
