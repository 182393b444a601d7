//! The floor of the database side: the writes without which no message can be answered or sent, in tables of their own
//! that have nothing but what these writes need. Each for 100 messages at once, through UNNEST.
//!
//! Each commit must be safe before the next step may begin. An answer: customer and inbound message before the webhook
//! is acknowledged, the reply before it is sent, its being sent after that. A send: customer and message, under its
//! idempotency key, before the request is acknowledged, its being sent after that.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use chrono::Utc;
use sqlx::{Executor, PgConnection};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::database::{self, Database};
use crate::report::{PRODUCT, Report};
use crate::world::World;
use crate::{requests, webhooks};

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
        body text not null, wa_message_id text, key text, created_at timestamptz not null, updated_at timestamptz not null,
        primary key (tenant_id, id)
    ) with (fillfactor = 80);
    create unique index on floor.messages (tenant_id, wa_message_id) where wa_message_id is not null;
    create unique index on floor.messages (tenant_id, key) where key is not null;";

const ARRIVE: &str = "
    with k as materialized (
        select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) as k (tenant_id, id, wa_id, wa_message_id)
    ), customer as (
        insert into floor.customers select tenant_id, wa_id, $5 from k
        on conflict (tenant_id, wa_id) do update set seen_at = excluded.seen_at
    )
    insert into floor.messages select tenant_id, id, wa_id, 'IN', 'received', $6, wa_message_id, null, $5, $5 from k
    on conflict do nothing";

const REPLY: &str = "
    insert into floor.messages select tenant_id, id, wa_id, 'OUT', 'sending', $5, null, null, $4, $4
    from unnest($1::uuid[], $2::uuid[], $3::text[]) as k (tenant_id, id, wa_id)";

const SEND: &str = "
    with k as materialized (
        select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) as k (tenant_id, id, wa_id, key)
    ), customer as (
        insert into floor.customers select tenant_id, wa_id, $5 from k
        on conflict (tenant_id, wa_id) do update set seen_at = excluded.seen_at
    )
    insert into floor.messages select tenant_id, id, wa_id, 'OUT', 'sending', $6, null, key, $5, $5 from k
    on conflict do nothing";

const SENT: &str = "
    update floor.messages m set status = 'sent', wa_message_id = k.wa_message_id, updated_at = $4
    from unnest($1::uuid[], $2::uuid[], $3::text[]) as k (tenant_id, id, wa_message_id)
    where m.tenant_id = k.tenant_id and m.id = k.id";

/// What is written of each message.
#[derive(Debug, Clone, Copy)]
pub enum Work {
    /// A webhook and its reply.
    Answer,
    /// A message that somebody sends.
    Send,
}

/// The floor's cases: connections, and how they are called.
const CASES: [(usize, &str); 2] = [(1, "floor: 1 connection"), (2, "floor: 2 connections")];
/// Figure of a case: messages per second.
const MESSAGES: &str = "messages";
/// Figure of a case.
const POSTGRES: &str = "CPU, Postgres";

/// The figures of all cases, for plots.
pub const RATES: [(&str, &str); 2] = [(CASES[0].1, MESSAGES), (CASES[1].1, MESSAGES)];

/// Measures all cases for a phase's time each.
pub async fn measure(world: &mut World<'_>, report: &mut Report, work: Work, time: Duration) -> Result<()> {
    for (connections, case) in CASES {
        database::checkpoint(&mut world.db).await;
        let before = world.meter.read();
        let (messages, elapsed) = run(world.database, work, connections, time).await?;
        let rate = messages as f64 / elapsed.as_secs_f64();
        report.add((case, MESSAGES), "1/s", rate);
        if let Some(seconds) = world.meter.read().since(&before).postgres {
            report.add((case, POSTGRES), "s per 1,000", seconds * 1000.0 / messages as f64);
        }
        eprintln!("{case}: {rate:.0} messages/s");
    }
    Ok(())
}

/// Sets a rate and its CPU beside the floor's.
pub fn compare(report: &mut Report, case: &str, rate: &str) {
    for (_, floor) in CASES {
        report.compare((case, rate), (floor, MESSAGES));
        report.compare((case, PRODUCT), (floor, POSTGRES));
    }
}

/// Creates the tables.
pub async fn prepare(db: &mut PgConnection) -> Result<()> {
    db.execute(TABLES).await.context("the floor's tables").map(|_| ())
}

/// Writes through some connections at once; gives how many messages were written and in which time.
async fn run(database: &Database, work: Work, connections: usize, time: Duration) -> Result<(u64, Duration)> {
    let mut open = Vec::new();
    for _ in 0..connections {
        open.push(database.connect().await?);
    }
    let start = Instant::now();
    let mut running = JoinSet::new();
    for (place, mut db) in open.into_iter().enumerate() {
        running.spawn(async move {
            let mut written = 0;
            while start.elapsed() < time {
                batch(&mut db, work, place, written).await.context("the floor's writes")?;
                written += BATCH;
            }
            anyhow::Ok(written as u64)
        });
    }
    let mut written = 0;
    while let Some(ended) = running.join_next().await {
        written += ended.context("a task of the floor")??;
    }
    Ok((written, start.elapsed()))
}

async fn batch(db: &mut PgConnection, work: Work, place: usize, first: usize) -> Result<(), sqlx::Error> {
    let customers: Vec<usize> = (first..first + BATCH).map(|number| place * CUSTOMERS + number % CUSTOMERS).collect();
    let tenants: Vec<Uuid> = customers.iter().map(|customer| Uuid::from_u128(*customer as u128 % 10)).collect();
    let wa_ids: Vec<String> = customers.iter().map(|customer| requests::wa_id(*customer)).collect();
    let ids = || -> Vec<Uuid> { (0..BATCH).map(|_| Uuid::now_v7()).collect() };
    let named =
        |what: &str, ids: &[Uuid]| -> Vec<String> { ids.iter().map(|id| format!("{what}{}", id.simple())).collect() };
    let (outbound, now) = (ids(), Utc::now());
    match work {
        Work::Answer => {
            let inbound = ids();
            let arrival = sqlx::query(ARRIVE).bind(&tenants).bind(&inbound).bind(&wa_ids);
            let arrival = arrival.bind(named("wamid.", &inbound)).bind(now).bind(webhooks::TEXT);
            arrival.execute(&mut *db).await?;
            let reply = sqlx::query(REPLY).bind(&tenants).bind(&outbound).bind(&wa_ids);
            reply.bind(now).bind("thanks for reaching us\n- team Bench 0").execute(&mut *db).await?;
        }
        Work::Send => {
            let send = sqlx::query(SEND).bind(&tenants).bind(&outbound).bind(&wa_ids).bind(named("order-", &outbound));
            send.bind(now).bind("Your order is ready. You can pick it up until eight.").execute(&mut *db).await?;
        }
    }
    let sent = sqlx::query(SENT).bind(&tenants).bind(&outbound).bind(named("wamid.", &outbound));
    sent.bind(now).execute(db).await.map(|_| ())
}
