//! What template requests and answers carry.

use chrono::{DateTime, Utc};
use hoopoe_store::templates::{Template, Version};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

/// A new template.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTemplateBody {
    /// Unique per tenant: 1 to 64 of a-z, A-Z, 0-9, `_`, `-` and `.`.
    #[schema(example = "welcome_v1")]
    pub key: String,
    /// The template's default language; `en` when absent.
    #[serde(default)]
    #[schema(example = "en")]
    pub language: Option<String>,
    /// `body`, and perhaps `header`, `footer` and `buttons`: see docs/templates.md.
    #[schema(value_type = Vec<Object>,
        example = json!([{"type": "body", "text": "Hello {{first_name|there}}, welcome to our service!"}]))]
    pub components: Value,
    /// Anything that describes the template; `meta` names the template that Meta has approved.
    #[serde(default)]
    #[schema(value_type = Option<Object>, example = json!({"description": "Welcome message"}))]
    pub metadata: Option<Value>,
}

/// A new version of a template in one language.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TemplateChangeBody {
    /// The language to change or to add; the default language when absent.
    #[serde(default)]
    pub language: Option<String>,
    /// As for a new template.
    #[schema(value_type = Vec<Object>, example = json!([{"type": "body", "text": "Hi {{first_name|there}}!"}]))]
    pub components: Value,
    /// As for a new template; that of the version before when absent.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Value>,
    /// Make this the language that stands in for those that are missing.
    #[serde(default)]
    pub default: bool,
}

/// Which language.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct LanguageQuery {
    /// For example `en` or `pt_BR`.
    pub language: Option<String>,
}

/// What to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// Only keys after this one: the page before gave it as `next`.
    pub after: Option<String>,
    /// 1 to 200; 50 when absent.
    pub limit: Option<i64>,
}

/// A template in one of its languages, and what it is in the others.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateBody {
    /// Unique per tenant.
    pub key: String,
    /// The language that stands in for those that are missing.
    pub default_language: String,
    /// The language shown, its version and its text.
    #[serde(flatten)]
    pub shown: TemplateVersionBody,
    /// Every language.
    pub languages: Vec<TemplateVersionBody>,
    /// When the template was created.
    pub created_at: DateTime<Utc>,
}

/// The current version of a template in one language.
#[derive(Serialize, ToSchema, Clone)]
#[serde(rename_all = "camelCase")]
pub struct TemplateVersionBody {
    /// For example `en` or `pt_BR`.
    pub language: String,
    /// Grows by one with every change.
    pub version: i32,
    /// As given.
    #[schema(value_type = Vec<Object>)]
    pub components: Value,
    /// As given.
    #[schema(value_type = Object)]
    pub metadata: Value,
    /// In reading order. Absent when the built-in renderer cannot read the components.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variables: Option<Vec<TemplateVariableBody>>,
    /// When this version was written.
    pub updated_at: DateTime<Utc>,
}

/// A variable of a template.
#[derive(Serialize, ToSchema, Clone)]
pub struct TemplateVariableBody {
    /// A name, or a number when it is positional.
    pub name: String,
    /// Stands in when no value is given; a variable without it needs one.
    pub default: Option<String>,
}

/// A page of templates.
#[derive(Serialize, ToSchema)]
pub struct TemplatePage {
    /// By key, each in its default language.
    pub templates: Vec<TemplateBody>,
    /// For `after`, when there may be more.
    pub next: Option<String>,
}

impl TemplateBody {
    /// In the language asked for, else in the closest one; `None` without languages.
    pub fn of(template: Template, language: Option<&str>) -> Option<Self> {
        let languages: Vec<TemplateVersionBody> =
            template.languages.into_iter().map(TemplateVersionBody::from).collect();
        let wanted = language.map(hoopoe_templates::fallbacks).unwrap_or_default();
        let find = |language: &String| languages.iter().find(|version| version.language == *language);
        let shown = wanted.iter().chain([&template.default_language]).find_map(find).cloned()?;
        Some(Self {
            key: template.key,
            default_language: template.default_language,
            shown,
            languages,
            created_at: template.created_at,
        })
    }
}

impl From<Version> for TemplateVersionBody {
    fn from(version: Version) -> Self {
        let (components, metadata) = (parsed(&version.components), parsed(&version.metadata));
        let variables = hoopoe_templates::Template::parse(&components, &metadata).ok().map(|template| {
            let body = |variable: hoopoe_templates::Variable| TemplateVariableBody {
                name: variable.name,
                default: variable.default,
            };
            template.variables().into_iter().map(body).collect()
        });
        let Version { language, version, created_at: updated_at, .. } = version;
        Self { language, version, components, metadata, variables, updated_at }
    }
}

/// What was stored is JSON.
pub fn parsed(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_default()
}
