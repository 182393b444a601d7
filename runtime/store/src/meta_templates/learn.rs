//! What Meta tells of templates becomes known.
//!
//! Each part of a row (status, category, quality) goes with the moment at which Meta told it, so that webhooks may come
//! in any order and any number of times. Meta's clock counts in seconds: of two that it told within one, the order in
//! which they came says nothing. Then what is settled counts before what is not approved yet, what stops messages before
//! what lets them go out, marketing before other categories, and of two alike the greater text.
//!
//! A status that Meta sends no messages with also stands among the account's template suspensions, which delivery looks
//! at, unless it is only not approved yet; one that lets them go out takes the suspension away.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{APPROVED, Known, STOPPED, is_sent};
use crate::suspended_templates::{TemplateSuspension, resume, suspend};
use crate::{Error, Store};

/// Statuses with which Meta sends nothing that are no stop: the template was never sent, and its way goes on by itself.
const NOT_YET: [&str; 2] = ["IN_APPEAL", "PENDING"];
/// Longest pause of a template at Meta is six hours; after this time it is tried again though no webhook came.
const PAUSE: TimeDelta = TimeDelta::hours(24);
/// What is stopped otherwise stays so until Meta says something else.
const LONG: TimeDelta = TimeDelta::days(3650);

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
                    resume(&mut tx, (tenant_id, waba_id), &one.name, &one.language).await?;
                }
            } else if one.status.is_some() && !NOT_YET.contains(&status.as_str()) {
                let reason = match reason {
                    Some(reason) => format!("{status}: {reason}"),
                    None => status.clone(),
                };
                let until = now + if status == "PAUSED" { PAUSE } else { LONG };
                let (name, language) = (one.name.clone(), one.language.clone());
                let suspension =
                    TemplateSuspension { waba_id: Some(waba_id.to_owned()), name, language, reason, until };
                suspend(&mut tx, &mut notices, tenant_id, &suspension, now).await?;
            }
        }
        let told = notices.write(&mut tx, now).await?;
        tx.commit().await?;
        if told {
            self.wakes.webhooks.notify_one();
        }
        Ok(())
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
