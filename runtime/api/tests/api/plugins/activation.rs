//! Which version handles the events: taken over, tried, rolled back, put out of charge.

use hoopoe_store::plugins::Paused;
use hoopoe_testing::{Tenant, World};
use reqwest::Method;
use serde_json::{Value, json};

use super::{call, component, put};
use crate::answers::answer;

const ANN: &str = "16505551234";
const BEN: &str = "16505555678";

/// A world with a tenant and both versions of the test guest, uploaded a minute apart.
async fn with_versions() -> (World, Tenant, String, String) {
    let world = World::start().await;
    let acme = world.api.register("Acme", "106540352242922", "token").await;
    let first = world.api.upload(&acme, "bot", component("test-guest").await).await;
    world.advance(chrono::TimeDelta::minutes(1));
    let second = world.api.upload(&acme, "bot", component("test-guest-2").await).await;
    (world, acme, first, second)
}

/// A contact writes, and this is the last that it is told.
async fn answered(world: &World, tenant: &Tenant, contact: &str, text: &str) -> String {
    world.says(tenant, contact, text).await;
    world.idle().await;
    world.heard(contact).pop().unwrap_or_default()
}

async fn actions(world: &World, tenant: &Tenant) -> Vec<String> {
    let (_, shown) = world.api.get(&format!("/tenants/{}/plugins/bot", tenant.id), &tenant.key).await;
    let history = shown["activations"].as_array().unwrap().iter();
    history.map(|entry| entry["action"].as_str().unwrap().to_owned()).collect()
}

async fn shown(world: &World, tenant: &Tenant) -> Value {
    let (status, shown) = world.api.get(&format!("/tenants/{}/plugins/bot", tenant.id), &tenant.key).await;
    assert_eq!(status, 200, "{shown}");
    shown
}

#[tokio::test]
async fn a_version_takes_over_and_makes_room_again() {
    let (world, acme, first, second) = with_versions().await;
    assert!(answered(&world, &acme, ANN, "count").await.starts_with("thanks for reaching us"));

    world.api.plugin(&acme, "bot", "activate", &json!({ "digest": "0.1.0" })).await;
    assert_eq!(answered(&world, &acme, ANN, "count").await, "1");
    assert_eq!(answered(&world, &acme, ANN, "count").await, "2");

    // The newest upload, without a designation; the state goes along.
    let activated = world.api.plugin(&acme, "bot", "activate", &json!({})).await;
    assert_eq!(activated["digest"], json!(second));
    assert_eq!((&activated["version"], &activated["migrated"]), (&json!("2.0.0"), &json!(1)));
    assert_eq!(answered(&world, &acme, ANN, "count").await, "v2: 3");

    let rolled = world.api.plugin(&acme, "bot", "rollback", &json!({})).await;
    assert_eq!((&rolled["digest"], &rolled["from"]), (&json!(first), &json!(second)));
    assert_eq!(answered(&world, &acme, BEN, "count").await, "1");
    let nothing = call(&world, &acme, Method::POST, "bot/rollback", json!({})).await;
    nothing.refuses("nothing before", 409, &["activate the version"]);
    assert_eq!(nothing.body["code"], "nothing_before");

    let instead = world.api.plugin(&acme, "bot", "deactivate", &json!({})).await;
    assert_eq!(instead["instead"], "auto-reply");
    assert!(answered(&world, &acme, BEN, "count").await.starts_with("thanks for reaching us"));
    let none = call(&world, &acme, Method::POST, "bot/deactivate", json!({})).await;
    none.refuses("not active", 409, &["not active"]);
    assert_eq!(none.body["code"], "not_active");
    call(&world, &acme, Method::POST, "bot/rollback", json!({})).await.refuses("not active", 409, &["not active"]);
    assert_eq!(actions(&world, &acme).await, ["deactivate", "rollback", "activate", "activate"]);
    world.end().await;
}

#[tokio::test]
async fn an_upload_can_take_over_at_once() {
    let world = World::start().await;
    let acme = world.api.register("Acme", "106540352242922", "token").await;
    let uploaded = put(&world, &acme, "bot?activate=true", component("test-guest").await).await;
    assert_eq!((uploaded.status, &uploaded.body["activated"]), (201, &json!(true)), "{}", uploaded.body);
    assert_eq!(answered(&world, &acme, ANN, "echo at once").await, "at once");
    world.end().await;
}

