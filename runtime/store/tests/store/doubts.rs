//! Messages of which nobody knows whether Meta has them: news of them ends the wait, and nothing else does.

use std::sync::Arc;

use chrono::TimeDelta;
use hoopoe_store::Store;
use hoopoe_store::dead_letters::Which;
use hoopoe_store::deliveries::{Delivery, Settled, Settlement, Verdict};
use hoopoe_store::journal::{Arrival, Kept, Progress};
use hoopoe_store::lanes::{Births, Claim};

use crate::ground::Ground;

const LEASE: TimeDelta = TimeDelta::seconds(30);
const DOUBT: TimeDelta = TimeDelta::minutes(10);

/// The answers to these messages of one contact, the first of which is under way.
async fn under_way(ground: &Ground, store: &Store, messages: usize) -> Delivery {
    for n in 0..messages {
        store.append(&[ground.message("16505551234", &format!("m{n}"))], Births::NONE).await.unwrap();
        let work = store.claim_events(&Claim::of(1, LEASE)).await.unwrap().pop().unwrap();
        store.commit_runs(&[ground.answered(work)], Births::NONE).await.unwrap();
    }
    claim(store).await.unwrap()
}

async fn claim(store: &Store) -> Option<Delivery> {
    store.claim_deliveries(&Claim::of(1, LEASE), DOUBT).await.unwrap().pop()
}

fn sent(delivery: &Delivery) -> Arc<Settlement> {
    settlement(delivery, Verdict::Sent { wa_message_id: format!("wamid.{}", delivery.message_id) })
}

fn dead(delivery: &Delivery) -> Arc<Settlement> {
    settlement(delivery, Verdict::Dead { error: "{}".to_owned(), expired: false, asked: true })
}

fn settlement(delivery: &Delivery, verdict: Verdict) -> Arc<Settlement> {
    let (lease, message_id, attempts) = (delivery.lease, delivery.message_id, delivery.attempt);
    Arc::new(Settlement { lease, message_id, attempts, verdict })
}

#[tokio::test]
async fn an_acceptance_that_comes_late_ends_the_wait() {
    let ground = Ground::new().await;
    let store = ground.process();
    let first = under_way(&ground, &store, 2).await;
    // Its owner is held up; whoever comes next does not know, and waits.
    ground.ambient.advance(LEASE);
    assert!(claim(&store).await.is_none());
    assert_eq!(ground.db.count("select count(*) from outbox where state = 'unknown'").await, 1);
    assert_eq!(store.settle(&[sent(&first)]).await.unwrap(), [Settled::Lost], "the lane is not its any more");

    // What is known by now is taken out, and the next message goes.
    let next = match claim(&store).await {
        Some(next) => Some(next),
        None => claim(&store).await,
    };
    let next = next.expect("nothing is in doubt any more");
    assert_ne!(next.message_id, first.message_id);
    assert_eq!(store.settle(&[sent(&next)]).await.unwrap(), [Settled::Written]);
    assert_eq!(ground.db.count("select count(*) from lanes where stage = 1").await, 0);
}

#[tokio::test]
async fn a_status_does_not_take_a_lane_from_its_owner() {
    let ground = Ground::new().await;
    let store = ground.process();
    let first = under_way(&ground, &store, 2).await;
    // As when a claim that ended the doubt has not written down yet that it sends.
    ground.db.execute("update outbox set state = 'unknown' where state = 'sending'").await;
    let status = Arrival::Status(Progress {
        item: ground.item("status", "s1"),
        wa_message_id: "wamid.1".to_owned(),
        message_id: Some(first.message_id),
        status: "sent".to_owned(),
        error: None,
        for_flow: false,
    });
    store.append(&[status.into()], Births::NONE).await.unwrap();
    ground.ambient.advance(TimeDelta::seconds(2));
    assert!(claim(&store).await.is_none(), "the lane is still owned");
    assert_eq!(store.settle(&[sent(&first)]).await.unwrap(), [Settled::Written]);
}

