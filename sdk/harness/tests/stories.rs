//! The conversations of the example plugins, played with the compiled plugins.

use std::path::PathBuf;

use hoopoe_harness::{Wasm, WasmHarness};
use hoopoe_sdk::testing::{Chat, content, json};

#[path = "../../../plugins/examples/appointments/stories.rs"]
mod appointments;
#[path = "../../../plugins/examples/faq/stories.rs"]
mod faq;
#[path = "../../../plugins/examples/order-status/stories.rs"]
mod order_status;

fn folder(plugin: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../plugins").join(plugin)
}

fn component(plugin: &str) -> Vec<u8> {
    hoopoe_plugin_build::test_component(plugin).unwrap_or_else(|error| panic!("{error}"))
}

fn play(plugin: &str, stories: Vec<fn(Chat<Wasm>)>) {
    let component = component(plugin);
    for story in stories {
        story(open(&component));
    }
}

fn open(component: &[u8]) -> WasmHarness {
    hoopoe_harness::open(component).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn appointments_are_booked() {
    play("examples/appointments", appointments::stories());
}

#[test]
fn questions_are_answered() {
    play("examples/faq", faq::stories());
}

#[test]
fn orders_are_found() {
    play("examples/order-status", order_status::stories());
}

#[test]
fn examples_of_configurations_fit_their_schemas() {
    for plugin in ["appointments", "faq", "order-status"] {
        let read = |name: &str| {
            let path = folder("examples").join(plugin).join(name);
            let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            serde_json::from_str::<serde_json::Value>(&text)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        let schema = jsonschema::validator_for(&read("config.schema.json")).unwrap_or_else(|error| panic!("{error}"));
        if let Err(error) = schema.validate(&read("config.example.json")) {
            panic!("{plugin}: {}: {error}", error.instance_path());
        }
        assert!(!schema.is_valid(&json!({})), "{plugin} takes any configuration");
    }
}

/// Every kind of event and of content gets into the plugin, and what it decides comes out.
#[test]
fn whatever_happens_reaches_the_plugin() {
    let mut chat = hoopoe_harness::build(folder("auto-reply")).unwrap_or_else(|error| panic!("{error}"));
    for (place, content) in content::every_kind().into_iter().enumerate() {
        let key = format!("auto-reply:wamid.TEST{}", place + 1);
        chat.sends(content).expect_reply("thanks for reaching us\n- team Hoopoe Demo").expect_key(&key);
    }
}

#[test]
fn state_logs_and_failures_come_out() {
    let mut chat = open(&component("test-guest"));
    chat.says("count").expect_reply("1");
    chat.says("count").expect_reply("2");
    assert_eq!(chat.says("log 2").logs.len(), 2);
    assert_eq!(chat.says("retry later").expect_retry(), "later");
    chat.retries().expect_retry();
    assert!(chat.says("many x").expect_reject().starts_with("the command needs a number"));
    chat.handles(&hoopoe_sdk::testing::status(hoopoe_sdk::StatusKind::Read)).expect_silence();
    chat.says("count").expect_reply("3");
}

#[test]
#[should_panic(expected = "the plugin used up its fuel")]
fn a_plugin_that_is_stopped_fails_the_test() {
    open(&component("test-guest")).says("loop");
}
