//! What the tests share: plugins, small guests written as WebAssembly text, a conversation.

use hoopoe_sandbox::contract::{
    Action, Channel, Contact, Content, Context, Conversation, Event, Message, Outcome, SendContent, Status, StatusKind,
    Tenant, Text,
};
use hoopoe_sandbox::{Limits, Owner, Plugin, Sandbox, Settings};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

pub const WIT: &str = include_str!("../../../../wit/flow-0.1.0/flow.wit");

/// On whose behalf tests run plugins.
pub const OWNER: Owner = Owner(1);

/// Fuel that no test uses up.
pub const ENDLESS: u64 = 1 << 60;

pub fn sandbox(limits: Limits) -> Sandbox {
    Sandbox::new(Settings { max_instances: 8, limits, ..Settings::default() }).unwrap()
}

pub fn component(plugin: &str) -> Vec<u8> {
    hoopoe_plugin_build::test_component(plugin).unwrap_or_else(|error| panic!("{error}"))
}

/// The guest that does what the message says, see `plugins/test-guest`.
pub async fn test_guest(limits: Limits) -> Plugin {
    sandbox(limits).load(&component("test-guest")).await.unwrap()
}

/// A guest whose `describe` and `on-event` have these bodies.
pub fn guest(describe: &str, on_event: &str) -> Vec<u8> {
    encode(&core(describe, on_event, ""), WIT)
}

/// A core module with the exports of the contract and something more.
pub fn core(describe: &str, on_event: &str, more: &str) -> String {
    format!(
        r#"(module
            {more}
            (memory (export "memory") 2)
            (table $table 1 funcref)
            (global $next (mut i32) (i32.const 4096))
            (data (i32.const 0) "\40\00\00\00\05\00\00\00\50\00\00\00\05\00\00\00")
            (data (i32.const 64) "guest")
            (data (i32.const 80) "1.0.0")
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (global.get $next)
                (global.set $next
                    (i32.and (i32.add (i32.add (global.get $next) (local.get 3)) (i32.const 15))
                        (i32.const -16))))
            (func $recurse (param i32) (result i32)
                (i32.add (i32.const 1) (call $recurse (i32.add (local.get 0) (i32.const 1)))))
            (func (export "hoopoe:flow/handler@0.1.0#describe") (result i32) {describe})
            (func (export "hoopoe:flow/handler@0.1.0#on-event") (param i32) (result i32) {on_event})
            (func (export "hoopoe:flow/handler@0.1.0#migrate-state") (param i32 i32 i32 i32) (result i32) unreachable))"#
    )
}

/// A manifest without events, at address 0.
pub const DESCRIBE: &str = "(i32.const 0)";

pub fn encode(core: &str, wit: &str) -> Vec<u8> {
    ComponentEncoder::default().module(&embed(core, &[wit], "flow")).unwrap().encode().unwrap()
}

/// A component of this world, whose WIT may use other packages; the contract comes last.
pub fn component_of(core: &str, wit: &[&str], world: &str) -> Vec<u8> {
    ComponentEncoder::default().module(&embed(core, wit, world)).unwrap().encode().unwrap()
}

/// A core module that carries its WIT.
pub fn embed(core: &str, wit: &[&str], world: &str) -> Vec<u8> {
    let mut module = wat::parse_str(core).unwrap();
    let mut resolve = Resolve::default();
    let mut packages = wit.iter().map(|wit| resolve.push_str("package.wit", wit).unwrap());
    let package = packages.by_ref().last().unwrap();
    drop(packages);
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    module
}

pub fn context() -> Context {
    Context {
        tenant: Tenant { id: "t-1".into(), name: "Acme".into() },
        conversation: Conversation {
            id: "v-1".into(),
            channel: Channel { id: "c-1".into(), phone_number_id: "106".into(), display_phone_number: None },
            contact: Contact {
                id: "p-1".into(),
                wa_id: Some("15550001111".into()),
                user_id: None,
                name: None,
                username: None,
                tags: Vec::new(),
            },
        },
        event_id: "e-1".into(),
        now: 1_767_225_600_000,
        seed: 7,
        attempt: 1,
        config: "{}".into(),
        attributes: Vec::new(),
    }
}

pub fn text(body: &str) -> Event {
    Event::Message(Message {
        id: "wamid.1".into(),
        timestamp: 1_767_225_600_000,
        content: Content::Text(Text { body: body.into() }),
        reply_to: None,
        referral: None,
        raw: "{}".into(),
    })
}

pub fn status(kind: StatusKind) -> Event {
    Event::Status(Status {
        message_id: "wamid.2".into(),
        hoopoe_message_id: None,
        kind,
        timestamp: 1_767_225_600_000,
        errors: Vec::new(),
        raw: "{}".into(),
    })
}

/// The texts of an outcome's messages.
pub fn replies(outcome: &Outcome) -> Vec<&str> {
    fn text(action: &Action) -> Option<&str> {
        match action {
            Action::Send(send) => match &send.content {
                SendContent::Text(text) => Some(&text.body),
                _ => None,
            },
            _ => None,
        }
    }
    outcome.actions.iter().filter_map(text).collect()
}

/// Say something that is answered with one text.
pub async fn reply(plugin: &Plugin, words: &str) -> String {
    let run = plugin.on_event(OWNER, context(), text(words), None).await;
    replies(&run.result.unwrap_or_else(|failure| panic!("{words}: {failure}"))).concat()
}
