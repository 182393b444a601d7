//! Templates as they are kept: their life, their languages, their owners.

use hoopoe_testing::{MASTER_KEY, World};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Caller, body, welcome};
use crate::answers::{Answer, answer};

#[tokio::test]
async fn a_template_lives() {
    let world = World::builder().roles("api").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let acme = Caller { world: &world, tenant: &tenant };

    let created = acme.create(&welcome()).await;
    assert_eq!(created.status, 201, "{}", created.body);
    let expected = json!({
        "key": "welcome_v1", "defaultLanguage": "en", "language": "en", "version": 1,
        "components": welcome()["components"], "metadata": welcome()["metadata"],
        "variables": [{ "name": "first_name", "default": null }],
        "createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z",
        "languages": [{
            "language": "en", "version": 1, "components": welcome()["components"], "metadata": welcome()["metadata"],
            "variables": [{ "name": "first_name", "default": null }], "updatedAt": "2026-01-01T00:00:00Z",
        }],
    });
    assert_eq!(created.body, expected);
    let shown = acme.get("/templates/welcome_v1").await;
    assert_eq!((shown.status, &shown.body), (200, &expected));

    let again = acme.create(&welcome()).await;
    again.refuses("a used key", 409, &["welcome_v1", "PUT"]);
    assert_eq!((&again.body["code"], &again.body["details"]), (&json!("key_taken"), &json!({ "key": "welcome_v1" })));

    let changed = acme.put("/templates/welcome_v1", &json!({ "components": body("Hi {{name|you}}") })).await;
    assert_eq!((changed.status, &changed.body["version"]), (200, &json!(2)), "{}", changed.body);
    assert_eq!(changed.body["metadata"], welcome()["metadata"], "what is left out stays");
    let cleared = json!({ "components": body("Hi {{name|you}}"), "metadata": {} });
    let cleared = acme.put("/templates/welcome_v1?language=EN", &cleared).await;
    assert_eq!((&cleared.body["version"], &cleared.body["metadata"]), (&json!(3), &json!({})));

    let deleted = acme.delete("/templates/welcome_v1").await;
    assert_eq!((deleted.status, &deleted.body), (204, &json!("")));
    for answer in [
        acme.get("/templates/welcome_v1").await,
        acme.delete("/templates/welcome_v1").await,
        acme.put("/templates/welcome_v1", &json!({ "components": body("x") })).await,
        acme.send(json!({})).await,
    ] {
        answer.refuses("a deleted template", 404, &["no template welcome_v1"]);
        assert_eq!(answer.body["code"], "unknown_template");
    }
    assert_eq!(acme.get("/templates").await.body, json!({ "templates": [], "next": null }));

    // The key is free again, and goes on counting: version 4 was the deletion.
    let revived = acme.create(&welcome()).await;
    assert_eq!((revived.status, &revived.body["version"]), (201, &json!(5)), "{}", revived.body);
    assert_eq!(world.db.count("select count(*) from template_versions").await, 5, "every version is kept");
    world.end().await;
}

#[tokio::test]
async fn languages_stand_in_for_each_other() {
    let world = World::builder().roles("api").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let acme = Caller { world: &world, tenant: &tenant };
    let german = json!({ "key": "bye", "language": "de", "components": body("Tschüss") });
    assert_eq!(acme.create(&german).await.status, 201);
    for (language, text) in [("en", "Bye"), ("pt-br", "Tchau")] {
        let added = acme.put("/templates/bye", &json!({ "language": language, "components": body(text) })).await;
        assert_eq!((added.status, &added.body["version"]), (200, &json!(1)), "{}", added.body);
    }
    let shown = acme.get("/templates/bye").await;
    let languages: Vec<_> =
        shown.body["languages"].as_array().unwrap().iter().map(|one| one["language"].as_str().unwrap()).collect();
    assert_eq!((&shown.body["language"], languages), (&json!("de"), vec!["de", "en", "pt_BR"]));

    let table = [
        ("en_GB", "en", "Bye"),
        ("en", "en", "Bye"),
        ("pt_BR", "pt_BR", "Tchau"),
        ("pt", "de", "Tschüss"),
        ("fr-CA", "de", "Tschüss"),
    ];
    for (asked, found, text) in table {
        let shown = acme.get(&format!("/templates/bye?language={asked}")).await;
        assert_eq!(shown.body["language"], found, "{asked}: {}", shown.body);
        let sent = acme.send(json!({ "templateKey": "bye", "language": asked })).await;
        assert_eq!(sent.status, 202, "{asked}: {}", sent.body);
        assert_eq!(acme.payload().await["text"]["body"], text, "{asked}");
    }

    acme.delete("/templates/bye?language=fr").await.refuses("a missing language", 404, &["no language fr"]);
    let default = acme.delete("/templates/bye?language=de").await;
    default.refuses("the default language", 409, &["de is the default language"]);
    assert_eq!(default.body["code"], "default_language");
    assert_eq!(acme.delete("/templates/bye?language=en").await.status, 204);
    assert_eq!(acme.get("/templates/bye?language=en").await.body["language"], "de", "en is gone");

    // Another one becomes the default; then the old one can go.
    let changed = json!({ "language": "pt_BR", "components": body("Tchau!"), "default": true });
    let changed = acme.put("/templates/bye", &changed).await;
    assert_eq!((&changed.body["defaultLanguage"], &changed.body["version"]), (&json!("pt_BR"), &json!(2)));
    assert_eq!(acme.delete("/templates/bye?language=de").await.status, 204);
    assert_eq!(acme.get("/templates/bye?language=de").await.body["language"], "pt_BR");
    world.end().await;
}

