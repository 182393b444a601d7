//! Simulations, replays, and the records of runs.

use hoopoe_testing::{Tenant, World};
use reqwest::Method;
use serde_json::{Value, json};

use super::{call, component};
use crate::answers::Answer;

const ANN: &str = "16505551234";

async fn simulate(world: &World, tenant: &Tenant, plugin: &str, body: Value) -> Answer {
    call(world, tenant, Method::POST, &format!("{plugin}/simulate"), body).await
}

#[tokio::test]
async fn a_simulation_shows_what_would_be() {
    let world = World::builder().roles("api").start().await;
    let acme = world.api.register("Acme", "106540352242922", "token").await;
    let digest = world.api.upload(&acme, "bot", component("test-guest").await).await;

    let run = simulate(&world, &acme, "bot", json!({ "event": { "text": "echo hi" } })).await;
    assert_eq!(run.status, 200, "{}", run.body);
    let body = &run.body;
    assert_eq!(body["digest"], json!(digest));
    assert_eq!(body["outcome"]["actions"][0]["send"]["content"]["text"]["body"], "hi");
    assert_eq!((&body["outcome"]["state"], &body["failure"]), (&json!("keep"), &Value::Null));
    assert!(body["fuel"].as_u64().is_some_and(|fuel| fuel > 0) && body["memoryBytes"].as_u64() > Some(0), "{body}");

    // State goes in and out.
    let once = simulate(&world, &acme, "bot", json!({ "event": { "text": "count" } })).await.body;
    let state = &once["outcome"]["state"]["replace"];
    let twice = simulate(&world, &acme, "bot", json!({ "event": { "text": "count" }, "state": state })).await.body;
    assert_eq!(twice["outcome"]["actions"][0]["send"]["content"]["text"]["body"], "2");
    let tenth = json!({ "event": { "text": "count" }, "state": { "count": 9 } });
    let tenth = simulate(&world, &acme, "bot", tenth).await.body;
    assert_eq!(tenth["outcome"]["actions"][0]["send"]["content"]["text"]["body"], "10");

    // What the plugin knows is what the request says.
    let known = json!({
        "event": { "text": "context" }, "config": { "a": 1 }, "now": "2030-01-01T00:00:00Z", "attempt": 3,
    });
    let known = simulate(&world, &acme, "bot", known).await.body;
    let told = known["outcome"]["actions"][0]["send"]["content"]["text"]["body"].as_str().unwrap();
    let told: Value = serde_json::from_str(told).unwrap();
    assert_eq!((&told["now"], &told["attempt"]), (&json!(1_893_456_000_000_i64), &json!(3)));
    assert_eq!((&told["config"], &told["tenant"]["name"]), (&json!({ "a": 1 }), &json!("Acme")));

    let failures = [
        (json!({ "text": "reject no" }), "reject", "no"),
        (json!({ "text": "retry later" }), "retry", "later"),
        (json!({ "text": "panic oh" }), "panic", "oh"),
        (json!({ "text": "loop" }), "out-of-fuel", "fuel"),
    ];
    for (event, code, word) in failures {
        let body = simulate(&world, &acme, "bot", json!({ "event": event })).await.body;
        assert_eq!((&body["failure"]["code"], &body["outcome"]), (&json!(code), &Value::Null), "{event}: {body}");
        assert!(body["failure"]["reason"].as_str().unwrap().contains(word), "{event}: {body}");
    }
    let logged = simulate(&world, &acme, "bot", json!({ "event": { "text": "log 2" } })).await.body;
    assert_eq!(
        logged["logs"],
        json!([
            { "level": "info", "message": "line 0" }, { "level": "info", "message": "line 1" },
        ])
    );
    let status =
        json!({ "status": { "id": "wamid.1", "status": "read", "timestamp": "1767225600", "recipient_id": ANN } });
    let status = simulate(&world, &acme, "bot", json!({ "event": status })).await.body;
    let line = status["logs"][0]["message"].as_str().unwrap_or_default();
    assert!(line.contains("Read of wamid.1"), "{status}");
    let image = json!({ "message": { "from": ANN, "id": "wamid.2", "type": "image", "image": { "id": "1" } } });
    let image = simulate(&world, &acme, "bot", json!({ "event": image })).await.body;
    assert_eq!(image["outcome"]["actions"][0]["send"]["content"]["text"]["body"], "unknown command");
    let long = simulate(&world, &acme, "bot", json!({ "event": { "text": "badtext" } })).await.body;
    assert!(long["problems"][0].as_str().is_some_and(|problem| problem.contains("4096")), "{long}");

    for (event, reply) in [
        (json!({ "timer": { "name": "t", "payload": "p" } }), "timer t: p"),
        (json!({ "httpResponse": { "name": "r", "status": 200, "body": "ok" } }), "200 ok"),
        (json!({ "httpResponse": { "name": "r", "error": "timeout: no answer" } }), "timeout"),
    ] {
        let body = simulate(&world, &acme, "bot", json!({ "event": event })).await.body;
        let text = &body["outcome"]["actions"][0]["send"]["content"]["text"]["body"];
        assert!(text.as_str().is_some_and(|text| text.contains(reply)), "{event}: {body}");
    }

    // A plugin of the house.
    let built_in = simulate(&world, &acme, "auto-reply", json!({ "event": { "text": "hi" } })).await.body;
    let text = &built_in["outcome"]["actions"][0]["send"]["content"]["text"]["body"];
    assert!(text.as_str().is_some_and(|text| text.contains("team Acme")), "{built_in}");
    let unwanted = simulate(&world, &acme, "auto-reply", json!({ "event": { "timer": { "name": "t" } } })).await.body;
    assert_eq!(unwanted["failure"]["code"], "unwanted");
    for table in ["select count(*) from events", "select count(*) from flow_runs", "select count(*) from messages"] {
        assert_eq!(world.db.count(table).await, 0, "{table}: nothing takes effect");
    }
    world.end().await;
}

