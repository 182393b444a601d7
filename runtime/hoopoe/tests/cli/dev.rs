//! `hoopoe dev`: a save changes the answer; what fails leaves the running version alone.

use std::fs;

use hoopoe_testing::World;
use serde_json::Value;

use crate::support::{Developer, Ongoing};

async fn active(dev: &mut Ongoing) -> Value {
    let active = dev.until("active").await;
    println!(
        "active: {} ms after the save, build {} ms, rest {} ms",
        active["afterSaveMs"], active["buildMs"], active["restMs"]
    );
    active
}

#[tokio::test]
async fn every_save_reloads_and_a_failing_build_keeps_the_old_version() {
    let world = World::builder().system_clock().start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let folder = tempfile::tempdir().unwrap();
    let developer = Developer::of(&world, &tenant, folder.path());
    developer.works(&["new", "live-bot"]).await;
    let project = developer.within(&folder.path().join("live-bot"));
    let flow = project.folder.join("src/lib.rs");
    let source = fs::read_to_string(&flow).unwrap();
    assert_eq!(project.hears("hi").await, "thanks for reaching us\n- team Acme");

    let mut dev = project.start(&["dev", "--json"]);
    assert_eq!(dev.next().await["plugins"], serde_json::json!(["live-bot"]));
    let first = active(&mut dev).await;
    assert_eq!(project.hears("hi").await, "You said: hi\n- team Acme");

    fs::write(&flow, source.replace("You said", "You wrote")).unwrap();
    let second = active(&mut dev).await;
    assert_ne!(first["digest"], second["digest"]);
    assert_eq!(project.hears("hi").await, "You wrote: hi\n- team Acme");

    // Half a file, as an editor may leave it for a moment.
    fs::write(&flow, &source[..source.len() / 2]).unwrap();
    let failed = dev.until("failed").await;
    assert_eq!(failed["running"], second["digest"], "{failed}");
    assert!(failed["error"].as_str().unwrap().contains("does not compile"), "{failed}");
    assert_eq!(project.hears("hi").await, "You wrote: hi\n- team Acme");

    fs::write(&flow, &source).unwrap();
    let third = active(&mut dev).await;
    assert_eq!(third["digest"], first["digest"], "the same source makes the same component");
    assert_eq!(project.hears("hi").await, "You said: hi\n- team Acme");
    world.end().await;
}

#[tokio::test]
async fn wasm_files_that_are_dropped_into_a_folder_are_reloaded() {
    let component = |name: &str| hoopoe_plugin_build::test_component(name).unwrap();
    let (reply, guest) = (component("auto-reply"), component("test-guest"));
    let world = World::builder().system_clock().start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let folder = tempfile::tempdir().unwrap();
    let developer = Developer::of(&world, &tenant, folder.path());
    fs::write(folder.path().join("bot.wasm"), &guest).unwrap();

    let mut dev = developer.start(&["dev", ".", "--json"]);
    assert_eq!(active(&mut dev).await["plugin"], "bot");
    assert_eq!(developer.hears("count").await, "1");

    // What is copied only in part is no component.
    fs::write(folder.path().join("bot.wasm"), &reply[..reply.len() / 2]).unwrap();
    assert_eq!(dev.until("failed").await["status"], 400);
    assert_eq!(developer.hears("count").await, "2");

    fs::write(folder.path().join("other.wasm"), &reply).unwrap();
    assert_eq!(active(&mut dev).await["plugin"], "other");
    assert_eq!(developer.hears("count").await, "thanks for reaching us\n- team Acme");
    world.end().await;
}
