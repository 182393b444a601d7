//! Scheduled messages, step by step: who moves them, whose come first, and what a cancellation meets.

use std::sync::Arc;

use chrono::TimeDelta;
use hoopoe_secrets::Sealed;
use hoopoe_store::Store;
use hoopoe_store::contacts::Party;
use hoopoe_store::lanes::Births;
use hoopoe_store::outbound::{Outbound, SendRequest};
use hoopoe_store::scheduled::Moved;
use hoopoe_store::tenants::Registration;
use uuid::Uuid;

use crate::ground::Ground;

/// A text to this contact, due so many seconds from now.
fn request(ground: &Ground, party: Party, seconds: i64) -> Arc<SendRequest> {
    let message = Outbound {
        id: ground.ambient.id(),
        kind: "text".to_owned(),
        body: None,
        payload: r#"{"type": "text", "text": {"body": "hello"}}"#.to_owned(),
        idempotency_key: None,
        event_id: None,
        send_at: Some(ground.ambient.now() + TimeDelta::seconds(seconds)),
        expires_at: None,
        max_attempts: None,
        marketing: false,
        free_form: true,
        trace: None,
    };
    Arc::new(SendRequest { party, message, priority: 1 })
}

/// Schedules messages to so many contacts of a tenant.
async fn schedule(store: &Store, ground: &Ground, party: impl Fn(String) -> Party, count: usize) -> Vec<Uuid> {
    let contact = |number: usize| party(format!("1650555{number:04}"));
    let requests: Vec<_> = (0..count).map(|number| request(ground, contact(number), 60)).collect();
    store.enqueue(&requests, Births::NONE).await.unwrap();
    requests.iter().map(|request| request.message.id).collect()
}

async fn outbox(ground: &Ground, tenant_id: Uuid) -> i64 {
    let count = sqlx::query_scalar("select count(*) from outbox where tenant_id = $1").bind(tenant_id);
    count.fetch_one(&ground.db.pool).await.unwrap()
}

#[tokio::test]
async fn what_is_due_is_moved_and_nothing_before() {
    let ground = Ground::new().await;
    let store = ground.process();
    schedule(&store, &ground, |wa_id| ground.party(&wa_id), 5).await;
    assert_eq!(store.next_scheduled().await.unwrap(), Some(ground.ambient.now() + TimeDelta::seconds(60)));
    ground.ambient.advance(TimeDelta::seconds(60) - TimeDelta::microseconds(1));
    assert_eq!(store.move_due(10).await.unwrap(), Moved::Here(0));
    assert_eq!(ground.db.count("select count(*) from lanes").await, 0, "it is in nobody's way");
    ground.ambient.advance(TimeDelta::microseconds(1));
    assert_eq!(store.move_due(3).await.unwrap(), Moved::Here(3));
    assert_eq!(store.move_due(3).await.unwrap(), Moved::Here(2));
    assert_eq!(store.move_due(3).await.unwrap(), Moved::Here(0));
    assert_eq!(store.next_scheduled().await.unwrap(), None);
    assert_eq!(ground.db.count("select count(*) from lanes where stage = 1 and priority = 1").await, 5);
}

#[tokio::test]
async fn tenants_take_turns() {
    let ground = Ground::new().await;
    let store = ground.process();
    let registration = Registration {
        tenant_id: ground.ambient.id(),
        name: "Quiet".to_owned(),
        phone_number_id: "206540352242922".to_owned(),
        waba_id: None,
        token: Sealed { key_id: "k".to_owned(), bytes: vec![1; 40] },
        key_prefix: "hoopoe_test".to_owned(),
        key_sha256: [8; 32],
    };
    let quiet = store.register(&registration).await.unwrap();
    let (tenant_id, channel_id) = (quiet.id, quiet.channels[0].id);
    schedule(&store, &ground, |wa_id| ground.party(&wa_id), 100).await;
    schedule(&store, &ground, |wa_id| Party { tenant_id, channel_id, wa_id: Some(wa_id), user_id: None }, 4).await;
    ground.ambient.advance(TimeDelta::seconds(61));
    assert_eq!(store.move_due(10).await.unwrap(), Moved::Here(9), "five of each, as far as there are");
    assert_eq!((outbox(&ground, ground.tenant_id).await, outbox(&ground, tenant_id).await), (5, 4));
    assert_eq!(store.move_due(10).await.unwrap(), Moved::Here(10));
    // One place at a time goes from one to the next.
    schedule(&store, &ground, |wa_id| Party { tenant_id, channel_id, wa_id: Some(wa_id), user_id: None }, 2).await;
    ground.ambient.advance(TimeDelta::seconds(61));
    let before = outbox(&ground, tenant_id).await;
    for _ in 0..4 {
        assert_eq!(store.move_due(1).await.unwrap(), Moved::Here(1));
    }
    assert_eq!(outbox(&ground, tenant_id).await, before + 2);
}

#[tokio::test]
async fn one_process_at_a_time_moves_and_each_message_is_moved_once() {
    let ground = Ground::new().await;
    let stores = [ground.process(), ground.process(), ground.process()];
    schedule(&stores[0], &ground, |wa_id| ground.party(&wa_id), 200).await;
    ground.ambient.advance(TimeDelta::seconds(60));
    // Somebody else is at it: nobody waits for them.
    let mut other = ground.db.pool.begin().await.unwrap();
    sqlx::query("select pg_advisory_xact_lock('scheduled'::regclass::oid::integer, 0)")
        .execute(&mut *other)
        .await
        .unwrap();
    assert_eq!(stores[0].move_due(10).await.unwrap(), Moved::Elsewhere);
    other.rollback().await.unwrap();

    let moving = stores.clone().map(|store| {
        tokio::spawn(async move {
            let mut moved = 0;
            while store.next_scheduled().await.unwrap().is_some() {
                if let Moved::Here(count) = store.move_due(7).await.unwrap() {
                    moved += count;
                }
            }
            moved
        })
    });
    let mut moved = 0;
    for process in moving {
        moved += process.await.unwrap();
    }
    assert_eq!((moved, outbox(&ground, ground.tenant_id).await), (200, 200));
}

#[tokio::test]
async fn a_cancellation_wins_or_loses_against_the_move_whole() {
    let ground = Ground::new().await;
    let (mover, other) = (ground.process(), ground.process());
    let ids = schedule(&mover, &ground, |wa_id| ground.party(&wa_id), 100).await;
    ground.ambient.advance(TimeDelta::seconds(60));
    let moving = tokio::spawn(async move {
        while mover.next_scheduled().await.unwrap().is_some() {
            mover.move_due(3).await.unwrap();
        }
    });
    for id in &ids {
        // In the outbox or not yet: nobody has sent it, so it can be taken back.
        assert_eq!(other.cancel(ground.tenant_id, *id).await.unwrap(), Some(true));
    }
    moving.await.unwrap();
    assert_eq!(outbox(&ground, ground.tenant_id).await, 0);
    assert_eq!(ground.db.count("select count(*) from messages where status = 'canceled'").await, 100);
}
