//! Tenants' own plugins: uploaded, put in charge and out of it, configured, tried.

mod activation;
mod guest;
mod settings;
mod simulate;
mod upload;

use hoopoe_testing::{Tenant, World};
use reqwest::Method;
use serde_json::Value;

use crate::answers::{Answer, answer};

/// A component of this repository's `plugins/`.
pub async fn component(name: &'static str) -> Vec<u8> {
    tokio::task::spawn_blocking(move || hoopoe_plugin_build::test_component(name)).await.unwrap().unwrap()
}

/// Uploads with the tenant's key.
pub async fn put(world: &World, tenant: &Tenant, path: &str, bytes: Vec<u8>) -> Answer {
    let path = format!("/tenants/{}/plugins/{path}", tenant.id);
    let request = world.api.request(Method::PUT, &path, &tenant.key).header("content-type", "application/wasm");
    answer(request.body(bytes)).await
}

/// Calls below the tenant's plugins with the tenant's key.
pub async fn call(world: &World, tenant: &Tenant, method: Method, path: &str, body: Value) -> Answer {
    let path = format!("/tenants/{}/plugins/{path}", tenant.id);
    answer(world.api.request(method, &path, &tenant.key).json(&body)).await
}
