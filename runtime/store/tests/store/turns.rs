//! Turns: fifty who have much waiting share claims that have no place for all of them. At a quantum of six, 42 of them
//! and a part of another one's fill 256 places.

use std::collections::{HashMap, HashSet};

use chrono::TimeDelta;
use hoopoe_store::lanes::Claim;
use hoopoe_store::scheduled::Moved;
use hoopoe_store::webhooks::{NoticeAsk, Turn};

use crate::ground::Ground;

const LIMIT: usize = 256;
const LEASE: TimeDelta = TimeDelta::seconds(30);

#[tokio::test]
async fn two_moves_serve_each_of_fifty_tenants() {
    let ground = Ground::new().await;
    let store = ground.process();
    sqlx::query(
        "insert into scheduled (tenant_id, message_id, contact_id, channel_id, send_at, priority)
         select lpad(to_hex(t), 32, '0')::uuid, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), $1, 2
         from generate_series(1, 50) as t, generate_series(1, 12)",
    )
    .bind(ground.ambient.now())
    .execute(&ground.db.pool)
    .await
    .unwrap();
    for _ in 0..2 {
        assert_eq!(store.move_due(LIMIT).await.unwrap(), Moved::Here(LIMIT));
    }
    assert_eq!(ground.db.count("select count(distinct tenant_id) from outbox").await, 50);
}

#[tokio::test]
async fn two_claims_serve_each_of_fifty_tenants() {
    let ground = Ground::new().await;
    let store = ground.process();
    sqlx::query(
        "insert into lanes (tenant_id, contact_id, stage, ready_at, done_event)
         select lpad(to_hex(t), 32, '0')::uuid, gen_random_uuid(), 0, $1, 0
         from generate_series(1, 50) as t, generate_series(1, 12)",
    )
    .bind(ground.ambient.now())
    .execute(&ground.db.pool)
    .await
    .unwrap();
    let mut served = HashSet::new();
    for _ in 0..2 {
        let work = store.claim_events(&Claim::of(LIMIT, LEASE)).await.unwrap();
        assert_eq!(work.len(), LIMIT);
        served.extend(work.iter().map(|work| work.lease.lane.tenant_id));
    }
    assert_eq!(served.len(), 50);
}

#[tokio::test]
async fn a_claim_with_places_for_all_leaves_nobody_out() {
    let ground = Ground::new().await;
    let store = ground.process();
    sqlx::query(
        "insert into lanes (tenant_id, contact_id, stage, ready_at, done_event)
         select lpad(to_hex(t), 32, '0')::uuid, gen_random_uuid(), 0, $1, 0 from generate_series(1, 50) as t",
    )
    .bind(ground.ambient.now())
    .execute(&ground.db.pool)
    .await
    .unwrap();
    assert_eq!(store.claim_events(&Claim::of(LIMIT, LEASE)).await.unwrap().len(), 50);
}

#[tokio::test]
async fn two_claims_serve_each_of_fifty_endpoints() {
    let ground = Ground::new().await;
    let store = ground.process();
    sqlx::query(
        "insert into webhooks (tenant_id, id, url, types, secret_sealed, secret_key_id, created_at, updated_at)
         select $1, lpad(to_hex(n), 32, '0')::uuid, 'https://example.com/', '{*}', '\\x00', 'k', $2, $2
         from generate_series(1, 50) as n",
    )
    .bind(ground.tenant_id)
    .bind(ground.ambient.now())
    .execute(&ground.db.pool)
    .await
    .unwrap();
    sqlx::query(
        "insert into webhook_queue (tenant_id, webhook_id, notice_id, type, body, ready_at, created_at)
         select tenant_id, id, 'evt_' || n, 'message.sent', '{}', $1, $1 from webhooks, generate_series(1, 12) as n",
    )
    .bind(ground.ambient.now())
    .execute(&ground.db.pool)
    .await
    .unwrap();
    let mut ask = NoticeAsk {
        limit: LIMIT,
        lease: LEASE,
        full: Vec::new(),
        under_way: HashMap::new(),
        most: 16,
        most_failing: 2,
        turn: Turn::default(),
    };
    let mut served = HashSet::new();
    for _ in 0..2 {
        let (claimed, turn) = store.claim_notices(&ask).await.unwrap();
        assert_eq!(claimed.len(), LIMIT);
        served.extend(claimed.iter().map(|notice| notice.lease.webhook_id));
        ask.turn = turn;
    }
    assert_eq!(served.len(), 50);
}
