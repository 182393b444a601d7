//! Templates of a business account at Meta.

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::{Class, Failure, Graph, failure, read, text};

/// Templates on a page.
const PAGE: &str = "100";
/// What is asked of each.
const FIELDS: &str = "id,name,language,status,category,correct_category,components,quality_score,rejected_reason";

/// A template as Meta has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    /// Meta's id.
    pub id: Option<String>,
    /// Its name.
    pub name: String,
    /// Its language.
    pub language: String,
    /// `APPROVED`, `PENDING`, `REJECTED`, `PAUSED`, `DISABLED`, ...
    pub status: String,
    /// Why it was rejected; absent for Meta's `NONE`.
    pub reason: Option<String>,
    /// `MARKETING`, `UTILITY` or `AUTHENTICATION`.
    pub category: Option<String>,
    /// The category that Meta would give it.
    pub correct_category: Option<String>,
    /// `GREEN`, `YELLOW`, `RED` or `UNKNOWN`.
    pub quality: Option<String>,
    /// Its components.
    pub components: Value,
}

/// A page of templates.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// In Meta's order.
    pub templates: Vec<Template>,
    /// Where the next page begins.
    pub next: Option<String>,
}

/// What Meta says of a new template.
#[derive(Debug, Clone, PartialEq)]
pub struct Created {
    /// Meta's id.
    pub id: String,
    /// `PENDING` usually.
    pub status: String,
    /// It may differ from the one that was asked for.
    pub category: Option<String>,
}

impl Graph {
    /// A page of an account's templates, from the beginning or behind a page before.
    pub async fn templates(&self, token: &SecretString, account: &str, after: Option<&str>) -> Result<Page, Failure> {
        let mut query = vec![("fields", FIELDS), ("limit", PAGE)];
        query.extend(after.map(|after| ("after", after)));
        let url = self.url(&[account, "message_templates"], &query);
        let mut answer = self.ask(Method::GET, url, token).await?;
        let Some(Value::Array(list)) = answer.remove("data") else {
            return Err(failure(Class::Transient, "Meta's answer has no list of templates"));
        };
        let paging = answer.get("paging");
        // The last page has a cursor too, and no next page.
        let next = paging.and_then(|paging| paging.get("next")).and_then(|_| {
            paging?.pointer("/cursors/after")?.as_str().filter(|after| !after.is_empty()).map(str::to_owned)
        });
        Ok(Page { templates: list.into_iter().filter_map(template).collect(), next })
    }

    /// Submits a template, as Meta's reference has it, for approval.
    pub async fn create_template(
        &self,
        token: &SecretString,
        account: &str,
        template: &Value,
    ) -> Result<Created, Failure> {
        let request = self
            .http
            .post(self.url(&[account, "message_templates"], &[]))
            .timeout(self.timeout)
            .header(CONTENT_TYPE, "application/json")
            .body(template.to_string());
        let answer = read(request, token).await?;
        let id = text(&answer, "id").ok_or_else(|| failure(Class::Transient, "Meta's answer names no template"))?;
        let status = text(&answer, "status").unwrap_or_else(|| "PENDING".to_owned());
        Ok(Created { id, status, category: text(&answer, "category") })
    }

    /// Deletes a template: in all languages, or only the one with this id.
    pub async fn delete_template(
        &self,
        token: &SecretString,
        account: &str,
        name: &str,
        id: Option<&str>,
    ) -> Result<(), Failure> {
        let mut query = vec![("name", name)];
        query.extend(id.map(|id| ("hsm_id", id)));
        let url = self.url(&[account, "message_templates"], &query);
        match self.ask(Method::DELETE, url, token).await?.get("success") {
            Some(Value::Bool(true)) => Ok(()),
            _ => Err(failure(Class::Transient, "Meta's answer does not say success")),
        }
    }
}

fn template(value: Value) -> Option<Template> {
    let Value::Object(mut it) = value else { return None };
    let quality = it.get("quality_score").and_then(Value::as_object);
    let quality = quality.and_then(|quality| text(quality, "score"));
    let word = |it: &Map<String, Value>, name: &str| text(it, name).filter(|word| word != "NONE");
    Some(Template {
        id: text(&it, "id"),
        name: text(&it, "name")?,
        language: text(&it, "language")?,
        status: text(&it, "status")?,
        reason: word(&it, "rejected_reason"),
        category: text(&it, "category"),
        correct_category: word(&it, "correct_category"),
        quality,
        components: it.remove("components").unwrap_or_else(|| Value::Array(Vec::new())),
    })
}