#[tokio::test]
async fn a_simulation_is_told_what_is_wrong_with_it() {
    let world = World::builder().roles("api").start().await;
    let acme = world.api.register("Acme", "106540352242922", "token").await;
    world.api.upload(&acme, "bot", component("test-guest").await).await;
    let event = json!({ "text": "hi" });
    let cases = [
        ("no event", json!({}), "event", "missing"),
        ("a state that is none", json!({ "event": event, "state": "%%" }), "state", "base64"),
        ("too much state", json!({ "event": event, "state": ["x".repeat(65536)] }), "state", "65536"),
        ("a status of nothing", json!({ "event": { "status": {} } }), "event.status", "which status"),
        ("no object", json!({ "event": event, "config": 1 }), "config", "map"),
        ("no time", json!({ "event": event, "now": "soon" }), "now", ""),
    ];
    for (label, body, field, word) in cases {
        simulate(&world, &acme, "bot", body).await.refuses_field(label, field, &[word]);
    }
    simulate(&world, &acme, "bot", json!({ "event": { "call": {} } })).await.refuses("a kind", 400, &["`call`"]);
    simulate(&world, &acme, "none", json!({ "event": event })).await.refuses("no plugin", 404, &["no plugin none"]);
    let version = json!({ "event": event, "digest": "9.9.9" });
    simulate(&world, &acme, "bot", version).await.refuses("no version", 404, &["no version"]);
    world.end().await;
}

#[tokio::test]
async fn recorded_runs_come_out_the_same_again() {
    let world = World::start().await;
    let acme = world.api.register("Acme", "106540352242922", "token").await;
    let first = world.api.upload(&acme, "bot", component("test-guest").await).await;
    world.api.plugin(&acme, "bot", "activate", &json!({ "digest": first })).await;
    for text in ["count", "count", "echo a", "reject no", "panic oh", "log 3", "context", "many 3"] {
        world.says(&acme, ANN, text).await;
    }
    world.idle().await;
    world.advance(chrono::TimeDelta::minutes(1));
    let second = world.api.upload(&acme, "bot", component("test-guest-2").await).await;

    let (_, listed) = world.api.get(&format!("/tenants/{}/runs?plugin=test-guest", acme.id), &acme.key).await;
    let messages: Vec<&Value> =
        listed["runs"].as_array().unwrap().iter().filter(|run| run["result"] != "unwanted").collect();
    let conversation = messages[0]["conversationId"].as_str().unwrap();
    let event = messages.last().unwrap()["eventId"].as_i64().unwrap();
    let replay = |body: Value| {
        let (world, acme) = (&world, &acme);
        async move { call(world, acme, Method::POST, "bot/replay", body).await }
    };
    let same = replay(json!({ "digest": first, "conversationId": conversation, "limit": 1000 })).await;
    assert_eq!(same.status, 200, "{}", same.body);
    assert_eq!((&same.body["differing"], &same.body["skipped"]), (&json!([]), &json!(0)), "{}", same.body);
    assert_eq!(same.body["runs"], same.body["identical"]);
    assert!(same.body["runs"].as_u64() >= Some(8), "{}", same.body);
    let period = json!({ "digest": first, "from": "2026-01-01T00:00:00Z" });
    assert_eq!(replay(period).await.body["runs"], same.body["runs"]);
    let before = json!({ "digest": first, "from": "2025-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z" });
    assert_eq!(replay(before).await.body["runs"], 0);

    let other = replay(json!({ "digest": second, "eventId": event })).await.body;
    assert_eq!((&other["runs"], &other["identical"]), (&json!(1), &json!(0)), "{other}");
    let difference = &other["differing"][0];
    let text = |of: &Value| of["actions"][0]["send"]["content"]["text"]["body"].clone();
    assert_eq!(text(&difference["recorded"]), "1");
    assert_eq!(text(&difference["replayed"]), "v2: 1");
    assert_eq!(difference["recordedBy"], "test-guest@0.1.0");

    for (label, body, word) in [
        ("nothing", json!({}), "one of"),
        ("two", json!({ "eventId": 1, "conversationId": conversation }), "one of"),
        ("an end alone", json!({ "to": "2026-01-01T00:00:00Z" }), "one of"),
        ("backwards", json!({ "from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z" }), "not after"),
        ("too many", json!({ "eventId": 1, "limit": 1001 }), "1 to 1000"),
    ] {
        replay(body).await.refuses(label, 400, &[word]);
    }
    world.end().await;
}

