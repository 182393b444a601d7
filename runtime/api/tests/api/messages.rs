//! `GET /tenants/{id}/messages[/{id}]`: pages, filters, and the way of one message.

use hoopoe_testing::{Tenant, World};
use reqwest::Method;
use serde_json::{Value, json};

use crate::answers::answer;

async fn page(world: &World, tenant: &Tenant, query: &str) -> Value {
    let (status, page) = world.api.get(&format!("/tenants/{}/messages{query}", tenant.id), &tenant.key).await;
    assert_eq!(status, 200, "{query}: {page}");
    page
}

fn ids(page: &Value) -> Vec<&str> {
    page["messages"].as_array().unwrap().iter().map(|message| message["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_list_is_filtered_and_paged() {
    let world = World::start().await;
    let tenant = world.api.register("Acme", "106540352242922", "mock_token").await;
    let other = world.api.register("Other", "106540352242923", "mock_token").await;
    assert_eq!(page(&world, &tenant, "").await, json!({ "messages": [], "next": null }));

    for n in 0..3 {
        world.says(&tenant, &format!("1650555123{n}"), "hello").await;
    }
    world.says(&other, "16505551239", "hello").await;
    world.idle().await;
    for n in 0..2 {
        world.api.send(&tenant, &format!("+1650555123{n}"), "Hello").await;
    }
    world.idle().await;

    let all = page(&world, &tenant, "").await;
    let all = ids(&all);
    assert_eq!(all.len(), 8);
    assert!(all.is_sorted_by(|newer, older| newer > older), "newest first: {all:?}");

    let filters = [
        ("?direction=IN", 3),
        ("?direction=OUT", 5),
        ("?status=received", 3),
        ("?status=sent", 5),
        ("?status=failed", 0),
        ("?direction=IN&status=received", 3),
        ("?direction=IN&status=sent", 0),
        ("?limit=200", 8),
        ("?limit=1", 1),
    ];
    for (query, expected) in filters {
        assert_eq!(ids(&page(&world, &tenant, query).await).len(), expected, "{query}");
    }

    for limit in [1, 3, 4, 8] {
        let (mut paged, mut before) = (Vec::<String>::new(), String::new());
        loop {
            let page = page(&world, &tenant, &format!("?limit={limit}{before}")).await;
            assert!(ids(&page).len() <= limit, "{limit}");
            paged.extend(ids(&page).iter().map(|id| (*id).to_owned()));
            let Some(next) = page["next"].as_str() else { break };
            before = format!("&before={next}");
        }
        assert_eq!(paged, all, "pages of {limit}");
    }
    let sent = page(&world, &tenant, &format!("?direction=OUT&limit=2&before={}", all[0])).await;
    assert_eq!(ids(&sent).len(), 2);
    assert!(!ids(&sent).contains(&all[0]), "filters and paging go together");
    world.end().await;
}

#[tokio::test]
async fn a_wrong_question_is_told_so() {
    let world = World::builder().roles("api").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "mock_token").await;
    let ask = |query: &str| {
        answer(world.api.request(Method::GET, &format!("/tenants/{}/messages{query}", tenant.id), &tenant.key))
    };
    let fields: [(&str, &str, &[&str]); 7] = [
        ("?limit=0", "limit", &["1 to 200"]),
        ("?limit=201", "limit", &["201", "1 to 200"]),
        ("?limit=-1", "limit", &["1 to 200"]),
        ("?direction=UP", "direction", &["UP", "IN, OUT"]),
        ("?direction=in", "direction", &["IN, OUT"]),
        ("?status=lost", "status", &["lost", "delivered"]),
        ("?direction=OUT&status=", "status", &["delivered"]),
    ];
    for (query, field, words) in fields {
        ask(query).await.refuses_field(query, field, words);
    }
    let whole: [(&str, &str); 5] = [
        ("?limit=many", "limit"),
        ("?limit=1.5", "limit"),
        ("?before=yesterday", "before"),
        ("?page=2", "page"),
        ("?limit=1&limit=2", "limit"),
    ];
    for (query, word) in whole {
        ask(query).await.refuses(query, 400, &[word]);
    }
    world.end().await;
}

#[tokio::test]
async fn one_message_tells_its_way() {
    let world = World::start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let other = world.api.register("Other", "106540352242923", "token").await;
    let id = world.api.send(&tenant, "+16505551234", "Hello").await;
    world.sim.wait_for_statuses(3, hoopoe_testing::PATIENCE).await.unwrap();
    world.idle().await;

    let message = world.api.message(&tenant, id).await;
    let accepted = &world.sim.accepted()[0];
    let expected = json!({
        "id": id, "direction": "OUT", "status": "read", "type": "text", "body": "Hello", "contact": "16505551234",
        "phoneNumberId": "106540352242922", "waMessageId": accepted.wamid, "idempotency_key": null, "attempts": 1,
        "error": null, "deadAt": null, "sendAt": null, "createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z",
    });
    let mut shown = message.clone();
    let timeline = shown.as_object_mut().unwrap().remove("timeline").unwrap();
    assert_eq!(shown, expected);
    assert_eq!(accepted.callback_data.as_deref(), Some(id.to_string().as_str()));

    // Meta's statuses may overtake our own record of the answer.
    let timeline = timeline.as_array().unwrap();
    let mut steps: Vec<_> = timeline.iter().map(|step| step["status"].as_str().unwrap()).collect();
    let from_meta: Vec<_> = steps.iter().filter(|step| **step != "accepted").copied().collect();
    assert_eq!(from_meta, ["sent", "delivered", "read"]);
    steps.sort_unstable();
    assert_eq!(steps, ["accepted", "delivered", "read", "sent"]);
    for step in timeline {
        assert_eq!(step["recordedAt"], "2026-01-01T00:00:00Z", "{step}");
        let reported = step["status"] != "accepted";
        assert_eq!(step["detail"]["id"] == accepted.wamid.as_str(), reported, "Meta's item is kept: {step}");
    }

    let path = |tenant: &Tenant, message: &str| format!("/tenants/{}/messages/{message}", tenant.id);
    let (mine, unknown) = (id.to_string(), "01890000-0000-7000-8000-000000000000");
    let misses = [
        ("another tenant's message", path(&other, &mine), &other.key),
        ("an unknown message", path(&tenant, unknown), &tenant.key),
        ("an id that is none", path(&tenant, "wamid.1"), &tenant.key),
        ("Meta's id", path(&tenant, &accepted.wamid), &tenant.key),
    ];
    for (label, path, key) in misses {
        answer(world.api.request(Method::GET, &path, key)).await.refuses(label, 404, &["no message"]);
    }
    let strange = world.api.request(Method::GET, &path(&tenant, &mine), &other.key);
    answer(strange).await.refuses("another tenant", 404, &["no tenant"]);
    world.end().await;
}
