//! Templates as Meta has them: what its webhooks, its answers and its list say.

mod learn;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{Error, Store};

/// A template whose messages Meta sends.
const APPROVED: &str = "APPROVED";
/// Statuses with which Meta sends nothing.
const STOPPED: [&str; 8] =
    ["ARCHIVED", "DELETED", "DISABLED", "IN_APPEAL", "PAUSED", "PENDING", "PENDING_DELETION", "REJECTED"];

/// What Meta says of a template, at a moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// Its name.
    pub name: String,
    /// Its language, `en_US` for example.
    pub language: String,
    /// When Meta said so.
    pub at: DateTime<Utc>,
    /// Meta's id.
    pub meta_id: Option<String>,
    /// The status, by [`status_of`], and its reason.
    pub status: Option<(String, Option<String>)>,
    /// The category that counts, and the one that will.
    pub category: Option<(String, Option<String>)>,
    /// `GREEN`, `YELLOW`, `RED` or `UNKNOWN`.
    pub quality: Option<String>,
    /// Meta's list: JSON text.
    pub components: Option<String>,
    /// The components have changed and are not known.
    pub stale: bool,
}

/// A template.
#[derive(Debug, Clone)]
pub struct MetaTemplate {
    /// Meta's id of the business account.
    pub waba_id: String,
    /// Its name.
    pub name: String,
    /// Its language.
    pub language: String,
    /// Meta's id.
    pub meta_id: Option<String>,
    /// Meta's word; `UNKNOWN` before it was told.
    pub status: String,
    /// Why.
    pub reason: Option<String>,
    /// The category that counts.
    pub category: Option<String>,
    /// The category that will count, when a change was announced.
    pub next_category: Option<String>,
    /// `GREEN`, `YELLOW`, `RED` or `UNKNOWN`.
    pub quality: Option<String>,
    /// Meta's list: JSON text.
    pub components: Option<String>,
    /// The components have changed since they were read.
    pub stale: bool,
    /// When it became known.
    pub created_at: DateTime<Utc>,
    /// When something of it changed.
    pub updated_at: DateTime<Utc>,
}

/// What to list.
#[derive(Debug, Clone, Default)]
pub struct TemplateFilter {
    /// One name only.
    pub name: Option<String>,
    /// One status only.
    pub status: Option<String>,
    /// Behind this account, name and language.
    pub after: Option<(String, String, String)>,
    /// At the most.
    pub limit: i64,
}

impl Known {
    /// Nothing but that there is one.
    pub fn new(name: String, language: String, at: DateTime<Utc>) -> Self {
        Self {
            name,
            language,
            at,
            meta_id: None,
            status: None,
            category: None,
            quality: None,
            components: None,
            stale: false,
        }
    }
}

/// The status that an event of `message_template_status_update` leads to.
pub fn status_of(event: &str) -> &str {
    match event {
        // A flagged template is sent all the same, until it is disabled.
        "REINSTATED" | "FLAGGED" | "UNARCHIVED" | "UNPAUSED" => APPROVED,
        other => other,
    }
}

/// Whether Meta sends messages with a template in this status. A word that is not known passes: Meta judges.
pub fn is_sent(status: &str) -> bool {
    !STOPPED.contains(&status)
}

/// What decides whether a message may go out with a template.
#[derive(Debug, Clone)]
pub struct Sendable {
    /// Meta's id of the channel's business account.
    pub waba_id: String,
    /// As in [`is_sent`].
    pub status: String,
    /// Why it has that status.
    pub reason: Option<String>,
    /// The category that counts, when it is known.
    pub category: Option<String>,
}

impl Sendable {
    /// It is not for contacts that have opted out of marketing.
    pub fn is_marketing(&self) -> bool {
        self.category.as_deref() == Some("MARKETING")
    }
}

impl Store {
    /// A tenant's templates, by account, name and language.
    pub async fn meta_templates(&self, tenant_id: Uuid, filter: &TemplateFilter) -> Result<Vec<MetaTemplate>, Error> {
        let after = filter.after.as_ref();
        // Primary key, by tenant.
        let templates = sqlx::query_as!(
            MetaTemplate,
            r#"select waba_id, name, language, meta_id, status, reason, category, next_category, quality,
                      components::text, stale, created_at, updated_at
               from meta_templates
               where tenant_id = $1 and ($2::text is null or name = $2) and ($3::text is null or status = $3)
                 and ($4::text is null or (waba_id, name, language) > ($4, $5, $6))
               order by waba_id, name, language limit $7"#,
            tenant_id,
            filter.name,
            filter.status,
            after.map(|it| it.0.as_str()),
            after.map(|it| it.1.as_str()),
            after.map(|it| it.2.as_str()),
            filter.limit
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(templates)
    }

    /// What is known of the template that a message of this channel would be sent with; `None`: nothing.
    pub async fn template_status(
        &self,
        tenant_id: Uuid,
        channel_id: Uuid,
        name: &str,
        language: &str,
    ) -> Result<Option<Sendable>, Error> {
        // Primary keys.
        let found = sqlx::query_as!(
            Sendable,
            "select t.waba_id, t.status, t.reason, t.category from channels c
             join meta_templates t on t.tenant_id = c.tenant_id and t.waba_id = c.waba_id
             where c.tenant_id = $1 and c.id = $2 and t.name = $3 and t.language = $4",
            tenant_id,
            channel_id,
            name,
            language
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(found)
    }

    /// Forgets templates of an account that Meta does not have any more: those of this name and perhaps language, or all
    /// that nothing was learned of since `before`. Gives how many.
    pub async fn forget_templates(
        &self,
        tenant_id: Uuid,
        waba_id: &str,
        name: Option<&str>,
        language: Option<&str>,
        before: DateTime<Utc>,
    ) -> Result<u64, Error> {
        // Primary keys, by tenant and account. A suspension of what is gone would outlive it.
        let gone = sqlx::query!(
            "with gone as (
                 delete from meta_templates
                 where tenant_id = $1 and waba_id = $2 and ($3::text is null or name = $3)
                   and ($4::text is null or language = $4) and updated_at < $5
                 returning name, language
             ), resumed as (
                 delete from suspended_templates s using gone g
                 where s.tenant_id = $1 and s.waba_id = $2 and s.name = g.name and s.language = g.language
             )
             select name from gone",
            tenant_id,
            waba_id,
            name,
            language,
            before
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(gone.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_lead_to_statuses_that_are_sent_or_not() {
        for (event, sent) in [
            ("APPROVED", true),
            ("FLAGGED", true),
            ("REINSTATED", true),
            ("PAUSED", false),
            ("DISABLED", false),
            ("REJECTED", false),
            ("PENDING", false),
            ("PENDING_DELETION", false),
            ("SOMETHING_NEW", true),
        ] {
            assert_eq!(is_sent(status_of(event)), sent, "{event}");
        }
        assert!(STOPPED.is_sorted());
    }
}
