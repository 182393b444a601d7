//! `hoopoe dead-letters` against a real runtime.

use hoopoe_testing::World;
use meta_sim::Fault;
use serde_json::{Value, json};

use crate::support::Developer;

#[tokio::test]
async fn dead_letters_are_listed_and_sent_once_more() {
    let world = World::start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let folder = tempfile::tempdir().unwrap();
    let developer = Developer::of(&world, &tenant, folder.path());
    let none = developer.run(&["dead-letters"]).await;
    assert_eq!((none.code, none.out.trim()), (0, "there is none"), "{none:?}");

    world.sim.fail_next(Fault::code(131026), 2);
    let mut ids = Vec::new();
    for contact in ["16505551234", "16505550000"] {
        ids.push(world.api.send(&tenant, contact, "hello").await.to_string());
        world.idle().await;
    }
    let listed = developer.run(&["dead-letters"]).await;
    for part in [&ids[0], &ids[1], "16505551234", "permanent", "131026"] {
        assert!(listed.out.contains(part), "{part} is not in {listed:?}");
    }
    let page = developer.works(&["dead-letters", "-n", "1"]).await;
    assert!(page.out.contains(&format!("older: --before {}", ids[1])), "{page:?}");
    let shown = developer.works(&["dead-letters", "show", &ids[0]]).await;
    for part in [&ids[0], "16505551234", "text: hello", "permanent: code 131026", "STEP", "failed"] {
        assert!(shown.out.contains(part), "{part} is not in {shown:?}");
    }
    let unknown = developer.run(&["dead-letters", "show", &tenant.id.to_string()]).await;
    assert!(unknown.code == 3 && unknown.err.contains("no message"), "{unknown:?}");

    let never = developer.run(&["dead-letters", "redrive", "--expires-in", "0", &ids[0]]).await;
    assert!(never.code == 3 && never.err.contains("2592000"), "{never:?}");
    let redriven = developer.run(&["dead-letters", "redrive", &ids[0], "--expires-in", "60"]).await;
    assert_eq!((redriven.code, redriven.out.trim()), (0, "1 message is queued once more"), "{redriven:?}");
    // The clock stands at the first second of 2026.
    let expires = "select count(*) from messages where expires_at = '2026-01-01T00:01:00Z'";
    assert_eq!(world.db.count(expires).await, 1);
    let followed = developer.works(&["dead-letters", "show", &ids[0], "--json"]).await.json();
    // It may be on its way already.
    let steps: Vec<&Value> = followed["timeline"].as_array().unwrap().iter().map(|step| &step["status"]).collect();
    assert!(["failed", "redriven"].iter().all(|step| steps.contains(&&json!(step))), "{followed}");
    let purged = developer.run(&["dead-letters", "--json", "purge", "--oldest", "10"]).await;
    assert_eq!(purged.json()["messages"][0], ids[1].as_str(), "{purged:?}");
    let (url, key) = (world.api.base.as_str(), tenant.key.as_str());
    let stranger = Developer::alone(folder.path()).with("HOOPOE_TENANT", &tenant.id.to_string());
    for arguments in [
        ["dead-letters", "--url", url, "--key", key, "--json", "purge", "--oldest", "10"],
        ["dead-letters", "purge", "--oldest", "10", "--url", url, "--key", key, "--json"],
    ] {
        let purged = stranger.run(&arguments).await;
        assert_eq!((purged.code, purged.json()["messages"].as_array().map(Vec::len)), (0, Some(0)), "{purged:?}");
    }
    world.idle().await;
    assert_eq!(world.sim.times("16505551234", "hello"), 1);
    let neither = developer.run(&["dead-letters", "purge"]).await;
    assert!(neither.code != 0, "{neither:?}");
    world.end().await;
}
