//! Templates as Meta has them: what its webhooks, its answers and its list say.
//!
//! Each part of a row (status, category, quality) goes with the moment at which Meta told it, so that webhooks may come
//! in any order and any number of times. Meta's clock counts in seconds: of two that it told within one, the order in
//! which they came says nothing. Then what is settled counts before what is not approved yet, what stops messages before
//! what lets them go out, marketing before other categories, and of two alike the greater text.
//!
//! A status that Meta sends no messages with also stands among the template suspensions, which delivery looks at, unless
//! it is only not approved yet; one that lets them go out takes the suspension away.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::channels::{TemplateSuspension, suspend_template};
use crate::{Error, Store};

/// A template whose messages Meta sends.
const APPROVED: &str = "APPROVED";
/// Statuses with which Meta sends nothing.
const STOPPED: [&str; 8] =
    ["ARCHIVED", "DELETED", "DISABLED", "IN_APPEAL", "PAUSED", "PENDING", "PENDING_DELETION", "REJECTED"];
/// Those of them that are no stop: the template was never sent, and its flow of life goes on by itself.
const NOT_YET: [&str; 2] = ["IN_APPEAL", "PENDING"];
/// Longest pause of a template at Meta is six hours; after this time it is tried again though no webhook came.
const PAUSE: TimeDelta = TimeDelta::hours(24);
/// What is stopped otherwise stays so until Meta says something else.
const LONG: TimeDelta = TimeDelta::days(3650);

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
    /// Keeps what Meta says, in one transaction.
    pub async fn learn_templates(&self, tenant_id: Uuid, waba_id: &str, known: &[Known]) -> Result<(), Error> {
        let now = self.ambient.now();
        let mut known: Vec<&Known> = known.iter().collect();
        // Locks are taken in the order of keys.
        known.sort_by(|a, b| (&a.name, &a.language).cmp(&(&b.name, &b.language)));
        let mut tx = self.pool.begin().await?;
        let mut notices = self.notices();
        for one in known {
            let (status, reason) = learn(&mut tx, (tenant_id, waba_id), one, now).await?;
            if is_sent(&status) {
                // Words that are not known say nothing about a suspension.
                if status == APPROVED && one.status.is_some() {
                    resume(&mut tx, tenant_id, one).await?;
                }
            } else if one.status.is_some() && !NOT_YET.contains(&status.as_str()) {
                let reason = match reason {
                    Some(reason) => format!("{status}: {reason}"),
                    None => status.clone(),
                };
                let until = now + if status == "PAUSED" { PAUSE } else { LONG };
                let (name, language) = (one.name.clone(), one.language.clone());
                let suspension = TemplateSuspension { name, language, reason, until };
                suspend_template(&mut tx, &mut notices, tenant_id, &suspension, now).await?;
            }
        }
        let told = notices.write(&mut tx, now).await?;
        tx.commit().await?;
        if told {
            self.wakes.webhooks.notify_one();
        }
        Ok(())
    }

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
            "select t.status, t.reason, t.category from channels c
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
                 delete from template_suspensions s using gone g
                 where s.tenant_id = $1 and s.name = g.name and s.language = g.language
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

/// Gives status and reason as they are now.
async fn learn(
    db: &mut PgConnection,
    (tenant_id, waba_id): (Uuid, &str),
    one: &Known,
    now: DateTime<Utc>,
) -> Result<(String, Option<String>), sqlx::Error> {
    let (status, category) = (one.status.as_ref(), one.category.as_ref());
    // Primary key. What Meta has not told is as old as can be.
    let row = sqlx::query!(
        r#"insert into meta_templates as t
               (tenant_id, waba_id, name, language, meta_id, status, reason, status_at, category, next_category,
                category_at, quality, quality_at, components, stale, created_at, updated_at)
           values ($1, $2, $3, $4, $5, coalesce($6, 'UNKNOWN'), $7,
                   case when $6::text is null then 'epoch' else $12::timestamptz end, $8, $9,
                   case when $8::text is null then 'epoch' else $12 end, $10,
                   case when $10::text is null then 'epoch' else $12 end, $11::text::json, $13, $14, $14)
           on conflict (tenant_id, waba_id, name, language) do update set
               meta_id = coalesce(excluded.meta_id, t.meta_id),
               (status, reason, status_at) = (
                   select s.status, s.reason, s.at
                   from (values (t.status, t.reason, t.status_at),
                                (excluded.status, excluded.reason, excluded.status_at)) as s (status, reason, at)
                   order by s.at desc, s.status = any ($15::text[]), s.status = any ($16::text[]) desc,
                            s.status collate "C" desc, s.reason collate "C" desc nulls last
                   limit 1),
               (category, next_category, category_at) = (
                   select c.category, c.next_category, c.at
                   from (values (t.category, t.next_category, t.category_at),
                                (excluded.category, excluded.next_category, excluded.category_at))
                        as c (category, next_category, at)
                   order by c.at desc, c.category = 'MARKETING' desc nulls last, c.category collate "C" desc nulls last,
                            c.next_category collate "C" desc nulls last
                   limit 1),
               (quality, quality_at) = (
                   select q.quality, q.at
                   from (values (t.quality, t.quality_at), (excluded.quality, excluded.quality_at)) as q (quality, at)
                   order by q.at desc, q.quality collate "C" desc nulls last
                   limit 1),
               components = coalesce(excluded.components, t.components),
               stale = case when excluded.components is not null then false else t.stale or $13 end,
               updated_at = $14
           returning status, reason"#,
        tenant_id,
        waba_id,
        one.name,
        one.language,
        one.meta_id,
        status.map(|it| it.0.as_str()),
        status.and_then(|it| it.1.as_deref()),
        category.map(|it| it.0.as_str()),
        category.and_then(|it| it.1.as_deref()),
        one.quality,
        one.components,
        one.at,
        one.stale,
        now,
        &NOT_YET as &[&str],
        &STOPPED as &[&str]
    )
    .fetch_one(db)
    .await?;
    Ok((row.status, row.reason))
}

/// Lets messages with the template go out again.
async fn resume(db: &mut PgConnection, tenant_id: Uuid, one: &Known) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from template_suspensions where tenant_id = $1 and name = $2 and language = $3",
        tenant_id,
        one.name,
        one.language
    )
    .execute(db)
    .await?;
    Ok(())
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
