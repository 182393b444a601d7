//! Every kind of message that the API takes: Meta takes it as well, up to each limit; what is over a limit is refused by
//! both, by the API before it is queued. The requests are the examples of docs/messages.md.
#![allow(missing_docs, clippy::unwrap_used)]

mod batch;
mod limits;
mod templates;
mod wrong;

use hoopoe_testing::{Tenant, World};
use reqwest::Method;
use serde_json::{Map, Value, json};

const NUMBER: &str = "106540352242922";
/// Fields of a request that are not its content.
const AROUND: [&str; 6] = ["to", "reply_to", "idempotency_key", "from", "expires_in", "max_attempts"];

/// The examples of the documentation: heading and request.
fn examples() -> Vec<(String, Value)> {
    let text = include_str!("../../../../docs/messages.md");
    let sections = text.split("\n### ").skip(1);
    sections
        .map(|section| {
            let (heading, rest) = section.split_once('\n').unwrap();
            let json = rest.split_once("```json\n").and_then(|(_, rest)| rest.split_once("```")).unwrap().0;
            (heading.to_owned(), serde_json::from_str(json).unwrap_or_else(|error| panic!("{heading}: {error}")))
        })
        .collect()
}

fn example(heading: &str) -> Value {
    examples().into_iter().find(|(known, _)| known == heading).unwrap_or_else(|| panic!("{heading}")).1
}

/// The kind of content of a request, and the content.
fn content(request: &Value) -> (&str, &Value) {
    let mut fields = request.as_object().unwrap().iter();
    let (name, content) = fields.find(|(name, _)| !AROUND.contains(&name.as_str())).unwrap();
    (name.as_str(), content)
}

