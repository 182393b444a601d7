//! The database goes away and comes back: what is said meanwhile, and that nothing needs a restart.

use std::time::{Duration, Instant};

use hoopoe_telemetry::metrics::WriterMeters;
use hoopoe_telemetry::metrics::labels::Writer;
use hoopoe_testing::{At, Proxy, Tenant, World, eventually};
use meta_sim::Inbound;
use reqwest::Method;
use reqwest::header::RETRY_AFTER;
use serde_json::{Value, json};

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
        let asked = Instant::now();
        let answer = answer(request).await;
        answer.refuses(label, 503, &["try again"]);
        if label == "a webhook" {
            assert!(asked.elapsed() < Duration::from_secs(2), "Meta waits for {:?}", asked.elapsed());
        }
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

#[tokio::test]
async fn what_the_database_cannot_keep_up_with_is_refused_before_memory_grows() {
    let mut world = World::builder().roles("api").set("WEBHOOK_MEMORY", "4194304").start().await;
    let proxy = Proxy::start(&world.db.url).await;
    world.set("DATABASE_URL", &proxy.url());
    world.restart().await;
    world.api.register("Acme", "106540352242922", "token").await;
    let webhook = |text: String| world.sim.body_of(vec![Inbound::text("106540352242922", "16505551234", &text)]);
    assert_eq!(answer(signed(&world.api, "/whatsapp/webhook", webhook("first".into()))).await.status, 200);

    // The database does not answer, and 300 kB come with each.
    proxy.once(At::Answer, "insert into events");
    let under_way: Vec<_> = (0..20)
        .map(|number| {
            let body = webhook(format!("{number} {}", "x".repeat(300_000)));
            tokio::spawn(answer(signed(&world.api, "/whatsapp/webhook", body)))
        })
        .collect();
    let refused = || under_way.iter().filter(|one| one.is_finished()).count();
    eventually("there is no room for the rest", async || refused() == 7).await;
    proxy.release();
    let mut statuses = Vec::new();
    for one in under_way {
        let answer = one.await.unwrap();
        if answer.status == 503 {
            assert!(answer.headers.contains_key(RETRY_AFTER));
        }
        statuses.push(answer.status);
    }
    let taken = statuses.iter().filter(|status| **status == 200).count();
    assert_eq!(taken, 13, "4 MiB have room for thirteen: {statuses:?}");
    assert!(statuses.iter().all(|status| [200, 503].contains(status)), "{statuses:?}");
    let kept = world.db.count("select count(*) from events").await;
    assert_eq!(usize::try_from(kept).unwrap(), taken + 1, "what was refused is not kept");
    world.end().await;
}

#[tokio::test]
async fn a_tenant_that_sends_more_than_its_share_is_refused_alone() {
    let mut world = World::builder().roles("api").start().await;
    let proxy = Proxy::start(&world.db.url).await;
    world.set("DATABASE_URL", &proxy.url());
    world.restart().await;
    let noisy = world.api.register("Noisy", "106540352242922", "token").await;
    let quiet = world.api.register("Quiet", "206540352242922", "token").await;
    let message = json!({ "to": "16505551234", "text": "Hello" });
    let batch = json!({ "messages": vec![&message; 1_000] });
    let send = |tenant: &Tenant, path: &str, body: &Value| {
        let path = format!("/tenants/{}/{path}", tenant.id);
        tokio::spawn(answer(world.api.request(Method::POST, &path, &tenant.key).json(body)))
    };
    let shed = WriterMeters::of(Writer::Sends).shed;
    let before = shed.get();
    let refused = async |count: u64| {
        eventually("the rest is refused", async || shed.get() - before == count).await;
    };

    // The database does not answer.
    proxy.once(At::Answer, "insert into messages");
    let mut under_way: Vec<_> = (0..5).map(|_| send(&noisy, "send/batch", &batch)).collect();
    refused(5_000 - 4_096).await;
    let one_more = send(&noisy, "send", &message).await.unwrap();
    one_more.refuses("one more", 503, &["try again"]);
    assert!(one_more.headers.contains_key(RETRY_AFTER));
    // Another has as much as it leaves.
    under_way.extend((0..3).map(|_| send(&quiet, "send/batch", &batch)));
    refused(5_000 - 4_096 + 1 + 3_000 - 2_048).await;
    proxy.release();

    let mut queued = 0;
    for one in under_way {
        let answer = one.await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        queued += answer.body["queued"].as_i64().unwrap();
    }
    assert_eq!(queued, 4_096 + 2_048);
    assert_eq!(world.db.count("select count(*) from messages").await, queued);
    assert_eq!(send(&noisy, "send", &message).await.unwrap().status, 202, "shares are given back");
    world.end().await;
}
