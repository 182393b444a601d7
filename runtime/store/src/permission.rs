//! Whether a message may go to its contact now: Meta's window for free-form messages, and the contact's opt-out of
//! marketing.
//!
//! The insert of a message looks itself ([`crate::outbound`]) and leaves out what may not go; here is what becomes of
//! that. Sends are refused. What a flow decides has no caller to be refused to: it is kept as a dead letter.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::conversation_settings::WINDOW;
use crate::outbound::{self, Addressed, Inserted, Outbound};

/// `last_inbound_at` may be so much older than the contact's last message.
pub(crate) const PRECISION: TimeDelta = TimeDelta::seconds(60);

/// A contact that wrote last at or before this moment may be sent templates only.
pub(crate) fn window_start(now: DateTime<Utc>) -> DateTime<Utc> {
    now - WINDOW - PRECISION
}

/// Why a message may not go out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It is free-form, and the contact wrote too long ago.
    OutsideWindow {
        /// When, to a minute.
        last_inbound_at: Option<DateTime<Utc>>,
        /// What the tenant wants sent in its place.
        template: Option<String>,
    },
    /// It is marketing, and the contact has opted out.
    OptedOut {
        /// When.
        since: Option<DateTime<Utc>>,
    },
}

impl Refusal {
    fn error(&self) -> Value {
        match self {
            Refusal::OutsideWindow { last_inbound_at, .. } => json!({
                "class": "outside_window", "lastInboundAt": last_inbound_at,
                "message": "the contact wrote more than 24 hours ago; until it writes again Meta takes templates only",
            }),
            Refusal::OptedOut { since } => json!({
                "class": "opted_out", "since": since, "message": "the contact has opted out of marketing messages",
            }),
        }
    }

    /// The template that goes out in place of this message.
    pub fn replacement(&self, message: &Outbound) -> Option<Outbound> {
        let Refusal::OutsideWindow { template: Some(template), .. } = self else { return None };
        let payload: Value = serde_json::from_str(template).ok()?;
        // Nobody misses a reaction.
        let body = payload.pointer("/template/name").and_then(Value::as_str).map(str::to_owned);
        (message.kind != "reaction").then(|| Outbound {
            kind: "template".to_owned(),
            body,
            payload: template.clone(),
            free_form: false,
            ..message.clone()
        })
    }
}

/// Why these were left out, by message.
pub(crate) async fn judge(
    db: &mut PgConnection,
    left_out: &[&Addressed<'_>],
) -> Result<HashMap<Uuid, Refusal>, sqlx::Error> {
    // Primary keys.
    let rows = sqlx::query!(
        r#"select k.place as "place!", cv.last_inbound_at, ct.opted_out, ct.consent_at,
                  case when t.outside_window = 'template' and ch.kind = 'whatsapp' then t.window_template::text end
                      as template
           from unnest($1::uuid[], $2::uuid[]) with ordinality as k (tenant_id, conversation_id, place)
           cross join lateral (
               select last_inbound_at, contact_id, channel_id from conversations
               where tenant_id = k.tenant_id and id = k.conversation_id limit 1
           ) as cv
           join contacts ct on ct.tenant_id = any (array[k.tenant_id]) and ct.id = cv.contact_id
           join channels ch on ch.tenant_id = k.tenant_id and ch.id = cv.channel_id
           join tenants t on t.id = k.tenant_id"#,
        &left_out.iter().map(|one| one.tenant_id).collect::<Vec<_>>(),
        &left_out.iter().map(|one| one.place.conversation_id).collect::<Vec<_>>()
    )
    .fetch_all(db)
    .await?;
    let refusals = rows.into_iter().filter_map(|row| {
        let message = left_out.get(usize::try_from(row.place).ok()? - 1)?.message;
        let opted_out = message.marketing && (row.opted_out || !message.free_form);
        let refusal = if opted_out {
            Refusal::OptedOut { since: row.consent_at }
        } else {
            Refusal::OutsideWindow { last_inbound_at: row.last_inbound_at, template: row.template }
        };
        Some((message.id, refusal))
    });
    Ok(refusals.collect())
}

/// Messages that were to be inserted and were not, though nothing is there in their place.
pub(crate) fn left_out<'a, 'b>(
    messages: &'a [Addressed<'b>],
    new: &HashSet<Uuid>,
    there: &HashMap<Uuid, Uuid>,
) -> Vec<&'a Addressed<'b>> {
    let is_there = |one: &Addressed<'_>| new.contains(&one.message.id) || there.contains_key(&one.message.id);
    messages.iter().filter(|one| !is_there(one)).collect()
}

