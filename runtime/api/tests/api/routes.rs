//! Routes: each answers at `/` and under `/api`; what is no route, no method or no JSON is told so in JSON.

use hoopoe_testing::{MASTER_KEY, VERIFY_TOKEN, World};
use reqwest::Method;
use reqwest::header::{ALLOW, CONTENT_TYPE};
use serde_json::json;

use crate::answers::answer;
use crate::webhook::signed;

/// The contract: every route, with the status of a request that has its key and nothing else.
pub const ROUTES: [(&str, &str, u16); 88] = [
    ("GET", "/health", 200),
    ("GET", "/ready", 200),
    ("GET", "/media/{tenant}/{media}", 403),
    ("POST", "/tenants/embedded-signup", 415),
    ("POST", "/tenants/register", 415),
    ("GET", "/tenants/{id}", 200),
    ("GET", "/tenants/{id}/alerts", 200),
    ("PUT", "/tenants/{id}/alerts", 415),
    ("DELETE", "/tenants/{id}/app", 404),
    ("GET", "/tenants/{id}/app", 404),
    ("PUT", "/tenants/{id}/app", 415),
    ("GET", "/tenants/{id}/channels", 200),
    ("POST", "/tenants/{id}/channels", 415),
    ("GET", "/tenants/{id}/channels/{phoneNumberId}", 200),
    ("POST", "/tenants/{id}/channels/instagram", 415),
    ("POST", "/tenants/{id}/channels/messenger", 415),
    ("PUT", "/tenants/{id}/channels/{phoneNumberId}", 415),
    ("GET", "/tenants/{id}/channels/{phoneNumberId}/state", 200),
    ("GET", "/tenants/{id}/consent", 200),
    ("POST", "/tenants/{id}/consent", 415),
    ("GET", "/tenants/{id}/conversation-settings", 200),
    ("PUT", "/tenants/{id}/conversation-settings", 415),
    ("GET", "/tenants/{id}/conversations", 200),
    ("GET", "/tenants/{id}/conversations/{conversation}", 404),
    ("POST", "/tenants/{id}/conversations/{conversation}/hand-off", 404),
    ("POST", "/tenants/{id}/conversations/{conversation}/release", 404),
    ("GET", "/tenants/{id}/dead-letters", 200),
    ("POST", "/tenants/{id}/dead-letters/purge", 415),
    ("POST", "/tenants/{id}/dead-letters/redrive", 415),
    ("GET", "/tenants/{id}/events", 200),
    ("GET", "/tenants/{id}/events/{eventId}", 404),
    ("GET", "/tenants/{id}/flows", 200),
    ("POST", "/tenants/{id}/flows", 415),
    ("GET", "/tenants/{id}/flows/history", 200),
    ("POST", "/tenants/{id}/flows/rollback", 415),
    ("GET", "/tenants/{id}/live", 200),
    ("POST", "/tenants/{id}/media", 415),
    ("DELETE", "/tenants/{id}/media/{mediaId}", 404),
    ("GET", "/tenants/{id}/media/{mediaId}", 404),
    ("GET", "/tenants/{id}/messages", 200),
    ("GET", "/tenants/{id}/messages/{message}", 200),
    ("POST", "/tenants/{id}/messages/{message}/cancel", 409),
    ("DELETE", "/tenants/{id}/meta-templates", 400),
    ("GET", "/tenants/{id}/meta-templates", 200),
    ("POST", "/tenants/{id}/meta-templates", 415),
    ("POST", "/tenants/{id}/meta-templates/sync", 409),
    ("GET", "/tenants/{id}/plugins", 200),
    ("DELETE", "/tenants/{id}/plugins/{name}", 404),
    ("GET", "/tenants/{id}/plugins/{name}", 404),
    ("PUT", "/tenants/{id}/plugins/{name}", 400),
    ("POST", "/tenants/{id}/plugins/{name}/activate", 404),
    ("PUT", "/tenants/{id}/plugins/{name}/config", 415),
    ("POST", "/tenants/{id}/plugins/{name}/deactivate", 404),
    ("PUT", "/tenants/{id}/plugins/{name}/hosts", 415),
    ("POST", "/tenants/{id}/plugins/{name}/replay", 415),
    ("POST", "/tenants/{id}/plugins/{name}/resume", 404),
    ("POST", "/tenants/{id}/plugins/{name}/rollback", 404),
    ("DELETE", "/tenants/{id}/plugins/{name}/secrets/{secret}", 404),
    ("PUT", "/tenants/{id}/plugins/{name}/secrets/{secret}", 415),
    ("POST", "/tenants/{id}/plugins/{name}/simulate", 415),
    ("DELETE", "/tenants/{id}/plugins/{name}/versions/{digest}", 404),
    ("GET", "/tenants/{id}/plugins/{name}/versions/{digest}", 404),
    ("PUT", "/tenants/{id}/quota", 415),
    ("GET", "/tenants/{id}/runs", 200),
    ("GET", "/tenants/{id}/runs/{eventId}", 404),
    ("POST", "/tenants/{id}/send", 415),
    ("POST", "/tenants/{id}/send/batch", 415),
    ("POST", "/tenants/{id}/send/template", 415),
    ("GET", "/tenants/{id}/templates", 200),
    ("POST", "/tenants/{id}/templates", 415),
    ("DELETE", "/tenants/{id}/templates/{key}", 404),
    ("GET", "/tenants/{id}/templates/{key}", 404),
    ("PUT", "/tenants/{id}/templates/{key}", 415),
    ("GET", "/tenants/{id}/webhooks", 200),
    ("POST", "/tenants/{id}/webhooks", 415),
    ("DELETE", "/tenants/{id}/webhooks/{webhook}", 404),
    ("GET", "/tenants/{id}/webhooks/{webhook}", 404),
    ("PUT", "/tenants/{id}/webhooks/{webhook}", 404),
    ("GET", "/tenants/{id}/webhooks/{webhook}/deliveries", 404),
    ("POST", "/tenants/{id}/webhooks/{webhook}/redrive", 404),
    ("POST", "/tenants/{id}/webhooks/{webhook}/rotate-secret", 404),
    ("POST", "/tenants/{id}/webhooks/{webhook}/test", 404),
    ("GET", "/webhook", 403),
    ("POST", "/webhook", 401),
    ("GET", "/webhook/{channel}", 404),
    ("POST", "/webhook/{channel}", 404),
    ("GET", "/whatsapp/webhook", 403),
    ("POST", "/whatsapp/webhook", 401),
];

