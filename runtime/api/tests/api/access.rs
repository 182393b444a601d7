//! Who may do what: no key, wrong keys, other tenants' keys.

use hoopoe_testing::{MASTER_KEY, World};
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use serde_json::json;

use crate::answers::answer;

#[tokio::test]
async fn without_a_good_key_there_is_nothing() {
    let world = World::builder().roles("api").start().await;
    let acme = world.api.register("Acme", "106540352242922", "token").await;
    let revoked = world.api.register("Former", "106540352242923", "token").await;
    sqlx::query("update api_keys set revoked_at = created_at where tenant_id = $1")
        .bind(revoked.id)
        .execute(&world.db.pool)
        .await
        .unwrap();
    let message = world.api.send(&acme, "+919012345678", "Hello").await;

    let (own, master) = (format!("Bearer {}", acme.key), format!("Bearer {MASTER_KEY}"));
    let (basic, bare) = (format!("Basic {}", acme.key), acme.key.clone());
    let (cut, longer) = (own[..own.len() - 1].to_owned(), format!("{own}x"));
    let (other, upper) = (format!("Bearer {}", revoked.key), own.to_uppercase());
    let refusals: [(&str, Option<&str>, &str); 10] = [
        ("no header", None, "Authorization: Bearer"),
        ("an empty header", Some(""), "Authorization: Bearer"),
        ("the scheme alone", Some("Bearer"), "Authorization: Bearer"),
        ("an empty key", Some("Bearer  "), "Authorization: Bearer"),
        ("another scheme", Some(&basic), "Authorization: Bearer"),
        ("no scheme", Some(&bare), "Authorization: Bearer"),
        ("a wrong key", Some("Bearer hoopoe_00000000000000000000000000000000"), "key"),
        ("a key cut short", Some(&cut), "key"),
        ("a key with more", Some(&longer), "key"),
        ("a key in capitals", Some(&upper), "key"),
    ];
    let id = acme.id;
    let routes = [
        (Method::GET, format!("/tenants/{id}")),
        (Method::GET, format!("/tenants/{id}/messages")),
        (Method::GET, format!("/tenants/{id}/messages/{message}")),
        (Method::POST, format!("/tenants/{id}/send")),
        (Method::POST, "/tenants/register".to_owned()),
    ];
    for (method, path) in &routes {
        let request = |authorization: Option<&str>| {
            // No body: who has no key is not told what is wrong with a body.
            let request = world.api.request(method.clone(), path, "");
            authorization.iter().fold(request, |request, value| request.header(AUTHORIZATION, *value))
        };
        for (label, authorization, words) in refusals {
            let label = format!("{label}, {method} {path}");
            let answer = answer(request(authorization)).await;
            answer.refuses(&label, 401, &[words]);
            assert_eq!(answer.headers[WWW_AUTHENTICATE], "Bearer", "{label}");
        }
        let label = format!("a revoked key, {method} {path}");
        let answer = answer(request(Some(&other))).await;
        answer.refuses(&label, 401, &["key"]);
        assert_eq!(answer.headers[WWW_AUTHENTICATE], "Bearer", "{label}");
    }

    // The scheme is spelled in any case (RFC 9110, 11.1).
    let lower = own.replacen("Bearer", "bearer", 1);
    for authorization in [&own, &master, &lower] {
        let request = world.api.request(Method::GET, &routes[0].1, "").header(AUTHORIZATION, authorization);
        assert_eq!(answer(request).await.status, 200, "{authorization}");
    }
    world.end().await;
}

#[tokio::test]
async fn another_tenant_looks_like_none() {
    let world = World::builder().roles("api").start().await;
    let acme = world.api.register("Acme", "106540352242922", "token").await;
    let other = world.api.register("Other", "106540352242923", "token").await;
    let message = world.api.send(&acme, "+919012345678", "Hello").await;
    let unknown = "01890000-0000-7000-8000-000000000000";
    let body = json!({ "to": "+919012345678", "text": "Hello" });

    let (acme_id, other_id) = (acme.id.to_string(), other.id.to_string());
    let cases = [
        ("an unknown tenant, by the operator", unknown, MASTER_KEY),
        ("an unknown tenant, by a tenant", unknown, &acme.key),
        ("another tenant's key", &acme_id, &other.key),
        ("the other way round", &other_id, &acme.key),
        ("an id that is none, by the operator", "tenant_123", MASTER_KEY),
        ("an id that is none, by a tenant", "tenant_123", &acme.key),
        ("an id that is nearly one", &acme_id[..35], &acme.key),
        ("an id that is not even text", "%FF%00", &acme.key),
    ];
    for (label, id, key) in cases {
        for path in ["", "/messages", &format!("/messages/{message}")] {
            let label = format!("{label}, GET {path}");
            let request = world.api.request(Method::GET, &format!("/tenants/{id}{path}"), key);
            answer(request).await.refuses(&label, 404, &["no tenant"]);
        }
        let request = world.api.request(Method::POST, &format!("/tenants/{id}/send"), key).json(&body);
        answer(request).await.refuses(&format!("{label}, POST send"), 404, &["no tenant"]);
    }
    // Word for word the same, so that nothing can be learned.
    let ask = |id: &str, key: &str| answer(world.api.request(Method::GET, &format!("/tenants/{id}"), key));
    let (real, none) = (ask(&acme_id, &other.key).await.body, ask(unknown, &other.key).await.body);
    assert_eq!(real.to_string().replace(&acme_id, "?"), none.to_string().replace(unknown, "?"));
    assert_eq!(world.db.count("select count(*) from messages").await, 1);
    world.end().await;
}

#[tokio::test]
async fn a_nul_in_an_address_is_the_callers_mistake() {
    let world = World::builder().roles("api").start().await;
    let acme = world.api.register("Acme", "106540352242922", "token").await;
    for path in ["channels/%00/state", "media/%00", "meta-templates?name=%00", "plugins/%00"] {
        let (status, answer) = world.api.get(&format!("/tenants/{}/{path}", acme.id), &acme.key).await;
        assert!(status == 400 || status == 404, "{path}: {status} {answer}");
    }
    world.end().await;
}
