//! The floor of the database side: the rows that the runtime writes for one inbound message (event, message, lane),
//! into the same tables, through one connection, 100 messages per commit, in one statement.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use chrono::Utc;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::webhooks;

const BATCH: usize = 100;

/// Each array has a place for each message.
const INSERT: &str = "
    with k as materialized (
        select nextval('events_id_seq') as event_id, u.*
        from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::text[], $7::text[])
             as u (tenant_id, channel_id, contact_id, conversation_id, message_id, external_id, raw)
    ), lane as (
        insert into lanes (tenant_id, contact_id, stage, ready_at, done_event)
        select tenant_id, contact_id, 0, $8, event_id - 1 from k
        on conflict (tenant_id, contact_id, stage) do update set ready_at = lanes.ready_at
    ), event as (
        insert into events (tenant_id, id, channel_id, conversation_id, contact_id, kind, external_id, raw,
                            occurred_at, received_at)
        overriding system value
        select tenant_id, event_id, channel_id, conversation_id, contact_id, 'message', external_id, raw::json, $8, $8
        from k
        on conflict (tenant_id, channel_id, kind, external_id) do nothing
    )
    insert into messages (tenant_id, id, conversation_id, direction, status, kind, body, wa_message_id, event_id,
                          created_at, updated_at)
    select tenant_id, message_id, conversation_id, 'IN', 'received', 'text', $9, external_id, event_id, $8, $8
    from k";

/// Tenant, channel, contact, conversation, and the contact's WhatsApp id.
type Place = (Uuid, Uuid, Uuid, Uuid, String);

/// Writes rows of contacts in turn.
pub struct Rows {
    places: Vec<Place>,
    written: u64,
}

impl Rows {
    /// Of the contacts that have written before; at least a batch of them.
    pub async fn of_all_contacts(db: &mut PgConnection) -> Result<Self> {
        let places: Vec<Place> = sqlx::query_as(
            "select v.tenant_id, v.channel_id, v.contact_id, v.id, c.wa_id
             from conversations v join contacts c on c.tenant_id = v.tenant_id and c.id = v.contact_id
             order by c.wa_id",
        )
        .fetch_all(db)
        .await?;
        anyhow::ensure!(places.len() >= BATCH, "only {} contacts have written", places.len());
        Ok(Rows { places, written: 0 })
    }

    /// How many messages so far, in all.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Writes one batch after the other; gives how many messages and in which time.
    pub async fn write(&mut self, db: &mut PgConnection, time: Duration) -> Result<(u64, Duration)> {
        let (start, before) = (Instant::now(), self.written);
        while start.elapsed() < time {
            self.batch(db).await.context("the floor's rows")?;
        }
        Ok((self.written - before, start.elapsed()))
    }

    async fn batch(&mut self, db: &mut PgConnection) -> Result<()> {
        let now = Utc::now();
        let numbers = self.written..self.written + BATCH as u64;
        let places: Vec<&Place> =
            numbers.clone().map(|number| &self.places[number as usize % self.places.len()]).collect();
        let ids: Vec<String> =
            numbers.map(|number| format!("wamid.HBgLMTU1NTAwMDAwMDAVAgASGBQy{number:016X}")).collect();
        let items: Vec<String> =
            places.iter().zip(&ids).map(|(place, id)| webhooks::item(&place.4, id, now.timestamp())).collect();
        sqlx::query(INSERT)
            .bind(places.iter().map(|place| place.0).collect::<Vec<_>>())
            .bind(places.iter().map(|place| place.1).collect::<Vec<_>>())
            .bind(places.iter().map(|place| place.2).collect::<Vec<_>>())
            .bind(places.iter().map(|place| place.3).collect::<Vec<_>>())
            .bind(places.iter().map(|_| Uuid::now_v7()).collect::<Vec<_>>())
            .bind(ids)
            .bind(items)
            .bind(now)
            .bind(webhooks::TEXT)
            .execute(db)
            .await?;
        self.written += BATCH as u64;
        Ok(())
    }
}
