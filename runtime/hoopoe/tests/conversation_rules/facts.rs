//! What Meta tells of a channel or of its account.

use hoopoe_testing::{MASTER_KEY, World};
use meta_sim::Inbound;
use serde_json::json;

use crate::{ACCOUNT, CONTACT};

#[tokio::test]
async fn what_meta_tells_of_a_channel_is_shown_to_its_tenant_alone_and_of_an_account_to_all_that_share_it() {
    let world = World::start().await;
    let register = async |name: &str, number: &str| {
        let body = json!({ "name": name, "phoneNumberId": number, "accessToken": "token", "wabaId": ACCOUNT });
        let (status, answer) = world.api.post("/tenants/register", MASTER_KEY, &body).await;
        assert_eq!(status, 201, "{answer}");
        (answer["id"].as_str().unwrap().to_owned(), answer["apiKey"].as_str().unwrap().to_owned(), number.to_owned())
    };
    let (a, b) = (register("A", "106540352242922").await, register("B", "106540352242923").await);
    // Their numbers as people write them come with their first messages; the simulator shows the id.
    for tenant in [&a, &b] {
        assert!(world.sim.receive(Inbound::text(&tenant.2, CONTACT, "hi")).await.is_acknowledged());
    }
    world.idle().await;
    let quality = |number: &str, event: &str| json!({ "display_phone_number": number, "event": event, "current_limit": "TIER_10K", "old_limit": "TIER_1K" });
    let name = json!({ "display_phone_number": a.2, "decision": "APPROVED", "requested_verified_name": "Acme" });
    for (time, field, value) in [
        (200, "phone_number_quality_update", quality(&b.2, "DOWNGRADE")),
        (100, "phone_number_quality_update", quality(&b.2, "UPGRADE")),
        (100, "phone_number_name_update", name),
        (100, "phone_number_quality_update", quality("999", "FLAGGED")),
        (100, "account_update", json!({ "event": "ACCOUNT_RESTRICTION" })),
        (100, "business_capability_update", json!({ "max_phone_numbers_per_waba": 20 })),
        // Whose contact that is nobody knows.
        (100, "user_preferences", json!({ "user_preferences": [{ "wa_id": CONTACT, "value": "stop" }] })),
        (100, "messages", json!({ "messages": [{ "id": "wamid.1", "from": CONTACT, "type": "text" }] })),
    ] {
        let posted = world.sim.change_at(ACCOUNT, field, value, Some(time)).await;
        assert!(posted.is_acknowledged(), "{posted:?}");
    }
    let state = async |tenant: &(String, String, String)| {
        let path = format!("/tenants/{}/channels/{}/state", tenant.0, tenant.2);
        let (status, state) = world.api.get(&path, &tenant.1).await;
        assert_eq!(status, 200, "{state}");
        state["facts"].clone()
    };
    let (of_a, of_b) = (state(&a).await, state(&b).await);
    assert_eq!(of_b["quality"]["value"]["event"], "DOWNGRADE", "the later counts, whatever the order: {of_b}");
    assert_eq!(of_a["name"]["value"], json!({ "decision": "APPROVED", "name": "Acme" }));
    assert!(of_a.get("quality").is_none() && of_b.get("name").is_none(), "each its own: {of_a} {of_b}");
    for facts in [&of_a, &of_b] {
        assert_eq!(facts["account"]["value"], json!({ "event": "ACCOUNT_RESTRICTION" }), "{facts}");
        assert_eq!(facts["capability"]["value"], json!({ "numbers": 20 }), "{facts}");
    }
    assert_eq!(world.db.count("select count(*) from unrouted_items").await, 3, "whose 999 is, nobody knows either");
    let (status, _) = world.api.get(&format!("/tenants/{}/channels/{}/state", a.0, b.2), &a.1).await;
    assert_eq!(status, 404);
    world.end().await;
}

#[tokio::test]
async fn what_meta_tells_of_an_account_counts_for_the_tenants_numbers() {
    let world = World::start().await;
    let body = json!({ "name": "A", "phoneNumberId": "106540352242922", "accessToken": "token", "wabaId": ACCOUNT });
    let (_, tenant) = world.api.post("/tenants/register", MASTER_KEY, &body).await;
    let alert = |kind: &str| {
        json!({ "entity_type": "WABA", "entity_id": ACCOUNT, "alert_info": { "alert_severity": "CRITICAL",
            "alert_status": "ACTIVE", "alert_type": kind, "alert_description": "as it says" } })
    };
    let broken = json!({
        "metadata": { "display_phone_number": "1", "phone_number_id": "106540352242922" },
        "errors": [{ "code": 130429, "title": "Rate limit hit", "error_data": { "details": "too many" } }],
    });
    for (field, value) in [
        ("account_update", json!({ "event": "ACCOUNT_VIOLATION", "violation_info": { "violation_type": "SPAM" } })),
        ("account_review_update", json!({ "decision": "APPROVED" })),
        ("business_capability_update", json!({ "max_phone_numbers_per_waba": 20 })),
        ("account_alerts", alert("OBA_APPROVED")),
        ("account_alerts", alert("INCREASED_CAPABILITIES_ELIGIBILITY_DEFERRED")),
        ("messages", broken),
        ("phone_number_quality_update", json!({ "display_phone_number": "15550783881", "event": "FLAGGED" })),
        ("security", json!({ "display_phone_number": "15550783881", "event": "PIN_CHANGED", "requester": "1" })),
    ] {
        assert!(world.sim.change(ACCOUNT, field, value).await.is_acknowledged());
    }
    let path = format!("/tenants/{}/channels/106540352242922/state", tenant["id"].as_str().unwrap());
    let (_, state) = world.api.get(&path, tenant["apiKey"].as_str().unwrap()).await;
    let kinds: Vec<_> = state["facts"].as_object().unwrap().keys().cloned().collect();
    let expected = [
        "account",
        "alert:INCREASED_CAPABILITIES_ELIGIBILITY_DEFERRED",
        "alert:OBA_APPROVED",
        "capability",
        "error",
        "quality",
        "review",
        "security",
    ];
    assert_eq!(kinds, expected);
    let error = json!({ "code": 130429, "title": "Rate limit hit", "details": "too many" });
    assert_eq!(state["facts"]["error"]["value"], error);
    assert_eq!(state["facts"]["account"]["value"], json!({ "event": "ACCOUNT_VIOLATION", "details": "SPAM" }));
    world.end().await;
}
