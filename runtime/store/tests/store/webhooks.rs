//! Webhooks, step by step: what is told, who is claimed, what is kept and for how long.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::TimeDelta;
use hoopoe_secrets::Sealed;
use hoopoe_store::Store;
use hoopoe_store::lanes::{Births, Claim};
use hoopoe_store::suspended_templates::TemplateSuspension;
use hoopoe_store::webhooks::{NewWebhook, NoticeAsk, Turn};
use hoopoe_testing::eventually;
use uuid::Uuid;

use crate::ground::Ground;

const LEASE: TimeDelta = TimeDelta::seconds(30);
const CONTACT: &str = "16505551234";

async fn webhook(ground: &Ground, store: &Store, types: &[&str]) -> Uuid {
    let new = NewWebhook {
        id: ground.ambient.id(),
        url: "https://example.com/".to_owned(),
        types: types.iter().map(|kind| (*kind).to_owned()).collect(),
        description: None,
        secret: Sealed { key_id: "k".to_owned(), bytes: vec![1; 40] },
    };
    store.create_webhook(ground.tenant_id, &new).await.unwrap();
    new.id
}

#[tokio::test]
async fn only_an_event_that_is_given_up_is_told_as_a_failure() {
    let ground = Ground::new().await;
    let store = ground.process();
    webhook(&ground, &store, &["flow.failed"]).await;
    for (result, told) in [
        ("done", 0),
        ("retry", 0),
        ("unwanted", 0),
        ("handed-off", 0),
        ("canary-failed", 0),
        ("paused", 0),
        ("panic", 1),
        ("reject", 2),
    ] {
        store.append(&[ground.message(CONTACT, result)], Births::NONE).await.unwrap();
        let work = store.claim_events(&Claim::of(1, LEASE)).await.unwrap().remove(0);
        let mut advance = ground.answered(work);
        Arc::get_mut(&mut advance).unwrap().handled.last_mut().unwrap().run.result = result.to_owned();
        assert_eq!(store.commit_runs(&[advance], Births::NONE).await.unwrap().owned, [true]);
        assert_eq!(ground.db.count("select count(*) from webhook_queue").await, told, "{result}");
    }
}

#[tokio::test]
async fn an_endpoint_behind_many_that_fail_and_are_full_has_its_turn() {
    const FAILING: u128 = 130;
    let ground = Ground::new().await;
    let store = ground.process();
    let (tenant, good) = (ground.tenant_id, FAILING + 1);
    sqlx::query(
        "insert into webhooks (tenant_id, id, url, types, secret_sealed, secret_key_id, failing_since, created_at,
                               updated_at)
         select $1, lpad(to_hex(n), 32, '0')::uuid, 'https://example.com/', '{*}', '\\x00', 'k',
                case when n <= $2 then now() end, now(), now()
         from generate_series(1, $2 + 1) as n",
    )
    .bind(tenant)
    .bind(i32::try_from(FAILING).unwrap())
    .execute(&ground.db.pool)
    .await
    .unwrap();
    sqlx::query(
        "insert into webhook_queue (tenant_id, webhook_id, notice_id, type, body, ready_at, created_at)
         select tenant_id, id, 'evt_1', 'message.sent', '{}',
                $1 - case when failing_since is null then interval '0' else interval '1 minute' end, $1
         from webhooks",
    )
    .bind(ground.ambient.now())
    .execute(&ground.db.pool)
    .await
    .unwrap();
    let ask = NoticeAsk {
        limit: 10,
        lease: LEASE,
        full: Vec::new(),
        under_way: (1..=FAILING).map(|n| (Uuid::from_u128(n), 2)).collect(),
        most: 16,
        most_failing: 2,
        turn: Turn::default(),
    };
    assert_eq!(store.next_notice(&ask).await.unwrap(), Some(ground.ambient.now()));
    let (claimed, turn) = store.claim_notices(&ask).await.unwrap();
    let of: Vec<Uuid> = claimed.iter().map(|notice| notice.lease.webhook_id).collect();
    assert_eq!((of, turn), (vec![Uuid::from_u128(good)], (tenant, Uuid::from_u128(good))));
    // Those that fail have their turn as long as they have room.
    let ask = NoticeAsk { under_way: HashMap::from([(Uuid::from_u128(1), 1)]), ..ask };
    assert_eq!(store.claim_notices(&ask).await.unwrap().0.len(), 10);
}

/// A settled notice of this webhook that was made and settled so many hours ago.
async fn settled(ground: &Ground, webhook: Uuid, id: &str, made: i64, settled: i64) {
    let ago = |hours| ground.ambient.now() - TimeDelta::hours(hours);
    sqlx::query(
        "insert into webhook_deliveries (tenant_id, webhook_id, notice_id, type, body, delivered, attempts, created_at,
                                         settled_at)
         values ($1, $2, $3, 'message.sent', '{}', false, 8, $4, $5)",
    )
    .bind(ground.tenant_id)
    .bind(webhook)
    .bind(id)
    .bind(ago(made))
    .bind(ago(settled))
    .execute(&ground.db.pool)
    .await
    .unwrap();
}

