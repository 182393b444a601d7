//! From the outbox to Meta, as `meta-sim`, and the statuses back.

#![allow(missing_docs, clippy::unwrap_used)]

mod doubt;
mod errors;
mod policy;
mod proxied;
mod rates;
mod reported;
mod scheduled;
mod statuses;

use hoopoe_testing::{Builder, Tenant, World};
use serde_json::Value;

const NUMBER: &str = "106540352242922";
const CONTACT: &str = "16505551234";
const OTHER: &str = "16505550000";

/// A runtime with a tenant.
async fn start() -> (World, Tenant) {
    start_with(World::builder()).await
}

async fn start_with(world: Builder) -> (World, Tenant) {
    let world = world.start().await;
    let tenant = world.api.register("Acme", NUMBER, "token").await;
    (world, tenant)
}

/// One of many.
fn contact(number: usize) -> String {
    format!("165055500{number:02}")
}

/// In the tenant's name; fails unless the answer is a success.
async fn post(world: &World, tenant: &Tenant, path: &str, body: Value) -> Value {
    let (status, answer) = world.api.post(&format!("/tenants/{}{path}", tenant.id), &tenant.key, &body).await;
    assert!((200..300).contains(&status), "{path}: {status} {answer}");
    answer
}

/// Why the tenant's number is suspended; null when it is not.
async fn suspended(world: &World, tenant: &Tenant) -> Value {
    let (_, shown) = world.api.get(&format!("/tenants/{}", tenant.id), &tenant.key).await;
    shown["channels"][0]["suspendedReason"].clone()
}

/// What has happened to a message so far.
fn steps(message: &Value) -> Vec<&str> {
    message["timeline"].as_array().unwrap().iter().map(|step| step["status"].as_str().unwrap()).collect()
}