#[tokio::test]
async fn every_run_leaves_a_record() {
    let world = World::start().await;
    let acme = world.api.register("Acme", "106540352242922", "token").await;
    let other = world.api.register("Other", "106540352242923", "mock_token").await;
    let digest = world.api.upload(&acme, "bot", component("test-guest").await).await;
    world.api.plugin(&acme, "bot", "activate", &json!({ "digest": digest })).await;
    for text in ["log 1", "count", "reject no", "count"] {
        world.says(&acme, ANN, text).await;
        world.idle().await;
        world.advance(chrono::TimeDelta::seconds(1));
    }
    let get = |path: &str| {
        let (world, acme, path) = (&world, &acme, format!("/tenants/{}/runs{path}", acme.id));
        async move { world.api.get(&path, &acme.key).await }
    };
    let (status, done) = get("?result=done&limit=200").await;
    assert_eq!(status, 200, "{done}");
    let done = done["runs"].as_array().unwrap().clone();
    assert!(done.is_sorted_by_key(|run| std::cmp::Reverse(run["at"].as_str().unwrap().to_owned())), "newest first");
    let (_, failed) = get("?result=failed").await;
    assert_eq!(failed["runs"].as_array().unwrap().len(), 1, "{failed}");
    let run = &failed["runs"][0];
    assert_eq!((&run["result"], &run["plugin"]), (&json!("reject"), &json!("test-guest@0.1.0")));
    assert_eq!((&run["digest"], &run["attempt"], &run["actions"]), (&json!(digest), &json!(1), &json!(0)));
    assert!(run["reason"].as_str().unwrap().contains("no") && run["fuel"].as_i64() > Some(0), "{run}");

    // Page by page the same as at once.
    let (_, all) = get("?limit=200").await;
    let (mut paged, mut next) = (Vec::new(), None::<String>);
    loop {
        let before = next.map(|next| format!("&before={next}")).unwrap_or_default();
        let (status, page) = get(&format!("?limit=3{before}")).await;
        assert_eq!(status, 200, "{page}");
        paged.extend(page["runs"].as_array().unwrap().clone());
        next = page["next"].as_str().map(str::to_owned);
        if next.is_none() {
            break;
        }
    }
    assert_eq!(&json!(paged), &all["runs"]);
    let conversation = run["conversationId"].as_str().unwrap();
    for (query, expected) in [
        (format!("?conversation={conversation}&limit=200"), paged.len()),
        ("?conversation=01890000-0000-7000-8000-000000000000".to_owned(), 0),
        ("?plugin=test-guest@0.1.0&limit=200".to_owned(), paged.len()),
        ("?plugin=test".to_owned(), 0),
        ("?result=reject".to_owned(), 1),
    ] {
        let (_, found) = get(&query).await;
        assert_eq!(found["runs"].as_array().map(Vec::len), Some(expected), "{query}: {found}");
    }

    // One event with all that belongs to it.
    let counted = paged.iter().filter(|run| run["actions"] == 1 && run["result"] == "done");
    let last = counted.max_by_key(|run| run["eventId"].as_i64()).unwrap();
    let (status, detail) = get(&format!("/{}", last["eventId"])).await;
    assert_eq!(status, 200, "{detail}");
    let detail = &detail["runs"][0];
    assert_eq!((&detail["kind"], &detail["context"]["tenantName"]), (&json!("message"), &json!("Acme")));
    assert_eq!(detail["outcome"]["actions"][0]["send"]["content"]["text"]["body"], "2", "{detail}");
    assert!(detail["state"].is_string(), "the state that the first count left");

    for path in ["/0", "/999999", "/x"] {
        let (status, refused) = get(path).await;
        assert_eq!(status, 404, "{path}: {refused}");
    }
    for query in ["?limit=0", "?limit=201", "?before=x", "?conversation=x", "?what=x"] {
        let (status, refused) = get(query).await;
        assert_eq!(status, 400, "{query}: {refused}");
    }
    let (_, theirs) = world.api.get(&format!("/tenants/{}/runs", other.id), &other.key).await;
    assert_eq!(theirs["runs"], json!([]));
    let foreign = format!("/tenants/{}/runs/{}", other.id, last["eventId"]);
    assert_eq!(world.api.get(&foreign, &other.key).await.0, 404);

    let store = world.store();
    let end = world.now() + chrono::TimeDelta::days(1);
    assert_eq!(store.delete_runs_before(acme.id, world.now() - chrono::TimeDelta::days(1), 100).await.unwrap(), 0);
    assert_eq!(store.delete_runs_before(acme.id, end, 2).await.unwrap(), 2, "no more than asked");
    assert_eq!(get("?limit=200").await.1["runs"].as_array().unwrap().len(), paged.len() - 2);
    world.end().await;
}
