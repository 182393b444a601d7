//! Files in and out, and templates at Meta: the whole runtime, a folder of its own, and Meta as `meta-sim`.

#![allow(missing_docs, clippy::unwrap_used)]

mod accounts;
mod inbound;
mod outbound;
mod room;
mod templates;

use hoopoe_testing::{MASTER_KEY, Tenant, World};
use reqwest::{Method, Response};
use serde_json::{Value, json};

pub const NUMBER: &str = "106540352242922";
pub const ACCOUNT: &str = "102290129340398";
pub const CONTACT: &str = "16505551234";

/// A tenant whose business account is known.
pub async fn with_account(world: &World) -> Tenant {
    let body = json!({ "name": "Acme", "phoneNumberId": NUMBER, "accessToken": "token", "wabaId": ACCOUNT });
    let (status, answer) = world.api.post("/tenants/register", MASTER_KEY, &body).await;
    assert_eq!(status, 201, "{answer}");
    Tenant {
        id: answer["id"].as_str().unwrap().parse().unwrap(),
        name: "Acme".to_owned(),
        key: answer["apiKey"].as_str().unwrap().to_owned(),
        phone_number_id: NUMBER.to_owned(),
    }
}

/// What the API says of a file.
pub async fn shown(world: &World, tenant: &Tenant, id: &str) -> Value {
    let (status, answer) = world.api.get(&format!("/tenants/{}/media/{id}", tenant.id), &tenant.key).await;
    assert_eq!(status, 200, "{id}: {answer}");
    answer
}

/// Follows a link, without a key.
pub async fn follow(world: &World, url: &str, range: Option<&str>) -> Response {
    let request = world.api.request(Method::GET, url, "");
    range.iter().fold(request, |request, range| request.header("range", *range)).send().await.unwrap()
}

/// Sends by the API: status and answer.
pub async fn send(world: &World, tenant: &Tenant, body: &Value) -> (u16, Value) {
    world.api.post(&format!("/tenants/{}/send", tenant.id), &tenant.key, body).await
}
