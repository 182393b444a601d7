//! `POST /whatsapp/webhook`: who may post, what is refused as a whole, and what costs one item only.

use hoopoe_testing::{APP_SECRET, Client, World};
use meta_sim::{Inbound, sign};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::answers::answer;

/// A POST as Meta makes it.
pub fn signed(api: &Client, path: &str, body: impl Into<Vec<u8>>) -> RequestBuilder {
    let body = body.into();
    let signature = sign(APP_SECRET, &body);
    let request = api.request(Method::POST, path, "").header(CONTENT_TYPE, "application/json");
    request.header("X-Hub-Signature-256", signature).body(body)
}

const NUMBER: &str = "106540352242922";
const PATH: &str = "/whatsapp/webhook";
/// Everything that a webhook can leave.
const STORED: &str = "select (select count(*) from events) + (select count(*) from unrouted_items)
    + (select count(*) from contacts) + (select count(*) from messages) + (select count(*) from lanes)";

#[tokio::test]
async fn only_meta_is_believed() {
    let world = World::builder().roles("api").start().await;
    world.api.register("Acme", NUMBER, "token").await;
    let body = world.sim.body_of(vec![Inbound::text(NUMBER, "16505551234", "hello")]);
    let right = sign(APP_SECRET, &body);
    let [digits, base64, sha1] = [
        right.trim_start_matches("sha256=").to_owned(),
        "sha256=q8Mo4nVCuAvDIsLdBHmVAVuoFF5h1lbvJYkZF8oVmVY=".to_owned(),
        right.replace("sha256", "sha1"),
    ];
    let cases = [
        ("no signature", None, "missing"),
        ("an empty one", Some(String::new()), "missing"),
        ("not of this form", Some(digits), "malformed"),
        ("another digest", Some(sha1), "malformed"),
        ("base64", Some(base64), "malformed"),
        ("too short", Some(right[..right.len() - 2].to_owned()), "malformed"),
        ("too long", Some(format!("{right}00")), "malformed"),
        ("not hex", Some(format!("sha256={}", "zz".repeat(32))), "malformed"),
        ("another secret", Some(sign("another secret", &body)), "does not fit"),
        ("of other bytes", Some(sign(APP_SECRET, b"{}")), "does not fit"),
        ("of the same JSON with a space more", Some(sign(APP_SECRET, &[&body[..], b" "].concat())), "does not fit"),
        ("zeros", Some(format!("sha256={}", "00".repeat(32))), "does not fit"),
    ];
    let post = |signature: Option<&str>, body: &[u8]| {
        let request = world.api.request(Method::POST, PATH, "").body(body.to_vec());
        answer(signature.iter().fold(request, |request, value| request.header("X-Hub-Signature-256", *value)))
    };
    for (label, signature, word) in &cases {
        post(signature.as_deref(), &body).await.refuses(label, 401, &[word]);
    }
    // The right signature over bytes that were changed on their way: the form differs, the JSON does not.
    let mut changed = body.clone();
    changed.insert(1, b' ');
    post(Some(&right), &changed).await.refuses("changed bytes", 401, &["does not fit"]);
    assert_eq!(world.db.count(STORED).await, 0);

    // Nothing but the signature was wrong. Hex digits count in any case.
    let upper = format!("sha256={}", right.trim_start_matches("sha256=").to_uppercase());
    assert_eq!(post(Some(&upper), &body).await.status, 200);
    assert!(world.db.count(STORED).await > 0);
    world.end().await;
}