#[tokio::test]
async fn a_version_that_does_not_understand_the_states_stays_out() {
    let (world, acme, first, second) = with_versions().await;
    world.api.plugin(&acme, "bot", "activate", &json!({ "digest": first })).await;
    for _ in 0..13 {
        world.says(&acme, ANN, "count").await;
    }
    world.idle().await;
    assert_eq!(answered(&world, &acme, BEN, "count").await, "1");

    let refused = call(&world, &acme, Method::POST, "bot/activate", json!({ "digest": second })).await;
    refused.refuses("13", 409, &["migrate-state", "1 of 2", "13 is unlucky", "stays"]);
    assert_eq!(refused.body["code"], "migration_failed");
    let details = &refused.body["details"];
    assert_eq!((&details["tried"], &details["failed"]), (&json!(2), &json!(1)), "{details}");
    let conversation: uuid::Uuid = details["conversationId"].as_str().unwrap().parse().unwrap();
    let of: String = sqlx::query_scalar(
        "select ct.wa_id from conversations c join contacts ct on ct.id = c.contact_id where c.id = $1",
    )
    .bind(conversation)
    .fetch_one(&world.db.pool)
    .await
    .unwrap();
    assert_eq!(of, ANN);
    assert_eq!(shown(&world, &acme).await["plugin"]["active"], json!(first));
    assert_eq!(answered(&world, &acme, BEN, "count").await, "2", "the old version goes on");

    // A trial asks the same.
    let trial = json!({ "digest": second, "canaryPercent": 50 });
    let refused = call(&world, &acme, Method::POST, "bot/activate", trial).await;
    assert_eq!((refused.status, &refused.body["code"]), (409, &json!("migration_failed")));

    let forced = world.api.plugin(&acme, "bot", "activate", &json!({ "digest": second, "force": true })).await;
    assert_eq!((&forced["migrated"], &forced["migrationFailures"]), (&json!(2), &json!(1)), "{forced}");
    assert_eq!(answered(&world, &acme, BEN, "count").await, "v2: 3");
    assert_eq!(
        answered(&world, &acme, ANN, "count").await,
        "14",
        "the conversation stays with the version of its state"
    );
    assert_eq!(actions(&world, &acme).await, ["activate", "migration-failed", "migration-failed", "activate"]);
    world.end().await;
}

#[tokio::test]
async fn a_canary_is_promoted_or_taken_back() {
    let (world, acme, first, second) = with_versions().await;
    let trial = |percent: i64, digest: &str| json!({ "digest": digest, "canaryPercent": percent });
    let refused = call(&world, &acme, Method::POST, "bot/activate", trial(10, &second)).await;
    refused.refuses("nothing is active", 409, &["activate a version first"]);
    for percent in [0, 100, -1] {
        let refused = call(&world, &acme, Method::POST, "bot/activate", trial(percent, &second)).await;
        refused.refuses_field("a share that is none", "canaryPercent", &["1 to 99"]);
    }
    world.api.plugin(&acme, "bot", "activate", &json!({ "digest": first })).await;
    let refused = call(&world, &acme, Method::POST, "bot/activate", trial(10, &first)).await;
    refused.refuses("the active version", 409, &["has to be another"]);

    world.api.plugin(&acme, "bot", "activate", &trial(99, &second)).await;
    let plugin = shown(&world, &acme).await["plugin"].clone();
    assert_eq!((&plugin["active"], &plugin["canary"]), (&json!(first), &json!({ "digest": second, "percent": 99 })));
    let wants: Vec<String> =
        sqlx::query_scalar("select flow_wants from tenants").fetch_one(&world.db.pool).await.unwrap();
    assert_eq!(wants, ["http-response", "message", "status", "timer"], "what either version wants");

    let rolled = world.api.plugin(&acme, "bot", "rollback", &json!({})).await;
    assert_eq!((&rolled["digest"], &rolled["from"]), (&json!(first), &json!(second)), "the trial ends");
    let plugin = shown(&world, &acme).await["plugin"].clone();
    assert_eq!((&plugin["active"], &plugin["canary"]), (&json!(first), &Value::Null));

    world.api.plugin(&acme, "bot", "activate", &trial(1, &second)).await;
    world.api.plugin(&acme, "bot", "activate", &json!({ "digest": second })).await;
    let plugin = shown(&world, &acme).await["plugin"].clone();
    assert_eq!((&plugin["active"], &plugin["canary"]), (&json!(second), &Value::Null));
    let wants: Vec<String> =
        sqlx::query_scalar("select flow_wants from tenants").fetch_one(&world.db.pool).await.unwrap();
    assert_eq!(wants, ["message"]);
    let rolled = world.api.plugin(&acme, "bot", "rollback", &json!({})).await;
    assert_eq!(rolled["digest"], json!(first));
    assert_eq!(actions(&world, &acme).await, ["rollback", "promote", "canary", "rollback", "canary", "activate"]);

    // The flow stage takes a failing canary back by its digest: a late verdict about a former canary changes nothing.
    world.api.plugin(&acme, "bot", "activate", &trial(50, &second)).await;
    let store = world.store();
    assert!(!store.canary_failed(acme.id, "bot", &first, "it fails").await.unwrap());
    assert!(store.canary_failed(acme.id, "bot", &second, "it fails").await.unwrap());
    assert!(!store.canary_failed(acme.id, "bot", &second, "it fails").await.unwrap());
    let told = shown(&world, &acme).await;
    assert_eq!(told["plugin"]["canary"], Value::Null);
    let last = &told["activations"][0];
    assert_eq!((&last["action"], &last["reason"]), (&json!("canary-failed"), &json!("it fails")));
    world.end().await;
}

