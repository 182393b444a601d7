//! `hoopoe events` against a real runtime.

use hoopoe_testing::World;
use serde_json::json;

use crate::support::Developer;

#[tokio::test]
async fn what_meta_tells_besides_messages_is_listed_and_shown() {
    let world = World::builder().roles("api").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let folder = tempfile::tempdir().unwrap();
    let developer = Developer::of(&world, &tenant, folder.path());
    let none = developer.run(&["events"]).await;
    assert_eq!((none.code, none.out.trim()), (0, "there is none"), "{none:?}");

    let metadata = json!({ "phone_number_id": tenant.phone_number_id });
    for call in ["wacid.1", "wacid.2"] {
        let call = json!({ "id": call, "from": "16505551234", "event": "connect" });
        let value = json!({ "metadata": metadata, "calls": [call] });
        assert!(world.sim.change("102290129340398", "calls", value).await.is_acknowledged());
    }
    let listed = developer.run(&["events", "--kind", "calls", "-n", "1"]).await;
    for part in ["calls", "106540352242922", "older: --before "] {
        assert!(listed.out.contains(part), "{part} is not in {listed:?}");
    }
    let found = developer.run(&["events", "--json"]).await.json();
    assert_eq!(found["events"][0]["payload"]["id"], "wacid.2", "{found}");
    let shown = developer.run(&["events", &found["events"][1]["id"].to_string()]).await;
    assert!(shown.out.contains("wacid.1") && !shown.out.contains("phoneNumberId"), "{shown:?}");
    let unknown = developer.run(&["events", "4711"]).await;
    assert!(unknown.code != 0 && unknown.err.contains("no event 4711"), "{unknown:?}");
    world.end().await;
}