#[tokio::test]
async fn a_notice_is_kept_for_its_time_from_its_settlement_on() {
    let ground = Ground::new().await;
    let store = ground.process();
    let (tenant, now) = (ground.tenant_id, ground.ambient.now());
    let id = webhook(&ground, &store, &["*"]).await;
    for number in 0..3 {
        settled(&ground, id, &format!("failed for long {number}"), 31, 1).await;
    }
    for number in 0..3 {
        settled(&ground, id, &format!("old {number}"), 30, 25).await;
    }
    let before = now - TimeDelta::days(1);
    // Those that stay are in nobody's way.
    for expected in [2, 1, 0] {
        assert_eq!(store.delete_notices_before(tenant, before, 2).await.unwrap(), expected);
    }
    let left = "select count(*) from webhook_deliveries where notice_id like 'failed%'";
    assert_eq!(ground.db.count(left).await, 3);
    assert_eq!(store.delete_notices_before(tenant, now, 10).await.unwrap(), 3);
}

#[tokio::test]
async fn what_a_deleted_webhook_has_left_is_removed() {
    let ground = Ground::new().await;
    let store = ground.process();
    let (tenant, now) = (ground.tenant_id, ground.ambient.now());
    let (gone, stays) = (webhook(&ground, &store, &["*"]).await, webhook(&ground, &store, &["*"]).await);
    for id in [gone, stays] {
        settled(&ground, id, "evt_1", 0, 0).await;
        assert!(store.test_webhook(tenant, id).await.unwrap().is_some());
    }
    // As a process leaves it that dies in the middle of the deletion.
    sqlx::query("delete from webhooks where id = $1").bind(gone).execute(&ground.db.pool).await.unwrap();
    assert_eq!(store.delete_notices_before(tenant, now - TimeDelta::days(1), 10).await.unwrap(), 2);
    let left = "select webhook_id from webhook_queue union all select webhook_id from webhook_deliveries";
    let left: Vec<Uuid> = sqlx::query_scalar(left).fetch_all(&ground.db.pool).await.unwrap();
    assert_eq!(left, [stays; 2]);
}

#[tokio::test]
async fn a_deletion_and_a_settlement_do_not_wait_for_each_other() {
    let ground = Ground::new().await;
    let store = ground.process();
    let tenant = ground.tenant_id;
    let id = webhook(&ground, &store, &["*"]).await;
    store.test_webhook(tenant, id).await.unwrap().unwrap();
    // As a settlement does it: the notice, and then its webhook.
    let mut settlement = ground.db.pool.begin().await.unwrap();
    sqlx::query("select from webhook_queue for update").fetch_one(&mut *settlement).await.unwrap();
    let deletion = tokio::spawn(async move { store.delete_webhook(tenant, id).await });
    let waits = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    eventually("the deletion waits for the notice", async || ground.db.count(waits).await == 1).await;
    sqlx::query("update webhooks set failing_since = now()").execute(&mut *settlement).await.unwrap();
    settlement.commit().await.unwrap();
    assert!(deletion.await.unwrap().unwrap());
    assert_eq!(ground.db.count("select count(*) from webhook_queue").await, 0);
}

#[tokio::test]
async fn nobody_is_woken_when_nobody_is_told() {
    let ground = Ground::new().await;
    let store = ground.process();
    let (tenant, channel) = (ground.tenant_id, ground.channel_id);
    store.append(&[ground.message(CONTACT, "a")], Births::NONE).await.unwrap();
    let conversation: Uuid =
        sqlx::query_scalar("select id from conversations").fetch_one(&ground.db.pool).await.unwrap();
    let woken = Arc::new(AtomicUsize::new(0));
    let count = woken.clone();
    store.wakes.webhooks.tell_others(move || {
        count.fetch_add(1, Ordering::SeqCst);
    });
    for expected in [0, 6] {
        store.suspend_channel(tenant, channel, None, "refused").await.unwrap();
        // Told once.
        store.suspend_channel(tenant, channel, None, "refused again").await.unwrap();
        assert!(store.resume_channel(tenant, "106540352242922", None, None).await.unwrap());
        let suspension = TemplateSuspension {
            waba_id: None,
            name: "offer".to_owned(),
            language: "en".to_owned(),
            reason: "paused".to_owned(),
            until: ground.ambient.now() + TimeDelta::minutes(1),
        };
        store.suspend_template(tenant, &suspension).await.unwrap();
        assert!(store.hand_off(tenant, conversation, "a person asked").await.unwrap());
        assert!(store.release(tenant, conversation).await.unwrap());
        store.pause_flow(tenant, "auto-reply", None, "it fails").await.unwrap();
        assert!(store.resume_flow(tenant, "auto-reply").await.unwrap());
        assert_eq!(woken.load(Ordering::SeqCst), expected);
        assert_eq!(ground.db.count("select count(*) from webhook_queue").await, expected as i64);
        webhook(&ground, &store, &["*"]).await;
        ground.ambient.advance(TimeDelta::minutes(2));
    }
}
