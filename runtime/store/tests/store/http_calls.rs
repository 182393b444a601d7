//! HTTP calls, step by step: queued with a run, claimed by one process, answered once.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::TimeDelta;
use hoopoe_store::Store;
use hoopoe_store::http_calls::{Answered, Call, NewCall, Share};
use uuid::Uuid;

use crate::ground::Ground;
use hoopoe_store::lanes::{Births, Claim};

const LEASE: TimeDelta = TimeDelta::seconds(30);
/// What the requests below may take.
const TIMEOUT: TimeDelta = TimeDelta::seconds(5);
const REQUEST: &str = r#"{"method": "GET", "timeoutMs": 5000}"#;

fn alone() -> Share {
    Share { under_way: HashMap::new(), most: 100 }
}

async fn claim(store: &Store, limit: i64) -> Vec<Call> {
    store.claim_calls(limit, LEASE, alone()).await.unwrap()
}

fn answer(call: &Call, body: &str) -> Arc<Answered> {
    Arc::new(Answered { lease: call.lease, raw: format!(r#"{{"name": "{}", "body": "{body}"}}"#, call.name) })
}

/// A contact writes, and the flow asks for calls of these names.
async fn ask(ground: &Ground, store: &Store, message: &str, names: &[&str]) {
    store.append(&[ground.message("16505551234", message)], Births::NONE).await.unwrap();
    let work = store.claim_events(&Claim::of(1, LEASE)).await.unwrap().remove(0);
    let mut advance = ground.answered(work);
    let handled = Arc::get_mut(&mut advance).unwrap().handled.last_mut().unwrap();
    handled.calls = names
        .iter()
        .map(|name| NewCall {
            id: ground.ambient.id(),
            tenant_id: ground.tenant_id,
            conversation_id: handled.event.conversation_id,
            contact_id: handled.event.contact_id,
            channel_id: handled.event.around.channel_id,
            plugin: Some("shop".to_owned()),
            name: (*name).to_owned(),
            request: REQUEST.to_owned(),
        })
        .collect();
    assert_eq!(store.commit_runs(&[advance], Births::NONE).await.unwrap().owned, [true]);
}

async fn names_of(ground: &Ground) -> Vec<String> {
    let query = "select raw->>'name' from events where kind = 'http-response' order by id";
    sqlx::query_scalar(query).fetch_all(&ground.db.pool).await.unwrap()
}

#[tokio::test]
async fn a_call_has_one_owner_and_one_answer() {
    let ground = Ground::new().await;
    let (one, other) = (ground.process(), ground.process());
    ask(&ground, &one, "a", &["first", "second", "third"]).await;
    assert_eq!(one.next_call(&alone()).await.unwrap(), Some(ground.ambient.now()));

    let calls = claim(&one, 2).await;
    let rest = claim(&other, 10).await;
    assert_eq!((calls.len(), rest.len()), (2, 1));
    assert!(claim(&one, 10).await.is_empty() && claim(&other, 10).await.is_empty());
    assert_eq!(one.next_call(&alone()).await.unwrap(), Some(ground.ambient.now() + TIMEOUT + LEASE));
    for call in calls.iter().chain(&rest) {
        assert_eq!((call.attempt, call.plugin.as_deref()), (1, Some("shop")));
        assert!(call.hosts.is_empty(), "there is no such plugin");
        assert_eq!(call.created_at, ground.ambient.now());
    }

    let answers = [answer(&calls[0], "a"), answer(&calls[1], "b"), answer(&calls[0], "again")];
    assert_eq!(one.settle_calls(&answers).await.unwrap(), [true, true, false]);
    assert_eq!(one.settle_calls(&answers).await.unwrap(), [false; 3]);
    assert_eq!(other.settle_calls(&[answer(&rest[0], "c")]).await.unwrap(), [true]);
    let mut named = names_of(&ground).await;
    named.sort();
    assert_eq!(named, ["first", "second", "third"]);
    assert_eq!(ground.db.count("select count(*) from http_calls").await, 0);
    let work = one.claim_events(&Claim::of(1, LEASE)).await.unwrap().remove(0);
    assert!(work.events.iter().all(|event| event.kind == "http-response") && work.events.len() == 3);
}

#[tokio::test]
async fn a_former_owner_writes_nothing() {
    let ground = Ground::new().await;
    let (former, present) = (ground.process(), ground.process());
    ask(&ground, &former, "a", &["stock"]).await;
    let late = claim(&former, 1).await.remove(0);
    ground.ambient.advance(TIMEOUT + LEASE - TimeDelta::microseconds(1));
    assert!(claim(&present, 1).await.is_empty(), "it is still owned");
    ground.ambient.advance(TimeDelta::microseconds(1));
    let call = claim(&present, 1).await.remove(0);
    assert_eq!((call.lease.id, call.attempt), (late.lease.id, 2));
    assert!(call.lease.token > late.lease.token, "tokens grow");

    assert_eq!(former.settle_calls(&[answer(&late, "late")]).await.unwrap(), [false]);
    assert!(!former.retry_call(late.lease, ground.ambient.now()).await.unwrap());
    assert!(names_of(&ground).await.is_empty());
    assert_eq!(ground.db.count("select count(*) from lanes where stage = 0").await, 0);
    // Both in one transaction: the owner's answer counts, in whatever place.
    let both = [answer(&call, "present"), answer(&late, "late")];
    assert_eq!(present.settle_calls(&both).await.unwrap(), [true, false]);
    let body: String = sqlx::query_scalar("select raw->>'body' from events where kind = 'http-response'")
        .fetch_one(&ground.db.pool)
        .await
        .unwrap();
    assert_eq!(body, "present");
    assert_eq!(former.settle_calls(&[answer(&late, "late")]).await.unwrap(), [false]);
}

#[tokio::test]
async fn a_call_that_is_given_back_waits_until_its_time() {
    let ground = Ground::new().await;
    let store = ground.process();
    ask(&ground, &store, "a", &["stock"]).await;
    let call = claim(&store, 1).await.remove(0);
    let at = ground.ambient.now() + TimeDelta::seconds(2);
    assert!(store.retry_call(call.lease, at).await.unwrap());
    assert!(!store.retry_call(call.lease, at).await.unwrap(), "given back is given back");
    assert_eq!(store.settle_calls(&[answer(&call, "too late")]).await.unwrap(), [false]);
    assert_eq!(store.next_call(&alone()).await.unwrap(), Some(at));
    assert!(claim(&store, 1).await.is_empty());
    ground.ambient.advance(TimeDelta::seconds(2));
    let again = claim(&store, 1).await.remove(0);
    assert_eq!((again.attempt, again.created_at), (2, call.created_at));
    assert_eq!(store.settle_calls(&[answer(&again, "in time")]).await.unwrap(), [true]);
}

/// One tenant has asked for much; another's call is behind all that.
#[tokio::test]
async fn a_tenant_with_many_calls_leaves_room_for_others() {
    let ground = Ground::new().await;
    let store = ground.process();
    let stranger = Uuid::from_u128(7);
    ask(&ground, &store, "a", &["a", "b", "c", "d", "e"]).await;
    ground.db.execute("update http_calls set tenant_id = '00000000-0000-0000-0000-000000000007'").await;
    ground.ambient.advance(TimeDelta::seconds(1));
    ask(&ground, &store, "b", &["own"]).await;

    let mut share = Share { under_way: HashMap::new(), most: 2 };
    let first = store.claim_calls(4, LEASE, share.clone()).await.unwrap();
    assert!(first.len() == 2 && first.iter().all(|call| call.lease.tenant_id == stranger), "{first:?}");
    share.under_way.insert(stranger, 2);
    assert_eq!(store.next_call(&share).await.unwrap(), Some(ground.ambient.now()), "the other tenant's");
    let second = store.claim_calls(4, LEASE, share.clone()).await.unwrap();
    assert_eq!(second.iter().map(|call| call.name.as_str()).collect::<Vec<_>>(), ["own"]);
    share.under_way.insert(ground.tenant_id, 1);
    assert_eq!(store.next_call(&share).await.unwrap(), Some(ground.ambient.now() + TIMEOUT + LEASE));
    share.under_way.insert(ground.tenant_id, 2);
    assert_eq!(store.next_call(&share).await.unwrap(), None, "nobody has room");
    assert!(store.claim_calls(4, LEASE, share).await.unwrap().is_empty());
}

#[tokio::test]
async fn requests_that_say_nothing_of_their_time_are_owned_as_long_as_the_longest() {
    let ground = Ground::new().await;
    let store = ground.process();
    ask(&ground, &store, "a", &["stock"]).await;
    for (request, seconds) in [
        (r#"{}"#, 30),
        (r#"{"timeoutMs": "soon"}"#, 30),
        (r#"{"timeoutMs": null}"#, 30),
        (r#"{"timeoutMs": 600000}"#, 30),
        (r#"{"timeoutMs": 1500.5}"#, 1),
        (r#"[]"#, 30),
    ] {
        sqlx::query("update http_calls set request = $1::text::json, ready_at = $2")
            .bind(request)
            .bind(ground.ambient.now())
            .execute(&ground.db.pool)
            .await
            .unwrap();
        assert_eq!(claim(&store, 1).await.len(), 1, "{request}");
        let until = store.next_call(&alone()).await.unwrap().unwrap();
        assert_eq!((until - ground.ambient.now() - LEASE).num_seconds(), seconds, "{request}");
    }
}
