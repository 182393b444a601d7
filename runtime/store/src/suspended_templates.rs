//! Templates that Meta has stopped, by business account: delivery does not try them for a time.
//!
//! That time begins with a message that Meta refuses for its template, or reports as failed for it, or with what Meta says
//! of the template ([`crate::meta_templates`]); it ends by itself, or when Meta approves of the template again.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::journal::Progress;
use crate::webhooks::notices::Notices;
use crate::webhooks::types;
use crate::{Error, Store};

/// How long a template is not tried of which Meta has said with a message that it is paused or disabled.
pub const PAUSE: TimeDelta = TimeDelta::hours(1);

/// Stands for the account of numbers whose account is not known, as if they shared one. Meta's webhooks name an account,
/// so none is about this one: what is stopped there was refused with a message, and goes on by itself.
const UNKNOWN: &str = "";

/// A template that Meta has paused or disabled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateSuspension {
    /// Meta's id of the business account. None: of the tenant's numbers whose account is not known.
    pub waba_id: Option<String>,
    /// As Meta knows it.
    pub name: String,
    /// Its language.
    pub language: String,
    /// What Meta said.
    pub reason: String,
    /// Not tried before.
    pub until: DateTime<Utc>,
}

impl Store {
    /// Keeps a template from being tried before `until`.
    pub async fn suspend_template(&self, tenant_id: Uuid, suspension: &TemplateSuspension) -> Result<(), Error> {
        let now = self.ambient.now();
        let mut tx = self.pool.begin().await?;
        let mut notices = self.notices();
        suspend(&mut tx, &mut notices, tenant_id, suspension, now).await?;
        let told = notices.write(&mut tx, now).await?;
        tx.commit().await?;
        if told {
            self.wakes.webhooks.notify_one();
        }
        Ok(())
    }

    /// What keeps the template of a status' message from being tried, for this reason. None: it is no message of ours with
    /// a template.
    pub async fn reported_template(
        &self,
        status: &Progress,
        reason: String,
    ) -> Result<Option<TemplateSuspension>, Error> {
        // Primary keys, or else index messages_metas_id.
        let found = sqlx::query!(
            r#"select c.waba_id, m.name as "name!", coalesce(m.language, '') as "language!"
               from channels c
               cross join lateral (
                   (select payload #>> '{template,name}' as name, payload #>> '{template,language,code}' as language
                    from messages
                    where tenant_id = $1 and id = $3 and direction = 'OUT' limit 1)
                   union all
                   (select payload #>> '{template,name}', payload #>> '{template,language,code}'
                    from messages
                    where tenant_id = $1 and wa_message_id = $4 and direction = 'OUT' limit 1)
                   limit 1
               ) as m
               where c.tenant_id = $1 and c.id = $2 and m.name is not null"#,
            status.item.tenant_id,
            status.item.channel_id,
            status.message_id,
            status.wa_message_id
        )
        .fetch_optional(&self.pool)
        .await?;
        let until = self.ambient.now() + PAUSE;
        Ok(found.map(|it| TemplateSuspension {
            waba_id: it.waba_id,
            name: it.name,
            language: it.language,
            reason,
            until,
        }))
    }

    /// The tenant's templates that are not tried at present, of all its accounts.
    pub async fn suspended_templates(&self, tenant_id: Uuid) -> Result<Vec<TemplateSuspension>, Error> {
        // Primary key, by tenant.
        let suspended = sqlx::query_as!(
            TemplateSuspension,
            "select nullif(s.waba_id, $3) as waba_id, s.name, s.language, s.reason, s.until from suspended_templates s
             where s.tenant_id = $1 and s.until > $2 order by s.waba_id, s.name, s.language",
            tenant_id,
            self.ambient.now(),
            UNKNOWN
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(suspended)
    }
}

/// Keeps a template from being tried, within a transaction that tells of it at its end.
pub(crate) async fn suspend(
    db: &mut PgConnection,
    notices: &mut Notices,
    tenant_id: Uuid,
    suspension: &TemplateSuspension,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let TemplateSuspension { waba_id, name, language, reason, until } = suspension;
    let account = waba_id.as_deref().unwrap_or(UNKNOWN);
    // Primary key.
    let before = sqlx::query_scalar!(
        "select until from suspended_templates
         where tenant_id = $1 and waba_id = $2 and name = $3 and language = $4 for update",
        tenant_id,
        account,
        name,
        language
    )
    .fetch_optional(&mut *db)
    .await?;
    sqlx::query!(
        "insert into suspended_templates (tenant_id, waba_id, name, language, reason, at, until)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (tenant_id, waba_id, name, language) do update set reason = $5, at = $6, until = $7",
        tenant_id,
        account,
        name,
        language,
        reason,
        now,
        until
    )
    .execute(db)
    .await?;
    if before.is_none_or(|until| until <= now) {
        let cause = format!("{account}/{name}/{language}/{}", now.timestamp_micros());
        notices.other(
            tenant_id,
            types::TEMPLATE_SUSPENDED,
            &cause,
            now,
            || json!({ "wabaId": waba_id, "name": name, "language": language, "reason": reason, "until": until }),
        );
    }
    Ok(())
}

/// Lets messages with the template go out again by the numbers of this account.
pub(crate) async fn resume(
    db: &mut PgConnection,
    (tenant_id, waba_id): (Uuid, &str),
    name: &str,
    language: &str,
) -> Result<(), sqlx::Error> {
    // Primary key.
    sqlx::query!(
        "delete from suspended_templates where tenant_id = $1 and waba_id = $2 and name = $3 and language = $4",
        tenant_id,
        waba_id,
        name,
        language
    )
    .execute(db)
    .await?;
    Ok(())
}
