//! Inbound messages: every kind, signed, alone and in batches; and the control API.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::collections::HashSet;

use meta_sim::{Inbound, InboundKind, Options, Sim, sign};
use serde_json::{Value, json};
use support::{SECRET, SOON, client, pair, post_message, text};

#[tokio::test]
async fn every_kind_arrives_signed() {
    let (sim, inbox) = pair(Options::default()).await;
    let samples = InboundKind::samples();
    for (name, kind) in &samples {
        let delivery = sim.receive(Inbound::new("111", "16505551234", kind.clone())).await;
        assert_eq!(delivery.status, 200, "{name}: {}", delivery.body);
    }
    let posts = inbox.posts();
    let mut ids = HashSet::new();
    for ((name, _), post) in samples.iter().zip(&posts) {
        let value = &post["entry"][0]["changes"][0]["value"];
        let message = &value["messages"][0];
        let kind = message["type"].as_str().unwrap();
        assert!(kind == "unsupported" || !message[kind].is_null(), "{name} has its content under its type");
        assert_eq!((&value["contacts"][0]["wa_id"], &message["from"]), (&json!("16505551234"), &json!("16505551234")));
        assert!(ids.insert(message["id"].as_str().unwrap().to_owned()), "{name} has an id of its own");
    }
    assert_eq!((posts.len(), sim.stats().inbound_acknowledged), (samples.len(), samples.len() as u64));
}

#[tokio::test]
async fn a_batch_is_one_post_grouped_by_account_and_number() {
    let (sim, inbox) = pair(Options::default()).await;
    let batch = vec![
        Inbound::text("111", "16505550001", "a").named("Ada"),
        Inbound::text("222", "16505550001", "b"),
        Inbound::text("111", "16505550001", "c").named("Ada"),
        Inbound::text("333", "16505550003", "d").account("other-account"),
        Inbound::text("111", "", "e").username_only("US.1", "bo"),
    ];
    assert!(sim.receive_batch(batch).await.is_acknowledged());
    let posts = inbox.posts();
    assert_eq!(posts.len(), 1);
    let told: Vec<_> = posts[0]["entry"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|entry| entry["changes"].as_array().unwrap().iter().map(move |change| (entry, change)))
        .map(|(entry, change)| {
            let value = &change["value"];
            let bodies: Vec<_> = value["messages"].as_array().unwrap().iter().map(|m| &m["text"]["body"]).collect();
            json!([
                entry["id"],
                value["metadata"]["phone_number_id"],
                bodies,
                value["contacts"].as_array().unwrap().len()
            ])
        })
        .collect();
    let account = Options::default().waba_id;
    let expected = [
        json!([account, "111", ["a", "c", "e"], 2]),
        json!([account, "222", ["b"], 1]),
        json!(["other-account", "333", ["d"], 1]),
    ];
    assert_eq!(told, expected);
    let nameless = &posts[0]["entry"][0]["changes"][0]["value"]["messages"][2];
    assert_eq!((nameless.get("from"), nameless["from_user_id"].as_str()), (None, Some("US.1")));
}

#[tokio::test]
async fn raw_fields_replace_and_remove() {
    let (sim, inbox) = pair(Options::default()).await;
    let kind = InboundKind::Raw(json!({ "type": "text", "text": { "body": "x" }, "timestamp": "abc", "from": null }));
    sim.receive(Inbound::new("111", "16505551234", kind).id("wamid.mine").at(5).reply_to("wamid.0")).await;
    let message = &inbox.posts()[0]["entry"][0]["changes"][0]["value"]["messages"][0];
    assert_eq!((message["id"].as_str(), message["timestamp"].as_str()), (Some("wamid.mine"), Some("abc")));
    assert_eq!((message.get("from"), message["context"]["id"].as_str()), (None, Some("wamid.0")));
}