#[tokio::test]
async fn templates_are_listed_by_key_and_belong_to_one_tenant() {
    let world = World::builder().roles("api").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let stranger = world.api.register("Other", "106540352242923", "token").await;
    let (acme, other) = (Caller { world: &world, tenant: &tenant }, Caller { world: &world, tenant: &stranger });
    for key in ["c", "a", "b"] {
        assert_eq!(acme.create(&json!({ "key": key, "components": body(key) })).await.status, 201);
    }
    let keys = |answer: &Answer| {
        let templates = answer.body["templates"].as_array().unwrap().iter();
        templates.map(|template| template["key"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let first = acme.get("/templates?limit=2").await;
    assert_eq!((keys(&first), &first.body["next"]), (vec!["a".to_owned(), "b".to_owned()], &json!("b")));
    assert_eq!(first.body["templates"][0]["components"], body("a"));
    let second = acme.get("/templates?limit=2&after=b").await;
    assert_eq!((keys(&second), &second.body["next"]), (vec!["c".to_owned()], &Value::Null));

    assert_eq!(other.get("/templates").await.body["templates"], json!([]));
    other.get("/templates/a").await.refuses("a stranger's", 404, &["no template a"]);
    other.send(json!({ "templateKey": "a" })).await.refuses("a stranger's", 404, &["no template a"]);
    assert_eq!(other.create(&json!({ "key": "a", "components": body("other") })).await.status, 201);
    assert_eq!(acme.get("/templates/a").await.body["components"], body("a"));

    let path = format!("/tenants/{}/templates", tenant.id);
    for (label, key, status) in [("no key", "", 401), ("another tenant's key", stranger.key.as_str(), 404)] {
        for method in [Method::GET, Method::POST] {
            let request = world.api.request(method, &path, key).json(&welcome());
            answer(request).await.refuses(label, status, &[]);
        }
    }
    let operator = world.api.request(Method::POST, &format!("/api{path}"), MASTER_KEY).json(&welcome());
    assert_eq!(answer(operator).await.status, 201);
    world.end().await;
}

#[tokio::test]
async fn of_ten_creations_at_once_one_gets_the_key() {
    let world = World::builder().roles("api").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let path = format!("/tenants/{}/templates", tenant.id);
    let all = async |method: Method, path: &str, body: &Value| {
        let requests: Vec<_> = (0..10)
            .map(|_| tokio::spawn(answer(world.api.request(method.clone(), path, &tenant.key).json(body))))
            .collect();
        let mut statuses = Vec::new();
        for request in requests {
            statuses.push(request.await.unwrap().status);
        }
        statuses.sort_unstable();
        statuses
    };
    assert_eq!(all(Method::POST, &path, &welcome()).await, [201, 409, 409, 409, 409, 409, 409, 409, 409, 409]);
    let change = json!({ "components": body("Hi") });
    assert_eq!(all(Method::PUT, &format!("{path}/welcome_v1"), &change).await, [200; 10]);
    let (_, shown) = world.api.get(&format!("{path}/welcome_v1"), &tenant.key).await;
    assert_eq!(shown["version"], 11, "every change has a version of its own");
    world.end().await;
}
