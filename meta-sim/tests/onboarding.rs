//! The Graph API besides messages: what it takes, what it refuses, and in which words.
#![allow(missing_docs, clippy::unwrap_used)]

use meta_sim::{BusinessNumber, Fault, Grant, Options, Sim};
use reqwest::{Client, Method};
use serde_json::{Value, json};

const APP: &str = "670843887433847";
const SECRET: &str = "meta-sim-secret";
const WABA: &str = "102290129340398";
const NUMBER: &str = "106540352242922";

async fn start() -> (Sim, Client) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let sim = Sim::start(Options::default()).await.unwrap();
    sim.add_number(BusinessNumber::new(NUMBER, WABA));
    (sim, Client::builder().no_proxy().tls_certs_only([]).build().unwrap())
}

/// Status and body; `token` is left out when it is empty.
async fn call(sim: &Sim, client: &Client, method: Method, path: &str, token: &str, body: Value) -> (u16, Value) {
    let request = client.request(method, format!("{}/v23.0/{path}", sim.url()));
    let request = if token.is_empty() { request } else { request.bearer_auth(token) };
    let request = if body.is_null() { request } else { request.json(&body) };
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn a_code_is_exchanged_once_by_its_own_app() {
    let (sim, client) = start().await;
    sim.add_app("670843887433999", "another-secret");
    sim.offer_code("code", Grant::new("token").account(WABA));
    let exchange = async |app: &str, secret: &str, code: &str| {
        let path = format!("oauth/access_token?client_id={app}&client_secret={secret}&code={code}");
        call(&sim, &client, Method::GET, &path, "", Value::Null).await
    };
    for (label, app, secret, code, expected) in [
        ("no app", "", "", "code", 101),
        ("an unknown app", "1", SECRET, "code", 101),
        ("a wrong secret", APP, "guess", "code", 1),
        ("an unknown code", APP, SECRET, "guess", 100),
        ("another app", "670843887433999", "another-secret", "code", 100),
    ] {
        let (status, answer) = exchange(app, secret, code).await;
        assert_eq!((status, &answer["error"]["code"]), (400, &expected.into()), "{label}: {answer}");
    }
    let (status, answer) = exchange(APP, SECRET, "code").await;
    assert_eq!((status, &answer["access_token"], &answer["token_type"]), (200, &"token".into(), &"bearer".into()));
    let (status, answer) = exchange(APP, SECRET, "code").await;
    assert!(status == 400 && answer["error"]["message"].as_str().unwrap().contains("has been used"), "{answer}");
    sim.stop().await;
}

#[tokio::test]
async fn a_token_is_described_to_its_app_and_to_itself() {
    let (sim, client) = start().await;
    sim.add_app("670843887433999", "another-secret");
    sim.grant(Grant::new("limited").account(WABA).expires_at(1_800_000_000));
    let ask = async |input: &str, viewer: &str| {
        call(&sim, &client, Method::GET, &format!("debug_token?input_token={input}"), viewer, Value::Null).await
    };
    for viewer in [&format!("{APP}|{SECRET}"), "limited", "another-of-the-same-app"] {
        let (status, answer) = ask("limited", viewer).await;
        let data = &answer["data"];
        assert_eq!((status, &data["is_valid"], &data["app_id"]), (200, &true.into(), &APP.into()), "{answer}");
        assert_eq!((&data["expires_at"], &data["data_access_expires_at"]), (&1_800_000_000.into(), &0.into()));
        assert_eq!(data["granular_scopes"][0]["target_ids"], json!([WABA]));
    }
    for (label, viewer, status, code) in [
        ("nobody", "", 401, 190),
        ("an app with a wrong secret", "670843887433847|guess", 401, 190),
        ("another app", "670843887433999|another-secret", 400, 100),
    ] {
        let answer = ask("limited", viewer).await;
        assert_eq!((answer.0, &answer.1["error"]["code"]), (status, &code.into()), "{label}: {}", answer.1);
    }
    sim.revoke("limited");
    let (status, answer) = ask("limited", &format!("{APP}|{SECRET}")).await;
    assert_eq!((status, &answer["data"]["is_valid"]), (200, &false.into()), "{answer}");
    assert_eq!(answer["data"]["error"]["code"], 190);
    assert_eq!(ask("limited", "limited").await.0, 401, "it cannot even look at itself");
    let sent =
        json!({ "messaging_product": "whatsapp", "to": "16505551234", "type": "text", "text": { "body": "hi" } });
    let (status, answer) = call(&sim, &client, Method::POST, &format!("{NUMBER}/messages"), "limited", sent).await;
    assert_eq!((status, &answer["error"]["code"]), (401, &190.into()), "{answer}");
    sim.stop().await;
}

#[tokio::test]
async fn accounts_and_numbers_are_shown_to_who_may_see_them() {
    let (sim, client) = start().await;
    for number in 0..30 {
        sim.add_number(BusinessNumber::new(&format!("2065403522429{number:02}"), "202290129340398"));
    }
    sim.grant(Grant::new("of-one").account(WABA));
    sim.grant(Grant::new("without").account(WABA).scopes(&["whatsapp_business_messaging"]));
    let get = async |path: &str, token: &str| call(&sim, &client, Method::GET, path, token, Value::Null).await;
    let numbers = format!("{WABA}/phone_numbers");
    for (label, path, token, expected) in [
        ("no token", numbers.as_str(), "", 190),
        ("no permission", &numbers, "without", 200),
        ("another account", "202290129340398/phone_numbers", "of-one", 100),
        ("no such account", "302290129340398/phone_numbers", "any", 100),
        ("no such number", "106540352242999", "any", 100),
        ("another account's number", "206540352242900", "of-one", 100),
    ] {
        let (_, answer) = get(path, token).await;
        assert_eq!(answer["error"]["code"], expected, "{label}: {answer}");
    }
    // In pages, and with the fields that are asked for.
    let mut seen = Vec::new();
    let mut after = String::new();
    loop {
        let path = format!("202290129340398/phone_numbers?limit=12&fields=verified_name&after={after}");
        let (_, page) = get(&path, "any").await;
        seen.extend(page["data"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()));
        assert_eq!(page["data"][0].as_object().unwrap().len(), 2, "{page}");
        if page["paging"]["next"].is_null() {
            break;
        }
        after = page["paging"]["cursors"]["after"].as_str().unwrap().to_owned();
    }
    assert_eq!(seen.len(), 30);
    let (_, number) = get(&format!("{NUMBER}?fields=throughput,status"), "of-one").await;
    assert_eq!(number, json!({ "id": NUMBER, "throughput": { "level": "STANDARD" }, "status": "PENDING" }));
    let (_, profile) = get(&format!("{NUMBER}/whatsapp_business_profile?fields=email"), "of-one").await;
    assert_eq!(profile["data"][0]["email"], "shrub@example.com", "{profile}");
    assert!(profile["data"][0].get("about").is_none(), "{profile}");
    sim.stop().await;
}

#[tokio::test]
async fn a_number_is_registered_with_its_pin_and_calls_fail_on_request() {
    let (sim, client) = start().await;
    let path = format!("{NUMBER}/register");
    let register = async |body: Value| call(&sim, &client, Method::POST, &path, "token", body).await;
    for (label, body, expected) in [
        ("no product", json!({ "pin": "123456" }), 100),
        ("no PIN", json!({ "messaging_product": "whatsapp" }), 100),
        ("a short PIN", json!({ "messaging_product": "whatsapp", "pin": "12345" }), 100),
        ("a PIN of letters", json!({ "messaging_product": "whatsapp", "pin": "abcdef" }), 100),
    ] {
        let (status, answer) = register(body).await;
        assert_eq!((status, &answer["error"]["code"]), (400, &expected.into()), "{label}: {answer}");
    }
    let with = |pin: &str| json!({ "messaging_product": "whatsapp", "pin": pin });
    assert_eq!(register(with("123456")).await, (200, json!({ "success": true })));
    assert_eq!(register(with("123456")).await.0, 200);
    assert_eq!(register(with("654321")).await.1["error"]["code"], 133_005);
    assert_eq!(sim.registrations(NUMBER), (2, Some("123456".to_owned())));

    let subscribed = format!("{WABA}/subscribed_apps");
    sim.fail_call("subscribed_apps", Fault::code(2), 1);
    let (status, answer) = call(&sim, &client, Method::POST, &subscribed, "token", Value::Null).await;
    assert_eq!((status, &answer["error"]["code"]), (503, &2.into()), "{answer}");
    assert!(!sim.is_subscribed(WABA, APP));
    let (status, _) = call(&sim, &client, Method::POST, &subscribed, "token", Value::Null).await;
    assert!(status == 200 && sim.is_subscribed(WABA, APP));
    let (_, apps) = call(&sim, &client, Method::GET, &subscribed, "token", Value::Null).await;
    assert_eq!(apps["data"][0]["whatsapp_business_api_data"]["id"], APP);
    assert_eq!(sim.calls("subscribed_apps"), 2);
    sim.stop().await;
}
