//! What is wrong is said with what to do, and scripts see it by the exit code.

use hoopoe_testing::World;
use serde_json::Value;

use crate::support::Developer;

#[tokio::test]
async fn without_a_host_commands_say_which_setting_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let developer = Developer::alone(folder.path());
    let cases: [(&[&str], i32, &str); 8] = [
        (&["versions", "--plugin", "bot"], 2, "HOOPOE_URL is not set; give it or --url, or start the development host"),
        (&["say", "hi"], 2, "HOOPOE_SIM is not set"),
        (&["push"], 2, "HOOPOE_URL is not set"),
        (&["build"], 2, "there is no Cargo.toml here or above"),
        (&["test"], 2, "hoopoe new my-bot"),
        (&["new", "match"], 2, "take another name"),
        (&["replay", "--plugin", "bot"], 2, "--event <ID>"),
        (
            &["versions", "--url", "http://127.0.0.1:1", "--tenant", "t", "--key", "k", "-p", "bot"],
            4,
            "does not answer",
        ),
    ];
    for (arguments, code, words) in cases {
        let done = developer.run(arguments).await;
        assert_eq!(done.code, code, "{arguments:?}: {done:?}");
        assert!(done.err.contains(words), "{arguments:?}: {}", done.err);
        assert!(!done.err.contains("panicked") && done.out.is_empty(), "{arguments:?}: {done:?}");
    }
}

#[tokio::test]
async fn a_refusal_of_the_host_is_told_in_its_words() {
    let world = World::start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let folder = tempfile::tempdir().unwrap();
    let developer = Developer::of(&world, &tenant, folder.path());
    std::fs::write(folder.path().join("broken.wasm"), "no wasm").unwrap();

    let unknown = developer.run(&["versions", "--plugin", "bot", "--json"]).await;
    let error: Value = serde_json::from_str(&unknown.err).unwrap();
    assert_eq!((unknown.code, &error["exitCode"], &error["status"]), (3, &3.into(), &404.into()), "{unknown:?}");
    assert!(error["error"].as_str().unwrap().contains("bot"), "{error}");

    let broken = developer.run(&["push", "broken.wasm"]).await;
    assert_eq!(broken.code, 3, "{broken:?}");
    assert!(broken.err.contains("WebAssembly"), "{broken:?}");

    let stranger = developer.clone().with("HOOPOE_KEY", "hoopoe_wrong").run(&["runs"]).await;
    assert_eq!(stranger.code, 3, "{stranger:?}");
    let silent = developer.run(&["say", "hi", "--wait", "0", "--phone-number-id", "999999999999999"]).await;
    assert_eq!(silent.code, 1, "{silent:?}");
    assert!(silent.err.contains("hoopoe runs"), "{silent:?}");
    world.end().await;
}

#[tokio::test]
async fn shells_complete_every_command() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let done = Developer::alone(folder.path()).works(&["completions", shell]).await;
        for command in ["serve", "new", "dev", "simulate", "rollback", "secret"] {
            assert!(done.out.contains(command), "{shell} does not complete {command}");
        }
    }
}

#[tokio::test]
async fn the_settings_of_the_development_host_are_found() {
    let world = World::start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dev.json");
    let settings = serde_json::json!({
        "url": world.api.base, "tenant": tenant.id, "key": tenant.key, "simulator": world.sim.url(),
        "phoneNumberId": tenant.phone_number_id,
    });
    std::fs::write(&file, settings.to_string()).unwrap();
    let developer = Developer::alone(folder.path()).with("HOOPOE_DEV_FILE", file.to_str().unwrap());
    assert_eq!(developer.hears("hi").await, "thanks for reaching us\n- team Acme");
    world.end().await;
}