async fn send(world: &World, tenant: &Tenant, body: &Value) -> (u16, Value) {
    let request = world.api.request(Method::POST, &format!("/tenants/{}/send", tenant.id), &tenant.key);
    let answer = request.json(body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn every_example_is_taken_by_meta() {
    let world = World::start().await;
    let tenant = world.api.register("Acme", NUMBER, "token").await;
    let examples = examples();
    assert!(examples.len() >= 35, "{}", examples.len());
    for (heading, request) in &examples {
        let (status, answer) = send(&world, &tenant, request).await;
        assert_eq!(status, 202, "{heading}: {answer}");
    }
    world.idle().await;
    assert_eq!(world.sim.refused_count(), 0);
    assert_eq!(world.sim.accepted().len(), examples.len() - 1, "all but the read mark, which is no message");
    let marked = world.sim.marked_read();
    assert_eq!((marked.len(), marked[0].message_id.as_str(), marked[0].typing), (1, "wamid.HBgLMTY1MDU1NTEyMzQ", true));
    world.end().await;
}

#[tokio::test]
async fn what_a_flow_gives_as_payload_is_taken_by_meta() {
    const CONTACT: &str = "16505551234";
    let world = World::builder().plugin("test-guest").start().await;
    let tenant = world.api.register("Acme", NUMBER, "token").await;
    world.set_flow(&tenant, "test-guest", &["message"]).await;
    let kinds = ["Contacts", "CTA URL", "Flow", "Location request", "Address", "Product", "Product list", "Catalogue"];
    let payloads = kinds.map(|heading| {
        let request = example(heading);
        let (name, content) = content(&request);
        json!({ "type": name, name: content })
    });
    for payload in &payloads {
        world.says(&tenant, CONTACT, &format!("raw {payload}")).await;
        world.idle().await;
    }
    assert_eq!(world.sim.refused_count(), 0);
    let accepted = world.sim.accepted();
    assert_eq!(accepted.len(), kinds.len(), "{accepted:?}");
    for (payload, sent) in payloads.iter().zip(&accepted) {
        let name = payload["type"].as_str().unwrap();
        assert_eq!(
            (sent.to.as_str(), &sent.body["type"], &sent.body[name]),
            (CONTACT, &payload["type"], &payload[name])
        );
    }
    world.end().await;
}

/// Sets what a pointer leads to; null takes it away.
fn set(request: &mut Value, pointer: &str, value: &Value) {
    let (around, name) = pointer.rsplit_once('/').unwrap();
    match request.pointer_mut(around).unwrap_or_else(|| panic!("{pointer}")) {
        Value::Object(object) if value.is_null() => drop(object.remove(name)),
        Value::Object(object) => drop(object.insert(name.to_owned(), value.clone())),
        Value::Array(list) => list[name.parse::<usize>().unwrap()] = value.clone(),
        other => panic!("{pointer}: {other}"),
    }
}

/// The request as it would go to Meta, had nobody looked at it.
fn unchecked(request: &Value) -> Value {
    let mut body = Map::new();
    for (name, value) in request.as_object().unwrap() {
        match name.as_str() {
            "reply_to" => drop(body.insert("context".to_owned(), json!({ "message_id": value }))),
            name if AROUND.contains(&name) => {}
            name => {
                let content = if value.is_string() { json!({ "body": value }) } else { value.clone() };
                body.insert("type".to_owned(), json!(name));
                body.insert(name.to_owned(), content);
            }
        }
    }
    body.insert("messaging_product".to_owned(), json!("whatsapp"));
    body.insert("to".to_owned(), request["to"].clone());
    Value::Object(body)
}

#[tokio::test]
async fn what_is_at_a_limit_is_taken_by_meta() {
    let world = World::start().await;
    let tenant = world.api.register("Acme", NUMBER, "token").await;
    for (heading, field, most, of, _) in limits::LIMITS {
        let mut request = example(heading);
        set(&mut request, &limits::pointer(field), &of(*most));
        let (status, answer) = send(&world, &tenant, &request).await;
        assert_eq!(status, 202, "{heading} {field}: {answer}");
    }
    world.idle().await;
    let failed = world.api.messages(&tenant).await.into_iter().find(|message| message["status"] == "failed");
    assert_eq!((failed, world.sim.refused_count()), (None, 0));
    assert_eq!(world.sim.accepted_count(), limits::LIMITS.len() as u64);
    world.end().await;
}

#[tokio::test]
async fn what_is_over_a_limit_is_refused_here_and_would_be_by_meta() {
    let over = limits::LIMITS.iter().map(|(heading, field, most, of, within)| {
        let label = format!("{heading} {field} {}", most + 1);
        (label, *heading, limits::pointer(field), of(most + 1), format!("{field}{within}"))
    });
    let wrong = wrong::cases().into_iter().map(|(heading, pointer, value, field)| {
        (format!("{heading} {pointer}"), heading, pointer.to_owned(), value, field.to_owned())
    });
    let world = World::builder().roles("api").start().await;
    let tenant = world.api.register("Acme", NUMBER, "token").await;
    let meta = format!("{}/v23.0/{NUMBER}/messages", world.sim.url());
    let client = reqwest::Client::new();
    for (label, heading, pointer, value, field) in over.chain(wrong) {
        let mut request = example(heading);
        set(&mut request, &pointer, &value);
        let (status, answer) = send(&world, &tenant, &request).await;
        assert_eq!((status, answer["details"]["field"].as_str()), (400, Some(field.as_str())), "{label}: {answer}");
        assert!(answer["message"].as_str().unwrap().starts_with(&format!("{field}: ")), "{label}: {answer}");

        let answer = client.post(&meta).bearer_auth("token").json(&unchecked(&request)).send().await.unwrap();
        let (status, answer) = (answer.status().as_u16(), answer.json::<Value>().await.unwrap());
        assert_eq!(status, 400, "{label}: {answer}");
        let code = answer["error"]["code"].as_i64().unwrap();
        assert!([100, 131_008, 131_009].contains(&code) && answer["error"]["error_data"]["details"].is_string());
    }
    assert_eq!(world.db.count("select count(*) from messages").await, 0);
    assert_eq!(world.sim.accepted_count(), 0);
    world.end().await;
}
