//! A tenant's settings of its conversations: what is wrong with them, and how long a burst is waited for.

use chrono::TimeDelta;
use hoopoe_store::consent::{START_ANSWER, STOP_ANSWER};
use hoopoe_testing::MASTER_KEY;
use serde_json::{Value, json};

use crate::{CONTACT, path, set, start};

#[tokio::test]
async fn settings_say_what_is_wrong_with_them() {
    let (world, tenant) = start().await;
    let template = json!({ "name": "a", "language": { "code": "en" } });
    for (settings, field) in [
        (json!({ "outsideWindow": { "policy": "maybe" } }), "outsideWindow.policy"),
        (json!({ "outsideWindow": { "policy": "template" } }), "outsideWindow.template"),
        (json!({ "outsideWindow": { "policy": "pass", "template": template } }), "outsideWindow.template"),
        (
            json!({ "outsideWindow": { "policy": "template", "template": { "name": "", "language": { "code": "en" } } } }),
            "outsideWindow.template.name",
        ),
        (json!({ "optOut": { "stopWords": ["ok", "..."] } }), "optOut.stopWords[1]"),
        (json!({ "optOut": { "stopWords": ["x".repeat(41)] } }), "optOut.stopWords[0]"),
        (json!({ "optOut": { "stopWords": ["a"], "startWords": ["A!"] } }), "optOut.startWords"),
        (json!({ "optOut": { "stopAnswer": "x".repeat(4097) } }), "optOut.stopAnswer"),
        (json!({ "debounceSeconds": 61 }), "debounceSeconds"),
    ] {
        let (status, refused) = set(&world, &tenant, settings).await;
        assert_eq!((status, refused["details"]["field"].as_str()), (400, Some(field)), "{refused}");
    }
    let other = world.api.register("Other", "106540352242923", "token").await;
    let (status, _) = world.api.get(&path(&tenant, "conversation-settings"), &other.key).await;
    assert_eq!(status, 404, "another tenant's");
    let (_, shown) = world.api.get(&path(&tenant, "conversation-settings"), MASTER_KEY).await;
    let expected = json!({
        "outsideWindow": { "policy": "refuse", "template": null },
        "optOut": { "stopWords": null, "startWords": null, "stopAnswer": STOP_ANSWER, "startAnswer": START_ANSWER },
        "debounceSeconds": 0,
    });
    assert_eq!(shown, expected);
    world.end().await;
}

#[tokio::test]
async fn a_burst_of_messages_reaches_the_flow_as_one_event() {
    let (world, tenant) = start().await;
    assert_eq!(set(&world, &tenant, json!({ "debounceSeconds": 5 })).await.0, 200);
    for text in ["echo one", "echo two", "burst"] {
        world.says(&tenant, CONTACT, text).await;
        world.advance(TimeDelta::seconds(1));
    }
    let stored = "select count(*) from messages where direction = 'IN'";
    assert_eq!(world.db.count(stored).await, 3, "nothing waits to be stored");
    assert_eq!(world.db.count("select count(*) from flow_runs").await, 0);
    world.advance(TimeDelta::seconds(2));
    world.idle().await;
    let heard = world.heard(CONTACT);
    let [burst] = heard.as_slice() else { panic!("{heard:?}") };
    let burst: Vec<Value> = serde_json::from_str(burst).unwrap();
    let texts: Vec<_> = burst.iter().map(|message| message["text"]["body"].as_str().unwrap()).collect();
    assert_eq!(texts, ["echo one", "echo two"], "those before the last are in the context");
    let results: Vec<String> =
        sqlx::query_scalar("select result from flow_runs order by event_id").fetch_all(&world.db.pool).await.unwrap();
    assert_eq!(results, ["joined", "joined", "done"]);

    // What comes later is an event of its own, and a replay sees the same burst.
    world.says(&tenant, CONTACT, "echo later").await;
    world.advance(TimeDelta::seconds(5));
    world.idle().await;
    assert_eq!(world.heard(CONTACT).last().map(String::as_str), Some("later"));
    let kept: Value =
        sqlx::query_scalar("select context -> 'burst' from flow_runs where result = 'done' order by at limit 1")
            .fetch_one(&world.db.pool)
            .await
            .unwrap();
    assert_eq!(kept.as_array().map(Vec::len), Some(2), "{kept}");
    world.end().await;
}
