//! The API's description: it is true, complete, kept in `docs/`, and readable without the internet.

use hoopoe_testing::{Client, World, snapshot};
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::Value;

use crate::routes::ROUTES;

fn document() -> Value {
    serde_json::to_value(hoopoe_api::openapi()).unwrap()
}

/// Method and path of each operation, sorted.
fn operations(document: &Value) -> Vec<(String, String)> {
    let mut operations: Vec<_> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| {
            methods.as_object().unwrap().keys().map(|method| (method.to_uppercase(), path.clone()))
        })
        .collect();
    operations.sort();
    operations
}

#[test]
fn the_document_is_kept() {
    snapshot("docs/openapi.json", &(hoopoe_api::openapi().to_pretty_json().unwrap() + "\n"));
}

#[test]
fn the_document_has_every_route_and_no_other() {
    let document = document();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
    let mut routes = ROUTES.map(|(method, path, _)| (method.to_owned(), path.to_owned()));
    routes.sort();
    assert_eq!(operations(&document), routes);
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let label = format!("{method} {path}");
            assert!(operation["summary"].as_str().is_some_and(|summary| !summary.is_empty()), "{label}: no summary");
            let tenant = path.starts_with("/tenants");
            assert_eq!(operation.get("security").is_some(), tenant, "{label}: who needs a key");
            let answers = operation["responses"].as_object().unwrap();
            assert!(answers.keys().any(|status| status.starts_with('2')), "{label}: no success");
            assert_eq!(answers.contains_key("401"), tenant || label.starts_with("post"), "{label}: 401");
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let document = document();
    let text = document.to_string();
    let references = text.split(r#""$ref":"#).skip(1).map(|rest| rest.split('"').nth(1).unwrap());
    let mut number = 0;
    for reference in references {
        number += 1;
        let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("{reference} leads outside"));
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    assert!(number > 10, "{number}");
}

#[tokio::test]
async fn the_document_and_its_page_come_from_the_binary() {
    let world = World::builder().roles("api").start().await;
    assert_eq!(world.api.get("/openapi.json", "").await, (200, document()));

    let moved = world.api.request(Method::GET, "/docs", "").send().await.unwrap();
    assert!(moved.status().is_redirection(), "{}", moved.status());
    assert_eq!(moved.headers()["location"], "/docs/");
    let (kind, page) = file(&world.api, "/docs/").await;
    assert!(kind.starts_with("text/html"), "{kind}");

    let links = ["src=\"", "href=\""].into_iter().flat_map(|name| page.split(name).skip(1));
    let links: Vec<_> = links.map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(links.iter().any(|link| link.ends_with(".js")) && links.iter().any(|link| link.ends_with(".css")));
    for link in links {
        assert!(!link.contains("//") && !link.starts_with("data:"), "{link} leads elsewhere");
        let (_, content) = file(&world.api, &format!("/docs/{}", link.trim_start_matches("./"))).await;
        assert!(!content.is_empty(), "{link} is empty");
    }
    assert!(!page.contains("://"), "the page names another place: {page}");
    // It reads our document, and asks nobody else what they think of it.
    let (_, start) = file(&world.api, "/docs/swagger-initializer.js").await;
    assert!(start.contains("\"/openapi.json\"") && !start.contains("://"), "{start}");
    assert!(start.contains("\"validatorUrl\": \"none\""), "{start}");
    world.end().await;
}

/// A file's type and content.
async fn file(api: &Client, path: &str) -> (String, String) {
    let answer = api.request(Method::GET, path, "").send().await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    let kind = answer.headers()[CONTENT_TYPE].to_str().unwrap().to_owned();
    (kind, String::from_utf8_lossy(&answer.bytes().await.unwrap()).into_owned())
}
