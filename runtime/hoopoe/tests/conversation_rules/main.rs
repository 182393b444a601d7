//! What may be sent to whom: Meta's 24-hour window, opt-out of marketing, and people whose ids change. And what Meta tells
//! of a channel.

#![allow(missing_docs, clippy::unwrap_used)]

mod consent;
mod facts;
mod identity;
mod settings;
mod window;

use hoopoe_testing::{Tenant, World};
use serde_json::{Value, json};

const CONTACT: &str = "16505551234";
const ACCOUNT: &str = "102290129340398";

async fn start() -> (World, Tenant) {
    let world = World::builder().plugin("test-guest").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    world.set_flow(&tenant, "test-guest", &["message", "timer"]).await;
    (world, tenant)
}

fn path(tenant: &Tenant, rest: &str) -> String {
    format!("/tenants/{}/{rest}", tenant.id)
}

async fn send(world: &World, tenant: &Tenant, body: Value) -> (u16, Value) {
    world.api.post(&path(tenant, "send"), &tenant.key, &body).await
}

async fn set(world: &World, tenant: &Tenant, settings: Value) -> (u16, Value) {
    world.api.put(&path(tenant, "conversation-settings"), &tenant.key, &settings).await
}

fn text() -> Value {
    json!({ "to": CONTACT, "text": "hello" })
}

fn template(marketing: bool) -> Value {
    json!({ "to": CONTACT, "template": { "name": "offer", "language": { "code": "en" } }, "marketing": marketing })
}
