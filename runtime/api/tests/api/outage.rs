//! The database goes away and comes back: what is said meanwhile, and that nothing needs a restart.

use hoopoe_testing::{Proxy, World, eventually};
use meta_sim::Inbound;
use reqwest::Method;
use reqwest::header::RETRY_AFTER;
use serde_json::json;

use crate::answers::answer;
use crate::webhook::signed;

#[tokio::test]
async fn an_outage_of_the_database_is_survived() {
    let mut world = World::start().await;
    let proxy = Proxy::start(&world.db.url).await;
    world.set("DATABASE_URL", &proxy.url());
    world.restart().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    world.says(&tenant, "16505551234", "before").await;
    world.idle().await;
    assert_eq!(world.api.get("/ready", "").await.0, 200);

    proxy.cut();
    let webhook = world.sim.body_of(vec![Inbound::text("106540352242922", "16505551235", "meanwhile")]);
    let body = json!({ "to": "+919012345678", "text": "Hello" });
    let request = |method, path: &str| world.api.request(method, path, &tenant.key);
    let path = format!("/tenants/{}", tenant.id);
    let requests = [
        ("a webhook", signed(&world.api, "/whatsapp/webhook", webhook.clone())),
        ("a send", request(Method::POST, &format!("{path}/send")).json(&body)),
        ("a tenant", request(Method::GET, &path)),
        ("a list", request(Method::GET, &format!("{path}/messages"))),
    ];
    for (label, request) in requests {
        let answer = answer(request).await;
        answer.refuses(label, 503, &["try again"]);
        let seconds: u32 = answer.headers[RETRY_AFTER].to_str().unwrap().parse().unwrap();
        assert!((1..=60).contains(&seconds), "{label}: {seconds}");
    }
    let (status, ready) = world.api.get("/ready", "").await;
    assert_eq!((status, ready), (503, json!({ "ok": false, "missing": ["the database does not answer"] })));
    assert_eq!(world.api.get("/health", "").await, (200, json!({ "ok": true })));
    // What needs no database is answered as ever.
    let wrong = request(Method::POST, "/whatsapp/webhook").body("{}");
    answer(wrong).await.refuses("an unsigned webhook", 401, &[]);

    proxy.restore();
    // Meta posts again until it is answered with 200.
    eventually("the webhook is taken", async || {
        let answer = answer(signed(&world.api, "/whatsapp/webhook", webhook.clone())).await;
        assert!([200, 503].contains(&answer.status), "{}", answer.body);
        answer.status == 200
    })
    .await;
    eventually("the process is ready", async || world.api.get("/ready", "").await.0 == 200).await;
    world.idle().await;
    for contact in ["16505551234", "16505551235"] {
        assert_eq!(world.sim.times(contact, "thanks for reaching us\n- team Acme"), 1, "{contact}");
    }
    assert_eq!(world.sim.accepted_count(), 2, "the refused send was not made");
    world.end().await;
}
