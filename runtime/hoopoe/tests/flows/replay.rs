//! Recorded runs come out identical, byte for byte, when the same version is run on them again; another version's
//! differences are shown.

use hoopoe_testing::World;
use serde_json::json;

#[tokio::test]
async fn the_same_version_decides_the_same_and_another_is_compared() {
    let world = World::start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let component = |name: &str| hoopoe_plugin_build::test_component(name).unwrap();
    let first = world.api.upload(&tenant, "bot", component("test-guest")).await;
    let config = json!({ "greeting": "hallo" });
    let path = format!("/tenants/{}/plugins/bot", tenant.id);
    assert_eq!(world.api.put(&format!("{path}/config"), &tenant.key, &config).await.0, 200);
    world.api.plugin(&tenant, "bot", "activate", &json!({})).await;
    let texts = [
        "count",
        "context",
        "tag vip",
        "context",
        "count",
        "many 3",
        "panic no",
        "badtext",
        "reject r",
        "timer t 1000 x",
        "log 3",
        "big-state 1000",
        "count",
        "\u{1f426} unicode",
        "hand-off enough",
    ];
    for contact in ["16505551234", "16505550000"] {
        for text in texts {
            world.says(&tenant, contact, text).await;
        }
    }
    world.idle().await;
    // What the world is like now plays no part in a replay.
    assert_eq!(world.api.put(&format!("{path}/config"), &tenant.key, &json!({ "greeting": "moin" })).await.0, 200);
    sqlx::query("update contacts set name = 'Somebody else', tags = '{}'").execute(&world.db.pool).await.unwrap();
    world.advance(chrono::TimeDelta::milliseconds(500));

    let period =
        json!({ "digest": first, "from": "2025-01-01T00:00:00Z", "to": "2027-01-01T00:00:00Z", "limit": 1000 });
    let report = world.api.plugin(&tenant, "bot", "replay", &period).await;
    // Every message of the two conversations that was not handed off, and statuses.
    assert!(report["runs"].as_u64() >= Some(2 * texts.len() as u64), "{report}");
    assert_eq!(report["identical"], report["runs"], "{report}");

    let second = world.api.upload(&tenant, "bot", component("test-guest-2")).await;
    let period =
        json!({ "digest": second, "from": "2025-01-01T00:00:00Z", "to": "2027-01-01T00:00:00Z", "limit": 1000 });
    let report = world.api.plugin(&tenant, "bot", "replay", &period).await;
    assert!(report["identical"].as_u64() < Some(10), "{report}");
    let differing = report["differing"].as_array().unwrap();
    assert_eq!(differing[0]["recorded"]["actions"][0]["send"]["content"]["text"]["body"], "1", "{report}");
    assert_eq!(differing[0]["replayed"]["actions"][0]["send"]["content"]["text"]["body"], "v2: 1", "{report}");
    assert_eq!(world.heard("16505551234").len(), world.heard("16505550000").len(), "nothing took effect");
    world.end().await;
}