#[tokio::test]
async fn the_answer_is_told_whatever_it_is() {
    let (sim, inbox) = pair(Options::default()).await;
    let message = Inbound::text("111", "16505551234", "x");
    inbox.answers.lock().unwrap().push_back(503);
    assert_eq!(sim.receive(message.clone()).await.status, 503);
    let body = sim.body_of(vec![message.clone()]);
    assert_eq!(sim.post_raw(body.clone(), None).await.status, 401);
    assert_eq!(sim.post_raw(body.clone(), Some(sign("wrong", &body))).await.status, 401);
    assert_eq!(sim.post_raw(body.clone(), Some(sign(SECRET, &body))).await.status, 200);
    assert_eq!(sim.post_signed(body).await.status, 200);
    sim.set_app_secret("wrong");
    assert_eq!(sim.receive(message.clone()).await.status, 401);
    sim.set_webhook("http://127.0.0.1:1/webhook");
    let delivery = sim.receive(message.clone()).await;
    assert_eq!((delivery.status, delivery.body.is_empty()), (0, false));
    let deaf = Sim::start(Options::default()).await.unwrap();
    assert_eq!(deaf.receive(message).await.body, "no webhook URL is set");
}

#[tokio::test]
async fn the_control_api_does_the_same() {
    let (sim, inbox) = pair(Options::default()).await;
    let client = client();
    let at = |path: &str| format!("{}/_sim/{path}", sim.url());
    let post = async |path: &str, body: Value| {
        let answer = client.post(at(path)).json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap_or_default())
    };
    let get = async |path: &str| client.get(at(path)).send().await.unwrap().json::<Value>().await.unwrap();

    assert_eq!(get("health").await, json!({ "ok": true }));
    let order = json!({ "phone_number_id": "111", "from": "16505551234", "text": "hi", "repeat": 2, "batch": 3 });
    let (status, answer) = post("inbound", order).await;
    assert_eq!((status, answer["ids"].as_array().unwrap().len()), (200, 3));
    assert_eq!(answer["deliveries"].as_array().unwrap().len(), 2);
    assert_eq!(answer["deliveries"][0]["status"], 200);
    assert!(answer["deliveries"][0]["latency_ms"].as_f64().unwrap() > 0.0);
    assert_eq!((inbox.posts()[0] == inbox.posts()[1], inbox.posts().len()), (true, 2));
    let (status, _) = post("inbound", json!({ "phone_number_id": "111", "kind": "sticker" })).await;
    assert_eq!(status, 200);
    let (status, answer) = post("inbound", json!({ "phone_number_id": "111", "kind": "stickr" })).await;
    assert_eq!((status, answer["message"].as_str().unwrap().contains("use one of text, image")), (400, true));

    assert_eq!(post("config", json!({ "statuses": ["sent"], "latency_ms": 1 })).await.0, 200);
    assert_eq!(post("config", json!({ "latency": 1 })).await.0, 422, "an unknown setting is refused");
    assert_eq!(post("faults", json!({ "kind": "graph_error", "code": 131056, "to": "16505551234" })).await.0, 200);
    assert_eq!(post("faults", json!({ "kind": "reset_after_body", "times": 2 })).await.0, 200);
    assert_eq!(post("faults", json!({ "kind": "earthquake" })).await.0, 422);
    let (_, answer) = post_message(&sim, &text("16505551234", "hello")).await.unwrap();
    assert_eq!(answer["error"]["code"], 131056);
    assert!(post_message(&sim, &text("16505551234", "hello")).await.is_err());
    let cleared = client.delete(at("faults")).send().await.unwrap();
    assert_eq!(cleared.status(), 200);
    assert_eq!(post_message(&sim, &text("16505551234", "hello")).await.unwrap().0, 200);
    sim.wait_for_statuses(2, SOON).await.unwrap();

    let stats = get("stats").await;
    let counts = ["accepted", "refused", "requests", "statuses_acknowledged", "inbound", "inbound_acknowledged"];
    assert_eq!(counts.map(|name| stats[name].as_u64().unwrap()), [2, 1, 3, 2, 7, 7]);
    let found = get("accepted?to=16505551234&text=hello&limit=1").await;
    assert_eq!((found["count"].as_u64(), found["messages"].as_array().unwrap().len()), (Some(2), 1));
    assert_eq!(found["messages"][0]["body"]["text"]["body"], "hello");
    assert_eq!(get("accepted?to=nobody").await["count"], 0);
    assert_eq!(post("reset", json!({})).await.0, 200);
    assert_eq!(get("stats").await["accepted"], 0);
}