#[tokio::test]
async fn what_a_status_has_told_of_is_not_given_up() {
    let ground = Ground::new().await;
    let store = ground.process();
    let first = under_way(&ground, &store, 2).await;
    let status = Arrival::Status(Progress {
        item: ground.item("status", "s1"),
        wa_message_id: "wamid.1".to_owned(),
        message_id: Some(first.message_id),
        status: "delivered".to_owned(),
        error: None,
        for_flow: false,
    });
    store.append(&[status.into()], Births::NONE).await.unwrap();
    assert_eq!(store.settle(&[dead(&first)]).await.unwrap(), [Settled::Spared]);
    let delivered =
        "select count(*) from messages where direction = 'OUT' and status = 'delivered' and dead_at is null";
    assert_eq!(ground.db.count(delivered).await, 1);
    let next = claim(&store).await.unwrap();
    assert_eq!(store.settle(&[dead(&next)]).await.unwrap(), [Settled::Written], "of this one nothing is known");
    assert_eq!(store.settle(&[dead(&next)]).await.unwrap(), [Settled::Lost]);
}

#[tokio::test]
async fn what_was_in_doubt_by_the_death_of_its_owner_cannot_be_canceled_after_a_redrive() {
    let ground = Ground::new().await;
    let store = ground.process();
    let refused = under_way(&ground, &store, 2).await;
    assert_eq!(store.settle(&[dead(&refused)]).await.unwrap(), [Settled::Written]);
    let lost = claim(&store).await.unwrap();
    ground.ambient.advance(LEASE);
    assert!(claim(&store).await.is_none(), "nobody knows whether the first owner sent it");
    let told = "select count(*) from message_statuses where status = 'unknown' and detail->>'class' = 'ambiguous'";
    assert_eq!(ground.db.count(told).await, 1);
    ground.ambient.advance(DOUBT);
    let again = claim(&store).await.unwrap();
    assert_eq!(again.message_id, lost.message_id);
    assert_eq!(store.settle(&[dead(&again)]).await.unwrap(), [Settled::Written]);

    let both = [refused.message_id, lost.message_id];
    let which = Which::These(both.to_vec());
    assert_eq!(store.redrive(ground.tenant_id, &which, TimeDelta::days(1)).await.unwrap(), both);
    for (id, expected) in both.into_iter().zip([true, false]) {
        assert_eq!(store.cancel(ground.tenant_id, id).await.unwrap(), Some(expected), "{id}");
    }
}

/// Statuses that nobody is told of are found, and move their messages up, in one statement.
#[tokio::test]
async fn statuses_of_one_batch_are_each_news_once() {
    let ground = Ground::new().await;
    let store = ground.process();
    let delivery = under_way(&ground, &store, 1).await;
    store.settle(&[sent(&delivery)]).await.unwrap();
    let ours = format!("wamid.{}", delivery.message_id);
    let status = |id: &str, wa_message_id: &str, by_our_id: bool, status: &str| {
        Arc::new(Arrival::Status(Progress {
            item: ground.item("status", id),
            wa_message_id: wa_message_id.to_owned(),
            message_id: by_our_id.then_some(delivery.message_id),
            status: status.to_owned(),
            error: None,
            for_flow: false,
        }))
    };
    let batch = [
        status("s1", &ours, false, "read"),
        status("s2", &ours, true, "delivered"),
        status("s3", &ours, true, "read"),
        status("s4", "wamid.of.nobody", false, "sent"),
    ];
    let (new, repeated) = (Kept::New, Kept::Repeated);
    assert_eq!(store.append(&batch, Births::NONE).await.unwrap().kept, [new, new, repeated, new]);
    assert_eq!(store.append(&batch, Births::NONE).await.unwrap().kept, [repeated; 4]);
    for (rows, expected) in [
        ("select count(*) from messages where direction = 'OUT' and status = 'read'", 1),
        ("select count(*) from message_statuses where status in ('delivered', 'read')", 2),
        ("select count(*) from events where kind = 'status' and conversation_id is null", 1),
    ] {
        assert_eq!(ground.db.count(rows).await, expected, "{rows}");
    }
}
