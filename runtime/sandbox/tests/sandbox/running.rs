//! What a plugin gets and gives in the sandbox, with the real guests.

use hoopoe_sandbox::contract::{Action, EventKind, NextState, StatusKind};
use hoopoe_sandbox::{Digest, Failure, Level, Limits};

use crate::common::{OWNER, component, context, replies, reply, sandbox, status, test_guest, text};

#[tokio::test]
async fn the_auto_reply_thanks_in_the_name_of_the_team() {
    let bytes = component("auto-reply");
    let plugin = sandbox(Limits::default()).load(&bytes).await.unwrap();
    assert_eq!(plugin.manifest().name, "auto-reply");
    assert_eq!(plugin.manifest().events, [EventKind::Message]);
    assert_eq!(plugin.digest(), &Digest::of(&bytes));
    assert!(plugin.wants(&text("hi")) && !plugin.wants(&status(StatusKind::Read)));

    let run = plugin.on_event(OWNER, context(), text("hi"), None).await;
    let outcome = run.result.unwrap();
    assert_eq!(replies(&outcome), ["thanks for reaching us\n- team Acme"]);
    assert_eq!(outcome.state, NextState::Keep);
    let [Action::Send(send)] = &outcome.actions[..] else { panic!("one message") };
    assert_eq!(send.idempotency_key.as_deref(), Some("auto-reply:wamid.1"));
    assert!(run.fuel > 0 && run.memory_bytes > 0 && !run.logs_cut);

    let unwanted = plugin.on_event(OWNER, context(), status(StatusKind::Read), None).await;
    assert_eq!(unwanted.result.unwrap().actions, []);
}

#[tokio::test]
async fn every_event_gets_a_fresh_instance() {
    let plugin = test_guest(Limits::default()).await;
    for _ in 0..3 {
        assert_eq!(reply(&plugin, "dirty").await, "1");
    }
}

#[tokio::test]
async fn state_goes_from_run_to_run() {
    let plugin = test_guest(Limits::default()).await;
    let mut state = None;
    for expected in ["1", "2", "3"] {
        let run = plugin.on_event(OWNER, context(), text("count"), state.clone()).await;
        let outcome = run.result.unwrap();
        assert_eq!(replies(&outcome), [expected]);
        let NextState::Replace(next) = outcome.state else { panic!("a new state") };
        state = Some(next);
    }
}

#[tokio::test]
async fn the_same_input_gives_the_same_run() {
    let plugin = test_guest(Limits::default()).await;
    for words in ["context", "burn 100000", "log 3", "many 5", "big-output 100000", "panic x", "loop"] {
        let one = plugin.on_event(OWNER, context(), text(words), None).await;
        let two = plugin.on_event(OWNER, context(), text(words), None).await;
        assert_eq!((&one.result, one.fuel), (&two.result, two.fuel), "{words}");
        assert_eq!((&one.logs, one.memory_bytes), (&two.logs, two.memory_bytes), "{words}");
    }
}

#[tokio::test]
async fn the_context_is_what_the_plugin_knows() {
    let plugin = test_guest(Limits::default()).await;
    let mut context = context();
    context.attempt = 3;
    context.config = r#"{"a":[1]}"#.into();
    let run = plugin.on_event(OWNER, context, text("context"), None).await;
    let known = replies(&run.result.unwrap()).concat();
    for fact in [r#""name":"Acme""#, r#""event":"e-1""#, r#""now":1767225600000"#, r#""seed":7"#, r#""attempt":3"#] {
        assert!(known.contains(fact), "{fact} in {known}");
    }
    assert!(known.contains(r#""config":{"a":[1]}"#), "{known}");
}

#[tokio::test]
async fn a_plugin_can_fail_in_its_own_words() {
    let plugin = test_guest(Limits::default()).await;
    let result = async |words: &str| plugin.on_event(OWNER, context(), text(words), None).await.result;
    assert_eq!(result("retry the shop is closed").await, Err(Failure::Retry("the shop is closed".into())));
    assert_eq!(result("reject no such order").await, Err(Failure::Reject("no such order".into())));
    let Err(Failure::Panic(message)) = result("panic out of soup").await else { panic!("a panic") };
    assert!(message.starts_with("out of soup (at ") && message.contains("lib.rs:"), "{message}");
    let Err(Failure::Reject(reason)) = result(&format!("reject {}", "x".repeat(9000))).await else {
        panic!("a rejection")
    };
    assert_eq!(reason.len(), Limits::default().log_line_bytes);
}

#[tokio::test]
async fn logs_come_with_the_run() {
    let plugin = test_guest(Limits::default()).await;
    let run = plugin.on_event(OWNER, context(), status(StatusKind::Delivered), None).await;
    assert_eq!(run.result.unwrap().actions, []);
    assert_eq!(run.logs.len(), 1);
    assert_eq!(run.logs[0].level, Level::Info);
    assert!(run.logs[0].message.contains("wamid.2"), "{:?}", run.logs);
}

#[tokio::test]
async fn state_of_an_earlier_version_is_taken_over_or_refused() {
    let plugin = test_guest(Limits::default()).await;
    let state = br#"{"count":4}"#;
    assert_eq!(plugin.migrate_state(OWNER, "0.0.9", state).await.result.unwrap(), state);
    let Err(Failure::Reject(reason)) = plugin.migrate_state(OWNER, "0.0.9", b"[]").await.result else {
        panic!("a rejection")
    };
    assert!(reason.contains("cannot be read"), "{reason}");
}

/// Growing it would cost every run two system calls of the host, and page faults.
#[tokio::test]
async fn an_ordinary_event_fits_into_the_memory_that_a_plugin_starts_with() {
    let bytes = component("auto-reply");
    let compiled = wasmtime::component::Component::new(&wasmtime::Engine::default(), &bytes).unwrap();
    // In pages.
    let initial = (compiled.resources_required().unwrap().max_initial_memory_size.unwrap() as usize) << 16;
    let plugin = sandbox(Limits::default()).load(&bytes).await.unwrap();
    for words in ["hi", &"a long message ".repeat(1000)] {
        let run = plugin.on_event(OWNER, context(), text(words), None).await;
        assert!(run.result.is_ok(), "{:?}", run.result);
        assert_eq!(run.memory_bytes, initial);
    }
}
