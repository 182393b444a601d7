//! The floor of the database side: the writes without which no message can be answered, in tables of their own that
//! have nothing but what these writes need.
//!
//! Four writes in three commits, because each must be safe before the next step may begin: customer and inbound
//! message before the webhook is acknowledged, the reply before it is sent, its being sent after that. Each for 100
//! messages at once, through UNNEST.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use chrono::Utc;
use sqlx::{Executor, PgConnection};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::database::Database;
use crate::webhooks;

const BATCH: usize = 100;
/// Of each connection.
const CUSTOMERS: usize = 1000;

const TABLES: &str = "
    create schema floor;
    create table floor.customers (
        tenant_id uuid not null, wa_id text not null, seen_at timestamptz not null,
        primary key (tenant_id, wa_id)
    ) with (fillfactor = 80);
    create table floor.messages (
        tenant_id uuid not null, id uuid not null, wa_id text not null, direction text not null, status text not null,
        body text not null, wa_message_id text, created_at timestamptz not null, updated_at timestamptz not null,
        primary key (tenant_id, id)
    ) with (fillfactor = 80);
    create unique index on floor.messages (tenant_id, wa_message_id) where wa_message_id is not null;";

const ARRIVE: &str = "
    with k as materialized (
        select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) as k (tenant_id, id, wa_id, wa_message_id)
    ), customer as (
        insert into floor.customers select tenant_id, wa_id, $5 from k
        on conflict (tenant_id, wa_id) do update set seen_at = excluded.seen_at
    )
    insert into floor.messages select tenant_id, id, wa_id, 'IN', 'received', $6, wa_message_id, $5, $5 from k
    on conflict do nothing";

const REPLY: &str = "
    insert into floor.messages select tenant_id, id, wa_id, 'OUT', 'sending', $5, null, $4, $4
    from unnest($1::uuid[], $2::uuid[], $3::text[]) as k (tenant_id, id, wa_id)";

const SENT: &str = "
    update floor.messages m set status = 'sent', wa_message_id = k.wa_message_id, updated_at = $4
    from unnest($1::uuid[], $2::uuid[], $3::text[]) as k (tenant_id, id, wa_message_id)
    where m.tenant_id = k.tenant_id and m.id = k.id";

/// Creates the tables.
pub async fn prepare(db: &mut PgConnection) -> Result<()> {
    db.execute(TABLES).await.context("the floor's tables").map(|_| ())
}

/// Writes through some connections at once; gives how many messages were answered and in which time.
pub async fn run(database: &Database, connections: usize, time: Duration) -> Result<(u64, Duration)> {
    let mut open = Vec::new();
    for _ in 0..connections {
        open.push(database.connect().await?);
    }
    let start = Instant::now();
    let mut running = JoinSet::new();
    for (place, mut db) in open.into_iter().enumerate() {
        running.spawn(async move {
            let mut answered = 0;
            while start.elapsed() < time {
                batch(&mut db, place, answered).await.context("the floor's writes")?;
                answered += BATCH;
            }
            anyhow::Ok(answered as u64)
        });
    }
    let mut answered = 0;
    while let Some(ended) = running.join_next().await {
        answered += ended.context("a task of the floor")??;
    }
    Ok((answered, start.elapsed()))
}

async fn batch(db: &mut PgConnection, place: usize, first: usize) -> Result<(), sqlx::Error> {
    let customers: Vec<usize> = (first..first + BATCH).map(|number| place * CUSTOMERS + number % CUSTOMERS).collect();
    let tenants: Vec<Uuid> = customers.iter().map(|customer| Uuid::from_u128(*customer as u128 % 10)).collect();
    let wa_ids: Vec<String> = customers.iter().map(|customer| webhooks::wa_id(*customer)).collect();
    let ids = || -> Vec<Uuid> { (0..BATCH).map(|_| Uuid::now_v7()).collect() };
    let wamids = |ids: &[Uuid]| -> Vec<String> { ids.iter().map(|id| format!("wamid.{}", id.simple())).collect() };
    let (inbound, outbound, now) = (ids(), ids(), Utc::now());
    let arrival = sqlx::query(ARRIVE).bind(&tenants).bind(&inbound).bind(&wa_ids).bind(wamids(&inbound));
    arrival.bind(now).bind(webhooks::TEXT).execute(&mut *db).await?;
    let reply = sqlx::query(REPLY).bind(&tenants).bind(&outbound).bind(&wa_ids);
    reply.bind(now).bind("thanks for reaching us\n- team Bench 0").execute(&mut *db).await?;
    let sent = sqlx::query(SENT).bind(&tenants).bind(&outbound).bind(wamids(&outbound));
    sent.bind(now).execute(db).await.map(|_| ())
}