/// The route's path for a tenant, with this id in every other place.
fn filled(route: &str, tenant: &str, other: &str) -> String {
    let path = route.replace("{id}", tenant).replace("{message}", other).replace("{conversation}", other);
    let path = path.replace("{name}", "bot").replace("{key}", "welcome").replace("{secret}", "KEY");
    let path = path.replace("{phoneNumberId}", "106540352242922").replace("{webhook}", other);
    let path = path.replace("{tenant}", tenant).replace("{media}", other).replace("{mediaId}", other);
    let path = path.replace("{channel}", &"0".repeat(32));
    path.replace("{digest}", &"0".repeat(64)).replace("{eventId}", "1")
}

#[tokio::test]
async fn every_route_answers_at_both_places() {
    let world = World::builder().roles("api").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let message = world.api.send(&tenant, "+919012345678", "Hello").await;
    // So that it is too late for that at either place.
    let cancel = format!("/tenants/{}/messages/{message}/cancel", tenant.id);
    assert_eq!(world.api.post(&cancel, &tenant.key, &json!({})).await.0, 200);
    for (method, route, expected) in ROUTES {
        let path = filled(route, &tenant.id.to_string(), &message.to_string());
        let mut bodies = Vec::new();
        for base in ["", "/api"] {
            let request = world.api.request(method.parse().unwrap(), &format!("{base}{path}"), MASTER_KEY);
            if route.ends_with("/live") {
                // Its answer goes on.
                assert_eq!(request.send().await.unwrap().status(), expected, "{method} {base}{route}");
                bodies.push(json!(null));
                continue;
            }
            let answer = answer(request).await;
            assert_eq!(answer.status, expected, "{method} {base}{route}: {}", answer.body);
            bodies.push(answer.body);
        }
        assert_eq!(bodies[0], bodies[1], "{method} {route}");
    }
    assert_eq!(world.api.get("/health", "").await, (200, json!({ "ok": true })));
    assert_eq!(world.api.get("/api/ready", "").await, (200, json!({ "ok": true, "missing": [] })));
    // And not only with errors.
    let challenge = format!("?hub.mode=subscribe&hub.verify_token={VERIFY_TOKEN}&hub.challenge=1158201444");
    let event = json!({ "entry": [{ "changes": [{ "value": { "metadata": { "phone_number_id": "1" } } }] }] });
    for path in ["/webhook", "/whatsapp/webhook", "/api/webhook", "/api/whatsapp/webhook"] {
        assert_eq!(world.api.get(&format!("{path}{challenge}"), "").await, (200, json!(1158201444)), "{path}");
        assert_eq!(answer(signed(&world.api, path, event.to_string())).await.status, 200, "{path}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_wrong_method_is_told_so() {
    let world = World::builder().roles("api").start().await;
    let id = world.api.register("Acme", "106540352242922", "token").await.id.to_string();
    for (method, route, _) in ROUTES {
        let path = filled(route, &id, &id);
        for base in ["", "/api"] {
            let taken =
                |method: &Method| ROUTES.iter().any(|(name, path, _)| *name == method.as_str() && *path == route);
            for wrong in [Method::DELETE, Method::PATCH].into_iter().filter(|wrong| !taken(wrong)) {
                let request = world.api.request(wrong.clone(), &format!("{base}{path}"), MASTER_KEY).json(&json!({}));
                let answer = answer(request).await;
                let label = format!("{wrong} {base}{route}");
                answer.refuses(&label, 405, &[wrong.as_str(), &path, "/docs"]);
                let allowed = answer.headers.get(ALLOW).unwrap_or_else(|| panic!("{label}: no Allow"));
                assert!(allowed.to_str().unwrap().contains(method), "{label}: {allowed:?}");
            }
        }
    }
    let request = world.api.request(Method::GET, "/tenants/register", MASTER_KEY);
    // The path is also one of a tenant; which of the two it was meant to be nobody knows.
    assert!([404, 405].contains(&answer(request).await.status));
    world.end().await;
}

#[tokio::test]
async fn an_unknown_route_is_told_so() {
    let world = World::builder().roles("api").start().await;
    let paths = [
        "/",
        "/api",
        "/api/",
        "/nothing",
        "/api/nothing",
        "/tenants",
        "/tenants/",
        "/api/api/health",
        "/health/",
        "/HEALTH",
        "/whatsapp",
        "/tenants/1/2/3",
        "/.env",
        "/%2e%2e/etc/passwd",
    ];
    for path in paths {
        for method in [Method::GET, Method::POST] {
            let request = world.api.request(method.clone(), path, MASTER_KEY);
            answer(request).await.refuses(&format!("{method} {path}"), 404, &[method.as_str(), "/docs"]);
        }
    }
    world.end().await;
}

#[tokio::test]
async fn what_is_not_said_to_be_json_is_refused() {
    let world = World::builder().roles("api").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let send = format!("/tenants/{}/send", tenant.id);
    let body = json!({ "to": "+919012345678", "text": "Hello" }).to_string();
    let request = |path: &str, kind: Option<&str>| {
        let request = world.api.request(Method::POST, path, MASTER_KEY).body(body.clone());
        answer(kind.iter().fold(request, |request, kind| request.header(CONTENT_TYPE, *kind)))
    };
    for path in [&send, "/tenants/register"] {
        for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "json", ""] {
            let words = ["application/json", kind];
            request(path, Some(kind)).await.refuses(&format!("{kind:?} at {path}"), 415, &words);
        }
        request(path, None).await.refuses(&format!("no type at {path}"), 415, &["missing", "application/json"]);
    }
    for kind in ["application/json", "application/json; charset=utf-8", "Application/JSON", " application/json ;a=b"] {
        assert_eq!(request(&send, Some(kind)).await.status, 202, "{kind:?}");
    }
    world.end().await;
}
