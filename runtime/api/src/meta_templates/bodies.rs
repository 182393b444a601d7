//! Templates of Meta as the API shows and takes them.

use chrono::{DateTime, Utc};
use hoopoe_store::meta_templates::{MetaTemplate, is_sent};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::error::{ApiError, invalid_field};

/// Longest name, in characters.
const LONGEST_NAME: usize = 512;
/// Meta's categories.
const CATEGORIES: [&str; 3] = ["AUTHENTICATION", "MARKETING", "UTILITY"];

/// A template, as far as it is known here.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MetaTemplateBody {
    /// Meta's id of the business account.
    pub waba_id: String,
    /// Its name.
    pub name: String,
    /// Its language.
    pub language: String,
    /// Meta's id.
    pub meta_id: Option<String>,
    /// Meta's word: `APPROVED`, `PENDING`, `REJECTED`, `PAUSED`, `DISABLED`, ...; `UNKNOWN` before it was told.
    pub status: String,
    /// Why.
    pub reason: Option<String>,
    /// Whether messages are sent with it.
    pub is_sent: bool,
    /// The category that counts.
    pub category: Option<String>,
    /// The category that will count, when Meta announced a change.
    pub next_category: Option<String>,
    /// `GREEN`, `YELLOW`, `RED` or `UNKNOWN`.
    pub quality: Option<String>,
    /// Meta's list; null until a sync.
    #[schema(value_type = Option<Vec<Object>>)]
    pub components: Option<Value>,
    /// Meta said that the components have changed since; a sync reads them.
    pub components_stale: bool,
    /// When it became known.
    pub created_at: DateTime<Utc>,
    /// When something of it changed.
    pub updated_at: DateTime<Utc>,
}

/// A page of templates.
#[derive(Serialize, ToSchema)]
pub struct MetaTemplateList {
    /// By account, name and language.
    pub templates: Vec<MetaTemplateBody>,
    /// `after` of the next page, if there is one.
    pub next: Option<String>,
}

/// A template for Meta's approval, as Meta's reference has it.
#[derive(Deserialize, ToSchema)]
pub struct NewMetaTemplate {
    /// 1 to 512 of `a-z`, `0-9` and `_`.
    #[schema(example = "order_update")]
    pub name: String,
    /// As Meta writes it.
    #[schema(example = "en_US")]
    pub language: String,
    /// `AUTHENTICATION`, `MARKETING` or `UTILITY`.
    #[schema(example = "UTILITY")]
    pub category: String,
    /// Meta's list of components.
    #[schema(value_type = Vec<Object>, example = json!([{"type": "BODY", "text": "Hi {{1}}", "example": {"body_text": [["Sam"]]}}]))]
    pub components: Vec<Map<String, Value>>,
    /// Whatever else Meta knows: `parameter_format`, `allow_category_change`, ...
    #[serde(flatten)]
    #[schema(ignore)]
    pub more: Map<String, Value>,
}

/// What a sync did.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SyncedBody {
    /// The account.
    pub waba_id: String,
    /// Templates that Meta has.
    pub templates: usize,
    /// Templates that Meta does not have any more.
    pub removed: u64,
}

impl NewMetaTemplate {
    /// What Meta would refuse for certain is refused here.
    pub fn checked(self) -> Result<Self, ApiError> {
        checked_name(&self.name)?;
        if !is_language(&self.language) {
            return Err(invalid_field("language", "give it a language as Meta writes it: en or pt_BR"));
        }
        if !CATEGORIES.contains(&self.category.as_str()) {
            return Err(invalid_field("category", format!("give it one of {}", CATEGORIES.join(", "))));
        }
        if self.components.is_empty() {
            return Err(invalid_field("components", "give it at least a component of type BODY"));
        }
        if let Some(place) = self.components.iter().position(|it| !it.get("type").is_some_and(Value::is_string)) {
            return Err(invalid_field(
                &format!("components[{place}].type"),
                "it is missing; give it BODY, HEADER, ...",
            ));
        }
        Ok(self)
    }

    /// As Meta is told.
    pub fn body(self) -> Value {
        let mut body = self.more;
        body.insert("name".to_owned(), self.name.into());
        body.insert("language".to_owned(), self.language.into());
        body.insert("category".to_owned(), self.category.into());
        body.insert("components".to_owned(), json!(self.components));
        Value::Object(body)
    }
}

/// `en`, `fil`, `pt_BR`.
fn is_language(language: &str) -> bool {
    let (tongue, country) = language.split_once('_').map_or((language, None), |(it, country)| (it, Some(country)));
    (2..=3).contains(&tongue.len())
        && tongue.bytes().all(|byte| byte.is_ascii_lowercase())
        && country.is_none_or(|it| (2..=4).contains(&it.len()) && it.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// A name as Meta's are. 400 otherwise.
pub fn checked_name(name: &str) -> Result<(), ApiError> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(plain) {
        return Ok(());
    }
    Err(invalid_field("name", format!("give it 1 to {LONGEST_NAME} of a-z, 0-9 and _")))
}

impl From<MetaTemplate> for MetaTemplateBody {
    fn from(it: MetaTemplate) -> Self {
        Self {
            is_sent: is_sent(&it.status),
            waba_id: it.waba_id,
            name: it.name,
            language: it.language,
            meta_id: it.meta_id,
            status: it.status,
            reason: it.reason,
            category: it.category,
            next_category: it.next_category,
            quality: it.quality,
            components: it.components.and_then(|text| serde_json::from_str(&text).ok()),
            components_stale: it.stale,
            created_at: it.created_at,
            updated_at: it.updated_at,
        }
    }
}