#[tokio::test]
async fn a_paused_plugin_says_why_and_goes_on_in_order() {
    let (world, acme, first, second) = with_versions().await;
    let refused = call(&world, &acme, Method::POST, "bot/resume", json!({})).await;
    refused.refuses("not paused", 409, &["not paused"]);
    assert_eq!(refused.body["code"], "not_paused");
    world.api.plugin(&acme, "bot", "activate", &json!({ "digest": first })).await;
    let store = world.store();
    let pause = async |plugin, digest, reason| store.pause_flow(acme.id, plugin, digest, reason).await.unwrap();
    assert_eq!(pause("another", Some(first.as_str()), "not in charge").await, Paused::NotInCharge);
    assert_eq!(pause("bot", Some(second.as_str()), "another version").await, Paused::NotInCharge);
    assert_eq!(pause("bot", None, "as if it were built in").await, Paused::NotInCharge);
    assert_eq!(pause("bot", Some(first.as_str()), "10 runs failed in a row").await, Paused::Now);
    assert_eq!(pause("bot", Some(first.as_str()), "again").await, Paused::Before);
    let plugin = shown(&world, &acme).await["plugin"].clone();
    assert_eq!(plugin["pausedReason"], "10 runs failed in a row");
    assert!(plugin["pausedAt"].is_string());

    for text in ["echo one", "echo two", "echo three"] {
        world.says(&acme, ANN, text).await;
    }
    assert!(!world.waits().await.is_empty(), "the contact's events wait");
    assert_eq!(world.heard(ANN), Vec::<String>::new());
    world.api.plugin(&acme, "bot", "resume", &json!({})).await;
    world.idle().await;
    assert_eq!(world.heard(ANN), ["one", "two", "three"]);
    let told = shown(&world, &acme).await;
    assert_eq!((&told["plugin"]["pausedAt"], &told["plugin"]["pausedReason"]), (&Value::Null, &Value::Null));
    assert_eq!(actions(&world, &acme).await, ["resume", "pause", "activate"]);
    world.end().await;
}

#[tokio::test]
async fn a_plugin_makes_room_for_the_tenants_rules() {
    let (world, acme, _, _) = with_versions().await;
    world.api.plugin(&acme, "bot", "activate", &json!({ "digest": "0.1.0" })).await;
    let rules = json!({ "flows": [{
        "id": "greet", "match": { "contains": "hi" }, "action": { "type": "send_text", "text": "by the rules" },
    }] });
    let (status, saved) = world.api.post(&format!("/tenants/{}/flows", acme.id), &acme.key, &rules).await;
    assert_eq!((status, &saved["active"]), (200, &json!(false)), "{saved}");
    assert_eq!(answered(&world, &acme, ANN, "echo hi").await, "hi");
    let instead = world.api.plugin(&acme, "bot", "deactivate", &json!({})).await;
    assert_eq!(instead["instead"], "rules");
    assert_eq!(answered(&world, &acme, ANN, "hi").await, "by the rules");
    world.end().await;
}

