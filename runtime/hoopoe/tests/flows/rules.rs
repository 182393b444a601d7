//! Rules, from the API to what the contact hears.

use chrono::TimeDelta;
use hoopoe_testing::{Tenant, World, eventually};
use meta_sim::{Inbound, InboundKind};
use serde_json::{Value, json};

const CONTACT: &str = "16505551234";

async fn start(rules: &Value) -> (World, Tenant) {
    let world = World::start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    save(&world, &tenant, rules).await;
    (world, tenant)
}

async fn save(world: &World, tenant: &Tenant, rules: &Value) {
    let (status, answer) = world.api.post(&format!("/tenants/{}/flows", tenant.id), &tenant.key, rules).await;
    assert_eq!(status, 200, "{answer}");
}

async fn receives(world: &World, tenant: &Tenant, kind: InboundKind) {
    let message = Inbound::new(&tenant.phone_number_id, CONTACT, kind).named("Ada");
    assert!(world.sim.receive(message).await.is_acknowledged());
    world.idle().await;
}

async fn says(world: &World, tenant: &Tenant, text: &str) {
    receives(world, tenant, InboundKind::Text(text.to_owned())).await;
}

#[tokio::test]
async fn a_message_is_answered_by_the_rule_that_it_matches() {
    let (world, tenant) = start(&json!({ "flows": [
        { "id": "order", "match": { "regex": r"order (\d+)" },
          "action": { "type": "send_text", "text": "Hello {{contact.name}}, looking for {{capture.1}}.\n- {{tenant.name}}" } },
    ]}))
    .await;
    says(&world, &tenant, "Where is my Order 4711?").await;
    says(&world, &tenant, "thanks").await;
    assert_eq!(world.heard(CONTACT), ["Hello Ada, looking for 4711.\n- Acme"]);
    let messages = world.api.messages(&tenant).await;
    let key = format!("rules:{}:1", messages[0]["waMessageId"].as_str().unwrap());
    assert_eq!(messages[1]["idempotency_key"], key);

    // From one message to the next: other rules, and none.
    save(&world, &tenant, &json!({ "flows": [{ "id": "a", "action": { "type": "send_text", "text": "new" } }] })).await;
    says(&world, &tenant, "order 1").await;
    save(&world, &tenant, &json!({ "flows": [] })).await;
    says(&world, &tenant, "order 2").await;
    assert_eq!(world.heard(CONTACT)[1..], ["new", "thanks for reaching us\n- team Acme"]);
    world.end().await;
}

#[tokio::test]
async fn the_readmes_example_sends_the_tenants_templates() {
    let (world, tenant) = start(&json!({
        "flows": [{
            "id": "greeting_flow",
            "match": { "contains": ["hello", "hi"] },
            "action": { "type": "send_template", "templateKey": "welcome_v1",
                        "variables": { "first_name": "{{contact.name}}" } },
        }],
        "fallbackTemplateKey": "fallback_v1",
        "defaultLanguage": "en",
    }))
    .await;
    for (key, language, text) in [
        ("welcome_v1", "en", "Hello {{first_name}}, welcome to our service!"),
        ("fallback_v1", "en", "Sorry, say that again?"),
    ] {
        let template = json!({ "key": key, "language": language, "components": [{ "type": "body", "text": text }] });
        let (status, answer) =
            world.api.post(&format!("/tenants/{}/templates", tenant.id), &tenant.key, &template).await;
        assert_eq!(status, 201, "{answer}");
    }
    says(&world, &tenant, "Hi").await;
    says(&world, &tenant, "good day").await;
    let reaction = InboundKind::Reaction { message_id: "wamid.1".to_owned(), emoji: "\u{1f44d}".to_owned() };
    receives(&world, &tenant, reaction).await;
    assert_eq!(world.heard(CONTACT), ["Hello Ada, welcome to our service!", "Sorry, say that again?"]);
    world.end().await;
}

