//! All kinds in one batch.

use hoopoe_testing::World;
use serde_json::{Value, json};

use crate::{NUMBER, content, examples};

/// Meta's type of what is sent.
fn kind(request: &Value) -> &str {
    match content(request) {
        ("payload", payload) => payload["type"].as_str().unwrap(),
        (name, _) => name,
    }
}

#[tokio::test]
async fn every_example_of_a_batch_is_taken_by_meta() {
    let world = World::start().await;
    let tenant = world.api.register("Acme", NUMBER, "token").await;
    let mut messages: Vec<Value> = examples().into_iter().map(|(_, request)| request).collect();
    // What is wrong takes nothing along.
    let wrong = messages.len() / 2;
    messages.insert(wrong, json!({ "to": "+16505551234", "text": "" }));
    let path = format!("/tenants/{}/send/batch", tenant.id);
    let (status, answer) = world.api.post(&path, &tenant.key, &json!({ "messages": messages })).await;
    assert_eq!((status, &answer["queued"]), (200, &json!(messages.len() - 1)), "{answer}");
    let results = answer["results"].as_array().unwrap();
    assert_eq!(results.len(), messages.len());
    for (place, (request, result)) in messages.iter().zip(results).enumerate() {
        if place == wrong {
            assert_eq!((&result["status"], &result["error"]["details"]["field"]), (&json!(400), &json!("text")));
        } else {
            assert_eq!(
                (&result["status"], &result["message"]["type"]),
                (&json!(202), &json!(kind(request))),
                "{result}"
            );
        }
    }
    world.idle().await;
    messages.remove(wrong);
    assert_eq!((world.sim.refused_count(), world.sim.marked_read().len()), (0, 1));
    let mut taken: Vec<Value> = world.sim.accepted().into_iter().map(|sent| sent.body["type"].clone()).collect();
    let mut sent: Vec<Value> = messages.iter().map(kind).filter(|kind| *kind != "read").map(Value::from).collect();
    for kinds in [&mut taken, &mut sent] {
        kinds.sort_by_key(Value::to_string);
    }
    assert_eq!(taken, sent);
    world.end().await;
}