#[tokio::test]
async fn a_renderer_takes_over_templates_and_makes_room_again() {
    let (world, acme, _, _) = with_versions().await;
    let bytes = component("templates").await;
    let refused = put(&world, &acme, "bot", bytes.clone()).await;
    refused.refuses("a renderer under a flow's name", 409, &["flow plugin", "another name"]);
    assert_eq!(refused.body["code"], "other_world");

    let uploaded = put(&world, &acme, "mine", bytes).await;
    assert_eq!((uploaded.status, &uploaded.body["world"]), (201, &json!("template")), "{}", uploaded.body);
    let digest = &uploaded.body["digest"];
    let trial = call(&world, &acme, Method::POST, "mine/activate", json!({ "canaryPercent": 10 })).await;
    trial.refuses("a trial", 400, &["no canary"]);
    let event = json!({ "event": { "text": "hi" } });
    let refused = call(&world, &acme, Method::POST, "mine/simulate", event).await;
    refused.refuses("an event for a renderer", 404, &["only flows"]);

    world.api.plugin(&acme, "mine", "activate", &json!({})).await;
    let active = async || {
        let (_, shown) = world.api.get(&format!("/tenants/{}/plugins/mine", acme.id), &acme.key).await;
        shown["plugin"]["active"].clone()
    };
    assert_eq!(&active().await, digest);
    assert!(answered(&world, &acme, ANN, "count").await.starts_with("thanks"), "events are another matter");
    let in_use = call(&world, &acme, Method::DELETE, "mine", json!({})).await;
    in_use.refuses("in use", 409, &["active"]);
    let instead = world.api.plugin(&acme, "mine", "deactivate", &json!({})).await;
    assert_eq!(instead["instead"], "templates");
    assert_eq!(active().await, Value::Null);
    assert_eq!(call(&world, &acme, Method::DELETE, "mine", json!({})).await.status, 204);
    world.end().await;
}

#[tokio::test]
async fn a_version_is_designated_clearly() {
    let (world, acme, first, _) = with_versions().await;
    let activate = |body: Value| {
        let (world, acme) = (&world, &acme);
        async move { call(world, acme, Method::POST, "bot/activate", body).await }
    };
    activate(json!({ "digest": "9.9.9" })).await.refuses("another number", 404, &["no version", "8 or more"]);
    activate(json!({ "digest": first[..7] })).await.refuses("too short", 404, &["no version", "8 or more"]);
    activate(json!({ "version": "1" })).await.refuses("an unknown field", 400, &["version"]);
    activate(json!({ "force": "yes" })).await.refuses_field("no boolean", "force", &["boolean"]);
    assert_eq!(activate(json!({ "digest": first[..8].to_uppercase() })).await.status, 200);
    let none = call(&world, &acme, Method::POST, "none/activate", json!({})).await;
    none.refuses("another plugin", 404, &["no plugin none"]);
    world.end().await;
}

#[tokio::test]
async fn a_body_that_is_all_optional_can_be_left_out_but_not_be_malformed() {
    let (world, acme, _, second) = with_versions().await;
    let post = async |action: &str, kind: Option<&str>, body: &'static str| {
        let path = format!("/tenants/{}/plugins/bot/{action}", acme.id);
        let request = world.api.request(Method::POST, &path, &acme.key).body(body);
        answer(kind.into_iter().fold(request, |request, kind| request.header("content-type", kind))).await
    };
    let json = Some("application/json");
    for action in ["activate", "rollback", "deactivate", "resume"] {
        post(action, json, "{").await.refuses(action, 400, &["not JSON"]);
        post(action, json, "{} {}").await.refuses(action, 400, &["not JSON"]);
        post(action, json, r#"{"surprise": 1}"#).await.refuses(action, 400, &["surprise"]);
        post(action, Some("text/plain"), "{}").await.refuses(action, 415, &["application/json"]);
    }
    let activated = post("activate", None, "").await;
    assert_eq!((activated.status, &activated.body["digest"]), (200, &json!(second)), "{}", activated.body);
    post("resume", None, "").await.refuses("not paused", 409, &["not paused"]);
    post("rollback", json, "").await.refuses("nothing before", 409, &["activate the version"]);
    // As `curl -X POST -d ""` sends it.
    let off = post("deactivate", Some("application/x-www-form-urlencoded"), "").await;
    assert_eq!((off.status, &off.body["instead"]), (200, &json!("auto-reply")), "{}", off.body);
    world.end().await;
}