#[tokio::test]
async fn what_is_no_webhook_is_refused_as_a_whole() {
    let world = World::builder().roles("api").start().await;
    let cases: [(&str, &[u8], &str); 13] = [
        ("nothing", b"", "not JSON"),
        ("not JSON", b"hello", "not JSON"),
        ("cut off", br#"{"entry": [{"changes": ["#, "not JSON"),
        ("a form", b"entry=1", "not JSON"),
        ("not UTF-8", b"{\"entry\": \"\xff\"}", "not UTF-8"),
        ("a list", b"[]", "not a webhook"),
        ("a text", b"\"entry\"", "not a webhook"),
        ("null", b"null", "not a webhook"),
        ("entries that are none", br#"{"entry": 5}"#, "not a webhook"),
        ("an empty object", b"{}", "no entry"),
        ("no entries", br#"{"object": "whatsapp_business_account", "entry": []}"#, "no entry"),
        ("an entry without changes", br#"{"entry": [{"id": "1"}]}"#, "no entry"),
        ("no changes", br#"{"entry": [{"id": "1", "changes": []}]}"#, "no entry"),
    ];
    for (label, body, word) in cases {
        answer(signed(&world.api, PATH, body)).await.refuses(label, 400, &[word]);
    }
    assert_eq!(world.db.count(STORED).await, 0);
    world.end().await;
}

#[tokio::test]
async fn without_a_secret_development_believes_everybody() {
    let world = World::builder().roles("api").set("APP_SECRET", "").start().await;
    world.api.register("Acme", NUMBER, "token").await;
    for (from, signature) in [("16505551234", None), ("16505551235", Some("sha256=nonsense".to_owned()))] {
        let body = world.sim.body_of(vec![Inbound::text(NUMBER, from, "hello")]);
        let delivery = world.sim.post_raw(body, signature).await;
        assert_eq!(delivery.status, 200, "{}", delivery.body);
    }
    assert_eq!(world.db.count("select count(*) from events").await, 2);
    world.end().await;
}

#[tokio::test]
async fn a_thousand_items_in_one_post_are_all_answered_once() {
    let world = World::start().await;
    let tenant = world.api.register("Acme", NUMBER, "mock_token").await;
    let messages: Vec<_> =
        (0..1000).map(|n| Inbound::text(NUMBER, &format!("1650{n:07}"), &format!("hello {n}"))).collect();
    let delivery = world.sim.receive_batch(messages.clone()).await;
    assert_eq!(delivery.status, 200, "{}", delivery.body);
    let receipt: Value = serde_json::from_str(&delivery.body).unwrap();
    assert_eq!(receipt, json!({ "ok": true, "new": 1000, "repeated": 0, "unrouted": 0 }));
    world.idle().await;

    // Once more, as Meta does when an answer was lost.
    let delivery = world.sim.receive_batch(messages).await;
    let receipt: Value = serde_json::from_str(&delivery.body).unwrap();
    assert_eq!(receipt, json!({ "ok": true, "new": 0, "repeated": 1000, "unrouted": 0 }));
    world.idle().await;

    let counts = [
        ("events", "select count(*) from events"),
        ("contacts", "select count(*) from contacts"),
        ("inbound messages", "select count(*) from messages where direction = 'IN'"),
        ("replies", "select count(*) from messages where direction = 'OUT' and status = 'sent' and attempts = 1"),
        ("messages of either kind", "select count(*) - 1000 from messages"),
        (
            "contacts with one reply",
            "select count(*) from (select from messages where direction = 'OUT' group by conversation_id
             having count(*) = 1) as once",
        ),
        (
            "replies to the right event",
            "select count(*) from messages r join messages i on i.event_id = r.event_id and i.direction = 'IN'
             where r.direction = 'OUT' and r.idempotency_key = 'auto-reply:' || i.wa_message_id
               and r.conversation_id = i.conversation_id",
        ),
    ];
    for (what, query) in counts {
        assert_eq!(world.db.count(query).await, 1000, "{what}");
    }
    assert_eq!(world.sim.requests(), 0, "a mock_ token sends nothing");
    assert_eq!(world.api.messages(&tenant).await.len(), 200);
    world.end().await;
}

#[tokio::test]
async fn a_broken_timestamp_costs_nothing_but_itself() {
    let world = World::start().await;
    world.api.register("Acme", NUMBER, "token").await;
    let broken = [
        ("a word", json!("yesterday"), "not a number of seconds"),
        ("nothing", Value::Null, "timestamp"),
        ("an object", json!({ "seconds": 1 }), "not a number of seconds"),
        ("before our time", json!("-5"), "not a number of seconds"),
        ("beyond all time", json!("99999999999999999999"), "not a number of seconds"),
    ];
    // Good ones in between and around, of a time at which they are still answered.
    let time = (chrono::Utc::now() - chrono::TimeDelta::minutes(1)).timestamp();
    let messages: Vec<_> = (0..=2 * broken.len())
        .map(|n| Inbound::text(NUMBER, &format!("1650555{n:04}"), "hello").id(&format!("wamid.{n}")).at(time))
        .collect();
    let mut body: Value = serde_json::from_slice(&world.sim.body_of(messages.clone())).unwrap();
    for (n, (_, timestamp, _)) in broken.iter().enumerate() {
        body["entry"][0]["changes"][0]["value"]["messages"][2 * n + 1]["timestamp"] = timestamp.clone();
    }
    let delivery = world.sim.post_signed(body.to_string().into_bytes()).await;
    assert_eq!(delivery.status, 200, "{}", delivery.body);
    world.idle().await;

    for message in &messages {
        let to = message.from.as_deref().unwrap();
        assert_eq!(world.sim.times(to, "thanks for reaching us\n- team Acme"), 1, "{to}");
    }
    let event = "select note, occurred_at = received_at from events where external_id = $1";
    for (n, message) in messages.iter().enumerate() {
        let (note, now): (Option<String>, bool) =
            sqlx::query_as(event).bind(&message.id).fetch_one(&world.db.pool).await.unwrap();
        match (n % 2 == 1).then(|| &broken[n / 2]) {
            Some((label, _, words)) => {
                let note = note.unwrap_or_default();
                assert!(note.contains(words) && note.contains("time of receipt"), "{label}: {note:?}");
                assert!(now, "{label}: the time of receipt stands for it");
            }
            None => assert_eq!((note, now), (None, false), "a good one"),
        }
    }
    world.end().await;
}