/// Messages of flows that were not inserted: those that may not go out are replaced, or kept as dead letters. Adds what
/// that comes to; gives the dead letters.
pub(crate) async fn bury(
    db: &mut PgConnection,
    messages: &[Addressed<'_>],
    inserted: &mut Inserted,
    now: DateTime<Utc>,
    lease: TimeDelta,
) -> Result<Vec<(Uuid, Uuid)>, sqlx::Error> {
    if messages.iter().all(|one| inserted.new.contains(&one.message.id)) {
        return Ok(Vec::new());
    }
    let not_new = messages.iter().filter(|one| !inserted.new.contains(&one.message.id));
    let there = outbound::there_already(db, not_new).await?;
    let left_out = left_out(messages, &inserted.new, &there);
    if left_out.is_empty() {
        return Ok(Vec::new());
    }
    let refusals = judge(db, &left_out).await?;
    // One template opens the conversation again: what else the flow said there stays unsaid.
    let mut opened = HashSet::new();
    let replaced: Vec<(Outbound, &Addressed<'_>)> = left_out
        .iter()
        .filter_map(|one| Some((refusals.get(&one.message.id)?.replacement(one.message)?, *one)))
        .filter(|(_, one)| opened.insert((one.tenant_id, one.place.conversation_id)))
        .collect();
    let replaced: Vec<Addressed<'_>> =
        replaced.iter().map(|(message, one)| Addressed { message, lane: None, ..(*one).clone() }).collect();
    inserted.add(outbound::insert(db, &replaced, now, lease).await?);
    let dead: Vec<(&Addressed<'_>, &Refusal)> = left_out
        .iter()
        .filter(|one| !inserted.new.contains(&one.message.id))
        .filter_map(|one| Some((*one, refusals.get(&one.message.id)?)))
        .collect();
    if dead.is_empty() {
        return Ok(Vec::new());
    }
    let ids = sqlx::query!(
        r#"with dead as (
             insert into messages (tenant_id, id, conversation_id, direction, status, kind, body, payload,
                                   idempotency_key, event_id, marketing, error, dead_at, created_at, updated_at)
             select tenant_id, id, conversation_id, 'OUT', 'failed', kind, body, payload::json, idempotency_key,
                    event_id, marketing, error::json, $11, $11, $11
             from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[],
                         $8::bigint[], $9::bool[], $10::text[])
                  as k (tenant_id, id, conversation_id, kind, body, payload, idempotency_key, event_id, marketing, error)
             on conflict (tenant_id, idempotency_key) where idempotency_key is not null do nothing
             returning tenant_id, id, error
         ), told as (
             insert into message_statuses (tenant_id, message_id, status, occurred_at, recorded_at, detail)
             select tenant_id, id, 'failed', $11, $11, error from dead
         )
         select tenant_id as "tenant_id!", id as "id!" from dead"#,
        &dead.iter().map(|(one, _)| one.tenant_id).collect::<Vec<_>>(),
        &dead.iter().map(|(one, _)| one.message.id).collect::<Vec<_>>(),
        &dead.iter().map(|(one, _)| one.place.conversation_id).collect::<Vec<_>>(),
        &dead.iter().map(|(one, _)| one.message.kind.clone()).collect::<Vec<_>>(),
        &dead.iter().map(|(one, _)| one.message.body.clone()).collect::<Vec<_>>() as &[Option<String>],
        &dead.iter().map(|(one, _)| one.message.payload.clone()).collect::<Vec<_>>(),
        &dead.iter().map(|(one, _)| one.message.idempotency_key.clone()).collect::<Vec<_>>() as &[Option<String>],
        &dead.iter().map(|(one, _)| one.message.event_id).collect::<Vec<_>>() as &[Option<i64>],
        &dead.iter().map(|(one, _)| one.message.marketing).collect::<Vec<_>>(),
        &dead.iter().map(|(_, refusal)| refusal.error().to_string()).collect::<Vec<_>>(),
        now
    )
    .fetch_all(db)
    .await?;
    Ok(ids.into_iter().map(|row| (row.tenant_id, row.id)).collect())
}
