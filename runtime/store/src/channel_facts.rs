//! What Meta tells of a number or its account outside of any message: quality, limits, names, restrictions, alerts.
//!
//! One row per channel and kind: the latest counts, by Meta's clock, which counts in seconds. Of two of one second the
//! greater text counts: which of them came first says nothing. What concerns the account counts for every channel that
//! the tenant has there.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::webhooks::notices::Notices;
use crate::webhooks::types;
use crate::{Error, Store};

/// Something that was told.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// `quality`, `name`, `account`, `review`, `capability`, `security`, `error`, or `alert:` with the type of alert.
    pub kind: Cow<'static, str>,
    /// As `docs/conversations.md` has it.
    pub value: Value,
    /// When, by Meta's clock, as far as it tells.
    pub told_at: DateTime<Utc>,
    /// It concerns the whole account.
    pub of_account: bool,
}

/// What was told last of one kind.
#[derive(Debug, Clone)]
pub struct KnownFact {
    /// As in [`Fact`].
    pub kind: String,
    /// As in [`Fact`].
    pub value: Value,
    /// When.
    pub told_at: DateTime<Utc>,
}

/// A fact with the channel that it came by, and the event that brought it.
pub(crate) struct Told<'a> {
    pub tenant_id: Uuid,
    pub channel_id: Uuid,
    pub event_id: i64,
    pub fact: &'a Fact,
}

/// Writes facts down, one after the other: they are few, and of several of one kind the order decides.
pub(crate) async fn record(db: &mut PgConnection, told: &[Told<'_>], notices: &mut Notices) -> Result<(), sqlx::Error> {
    for Told { tenant_id, channel_id, event_id, fact } in told {
        // Primary keys, and index channels_waba_id.
        let changed = sqlx::query!(
            r#"with told as (
                 insert into channel_facts (tenant_id, channel_id, kind, value, told_at)
                 select c.tenant_id, c.id, $4, $5::text::json, $6
                 from channels o
                 join channels c on c.tenant_id = o.tenant_id and (c.id = o.id or ($3 and c.waba_id = o.waba_id))
                 where o.tenant_id = $1 and o.id = $2
                 order by c.id
                 on conflict (tenant_id, channel_id, kind) do update set value = excluded.value, told_at = excluded.told_at
                 where (channel_facts.told_at, channel_facts.value::text collate "C")
                       < (excluded.told_at, excluded.value::text collate "C")
                 returning tenant_id, channel_id
             )
             select c.id, c.phone_number_id from told t
             join channels c on c.tenant_id = t.tenant_id and c.id = t.channel_id"#,
            tenant_id,
            channel_id,
            fact.of_account,
            &*fact.kind,
            fact.value.to_string(),
            fact.told_at
        )
        .fetch_all(&mut *db)
        .await?;
        for channel in changed {
            let cause = format!("{event_id}/{}", channel.id);
            notices.other(*tenant_id, types::CHANNEL_UPDATED, &cause, fact.told_at, || {
                json!({
                    "channelId": channel.id, "phoneNumberId": channel.phone_number_id, "kind": fact.kind,
                    "value": fact.value,
                })
            });
        }
    }
    Ok(())
}

impl Store {
    /// What Meta told last of one of the tenant's numbers, the newest first; `None` when the tenant has no such number.
    pub async fn channel_facts(
        &self,
        tenant_id: Uuid,
        phone_number_id: &str,
    ) -> Result<Option<(Uuid, Vec<KnownFact>)>, Error> {
        let Some(channel_id) = self.channel(tenant_id, Some(phone_number_id)).await? else { return Ok(None) };
        // Primary key. What a tenant's own app signs may name any number of alerts.
        let facts = sqlx::query_as!(
            KnownFact,
            r#"select kind, value as "value: Value", told_at from channel_facts
               where tenant_id = $1 and channel_id = $2 order by told_at desc, kind limit 100"#,
            tenant_id,
            channel_id
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(Some((channel_id, facts)))
    }
}