#[tokio::test]
async fn a_conversation_goes_through_steps_and_times_out() {
    let (world, tenant) = start(&json!({ "flows": [
        { "id": "book", "match": { "contains": "book" }, "action": [
            { "type": "reply_buttons", "text": "When?", "buttons": [{ "id": "d1", "title": "Today" }] },
            { "type": "tag", "add": ["booking"] },
            { "type": "go_to", "step": "when", "timeoutSeconds": 600 },
        ]},
        { "id": "when", "step": "when", "match": { "reply_id": "d1" }, "action": [
            { "type": "set", "variables": { "day": "{{reply.title}}" } },
            { "type": "send_text", "text": "Your name?" },
            { "type": "go_to", "step": "name" },
        ]},
        { "id": "name", "step": "name", "action": { "type": "send_text", "text": "{{var.day}}, {{text}}." } },
        { "id": "late", "step": "when", "on": "timeout", "action": { "type": "send_text", "text": "Still there?" } },
        { "id": "known", "match": { "contains": "tag", "tags": "booking" },
          "action": { "type": "send_text", "text": "tagged" } },
    ]}))
    .await;
    says(&world, &tenant, "book").await;
    let tap = InboundKind::ButtonReply { id: "d1".to_owned(), title: "Today".to_owned() };
    receives(&world, &tenant, tap).await;
    says(&world, &tenant, "Ada").await;
    says(&world, &tenant, "tag").await;
    let accepted = world.sim.accepted();
    assert_eq!(accepted[0].body["interactive"]["body"]["text"], "When?");
    let heard = || world.heard(CONTACT).into_iter().filter(|text| text != "When?").collect::<Vec<_>>();
    assert_eq!(heard(), ["Your name?", "Today, Ada.", "tagged"]);

    world.advance(TimeDelta::seconds(600));
    says(&world, &tenant, "book").await;
    assert_eq!(heard().len(), 3, "the first step's timer was cancelled");
    world.advance(TimeDelta::seconds(600));
    eventually("the contact is asked again", async || heard().len() == 4).await;
    world.idle().await;
    assert_eq!(heard()[3], "Still there?");
    says(&world, &tenant, "Ada").await;
    assert_eq!(heard().len(), 4, "the step was left");
    world.end().await;
}

#[tokio::test]
async fn rules_that_were_saved_under_a_plugin_take_over_when_it_goes() {
    let world = World::start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let component = tokio::task::spawn_blocking(|| hoopoe_plugin_build::test_component("test-guest"));
    let digest = world.api.upload(&tenant, "own", component.await.unwrap().unwrap()).await;
    world.api.plugin(&tenant, "own", "activate", &json!({ "digest": digest })).await;
    let rules = json!({ "flows": [
        { "id": "ask", "match": { "exact": "go" }, "action": { "type": "go_to", "step": "s", "timeoutSeconds": 60 } },
        { "id": "late", "step": "s", "on": "timeout", "action": { "type": "send_text", "text": "late" } },
        { "id": "a", "priority": -1, "action": { "type": "send_text", "text": "rules" } },
    ]});
    save(&world, &tenant, &rules).await;
    says(&world, &tenant, "echo own").await;
    world.api.plugin(&tenant, "own", "deactivate", &json!({})).await;
    says(&world, &tenant, "echo own").await;
    says(&world, &tenant, "go").await;
    world.advance(TimeDelta::seconds(60));
    eventually("the timer has fired", async || world.heard(CONTACT).len() == 3).await;
    assert_eq!(world.heard(CONTACT), ["own", "rules", "late"]);
    world.end().await;
}

/// The slowest rule set that is accepted: it stays within a run's fuel.
#[tokio::test]
async fn the_slowest_rules_end_in_time() {
    let world = World::start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let rule = |id: String, matches: Value| json!({ "id": id, "match": matches, "action": { "type": "stop" } });
    // The text has all pairs of letters that the phrases have, and every place could be the beginning of one.
    let phrases: Vec<String> = (2..102).map(|number| format!("{}b", "a".repeat(number))).collect();
    let mut flows: Vec<Value> =
        (0..9).map(|number| rule(format!("p{number}"), json!({ "contains": phrases }))).collect();
    let words = json!({ "contains": vec!["b"; 100], "words": true });
    flows.extend((0..1).map(|number| rule(format!("w{number}"), words.clone())));
    flows.push(json!({ "id": "last", "priority": -1, "action": { "type": "send_text", "text": "done" } }));
    let refused = async |flows: &[Value]| {
        let path = format!("/tenants/{}/flows", tenant.id);
        let (status, answer) = world.api.post(&path, &tenant.key, &json!({ "flows": flows })).await;
        let message = answer["message"].as_str().unwrap_or_default().to_owned();
        assert_eq!(status, if message.is_empty() { 200 } else { 400 }, "{message}");
        message
    };
    assert_eq!(refused(&flows).await, "");
    flows.push(rule("one-more".to_owned(), json!({ "exact": "a" })));
    assert!(refused(&flows).await.contains("more than 1000 phrases"));
    flows.pop();
    // Every state of such an expression stays alive on every letter.
    for repetitions in [100, 10] {
        let message = loop {
            let pattern = format!("(?:[a-z]?){{{repetitions}}}9$");
            flows.push(rule(format!("r{}", flows.len()), json!({ "regex": pattern })));
            let message = refused(&flows).await;
            if !message.is_empty() {
                break message;
            }
        };
        assert!(message.contains("all regular expressions"), "{message}");
        flows.pop();
    }
    says(&world, &tenant, &format!("ab {}", "a".repeat(4000))).await;
    let runs: Vec<(String, i64)> =
        sqlx::query_as("select result, fuel from flow_runs").fetch_all(&world.db.pool).await.unwrap();
    assert_eq!(world.heard(CONTACT), ["done"], "{runs:?}");
    world.end().await;
}
