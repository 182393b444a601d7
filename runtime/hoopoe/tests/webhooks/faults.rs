//! Endpoints that hang, addresses that are not for them, and processes that die.

use std::os::unix::process::ExitStatusExt;
use std::time::Instant;

use hoopoe_testing::{Database, Process, World, eventually, settings, sim_options};
use meta_sim::Sim;
use serde_json::json;

use crate::endpoint::{Answer, CONTACT, Endpoint, Hook, builder};

const HOOPOE: &str = env!("CARGO_BIN_EXE_hoopoe");

#[tokio::test]
async fn an_endpoint_that_hangs_delays_no_other() {
    // Few places: those who hang would fill them all.
    let world = builder().system_clock().set("WEBHOOK_CONCURRENCY", "8").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let (hanging, good) = (Endpoint::start().await, Endpoint::start().await);
    hanging.always(Answer::Never);
    let hangs = Hook::create(&world, &tenant, &hanging, &["message.sent"]).await;
    Hook::create(&world, &tenant, &hanging, &["message.sent"]).await;
    Hook::create(&world, &tenant, &good, &["message.sent"]).await;
    let began = Instant::now();
    for number in 0..40 {
        world.api.send(&tenant, CONTACT, &format!("number {number}")).await;
    }
    eventually("the good one is told", async || good.heard().len() == 40).await;
    assert!(began.elapsed().as_secs() < 14, "it waited for those that hang: {:?}", began.elapsed());
    assert!(!hanging.heard().is_empty());
    // Once it is seen to hang it is asked by few at a time.
    eventually("the time is up", async || hangs.show().await["failingSince"].is_string()).await;
    let shown = hangs.show().await;
    assert!(shown["lastFailure"].as_str().unwrap().starts_with("timeout: "), "{shown}");
    drop(world);
}

#[tokio::test]
async fn addresses_behind_the_host_are_refused() {
    let endpoint = Endpoint::start().await;
    let world = World::builder().start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let path = format!("/tenants/{}/webhooks", tenant.id);
    for url in [
        endpoint.url(),
        "https://10.0.0.1/".to_owned(),
        "https://[::1]/".to_owned(),
        "https://169.254.169.254/latest/meta-data/".to_owned(),
        "https://2130706433/".to_owned(),
    ] {
        let (status, answer) = world.api.post(&path, &tenant.key, &json!({ "url": url, "types": ["*"] })).await;
        assert_eq!((status, &answer["details"]["field"]), (400, &"url".into()), "{url}: {answer}");
    }
    // Where a name leads to is seen when it is connected to.
    let url = format!("http://localhost:{}/hooks", endpoint.port);
    let (status, answer) = world.api.post(&path, &tenant.key, &json!({ "url": url, "types": ["*"] })).await;
    assert_eq!(status, 201, "{answer}");
    let hook = Hook {
        world: &world,
        tenant: &tenant,
        id: answer["id"].as_str().unwrap().to_owned(),
        secret: answer["secret"].as_str().unwrap().to_owned(),
    };
    let notice = hook.test().await;
    let refused = hook.delivery(&notice, "waiting", 1).await;
    assert!(refused["response"].as_str().unwrap().starts_with("refused: localhost leads to"), "{refused}");
    assert!(endpoint.heard().is_empty());
    world.end().await;
}

/// A process that dies at `place` leaves its notice to the next one. Gives how often it was posted.
async fn survives(place: &str) -> usize {
    let db = Database::create().await;
    let sim = Sim::start(sim_options()).await.unwrap();
    let endpoint = Endpoint::start().await;
    let mut environment = settings(&db, &sim);
    environment.insert("HTTP_ALLOW_PRIVATE".to_owned(), "true".to_owned());
    let mut doomed = environment.clone();
    doomed.insert("HOOPOE_CRASH_AT".to_owned(), place.to_owned());
    let process = Process::start(HOOPOE, &doomed).await;
    let tenant = process.api.register("Acme", "106540352242922", "token").await;
    let body = json!({ "url": endpoint.url(), "types": ["message.sent"] });
    let (status, answer) = process.api.post(&format!("/tenants/{}/webhooks", tenant.id), &tenant.key, &body).await;
    assert_eq!(status, 201, "{answer}");
    let sent = process.api.send(&tenant, CONTACT, "hello").await;
    let ended = process.wait().await;
    assert_eq!(ended.status.signal(), Some(6), "{}", ended.log);
    assert!(ended.log.contains(&format!("crash point {place}")), "{}", ended.log);

    // So that the test need not wait for the lease of the dead.
    db.execute("update webhook_queue set ready_at = now() where lease_token <> 0").await;
    let process = Process::start(HOOPOE, &environment).await;
    let delivered = "select count(*) from webhook_deliveries where delivered";
    eventually("it is delivered", async || db.count(delivered).await == 1).await;
    assert_eq!(db.count("select count(*) from webhook_queue").await, 0);
    let heard = endpoint.heard();
    assert!(!heard.is_empty());
    for one in &heard {
        assert_eq!((&one.id, one.kind()), (&heard[0].id, "message.sent"));
        assert_eq!(one.body["data"]["messageId"], sent.to_string());
    }
    assert!(process.terminate().await.status.success());
    heard.len()
}

#[tokio::test]
async fn after_the_claim_and_before_the_post() {
    assert_eq!(survives("notice.claimed").await, 1);
}

#[tokio::test]
async fn after_the_post_and_before_the_commit_it_is_posted_again_under_the_same_id() {
    assert_eq!(survives("notice.called").await, 2);
}

#[tokio::test]
async fn after_the_commit_it_is_not_posted_again() {
    assert_eq!(survives("notice.settled").await, 1);
}

#[tokio::test]
async fn what_waits_outlives_a_restart() {
    let mut world = builder().start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let endpoint = Endpoint::start().await;
    endpoint.always(Answer::Status(503));
    let hook = Hook::create(&world, &tenant, &endpoint, &["message.received"]).await;
    world.says(&tenant, CONTACT, "hello").await;
    world.idle().await;
    endpoint.posts(1).await;
    let id = hook.id.clone();
    world.restart().await;
    // A process that has just started knows who listens.
    world.says(&tenant, CONTACT, "again").await;
    world.idle().await;
    endpoint.posts(2).await;
    let under_way = "select count(*) from webhook_queue where lease_token <> 0";
    eventually("both attempts are written down", async || world.db.count(under_way).await == 0).await;
    endpoint.always(Answer::Status(204));
    world.advance(chrono::TimeDelta::seconds(6));
    eventually("both are delivered", async || {
        world.db.count("select count(*) from webhook_deliveries where delivered").await == 2
    })
    .await;
    let (_, shown) = world.api.get(&format!("/tenants/{}/webhooks/{id}", tenant.id), &tenant.key).await;
    assert_eq!(shown["failingSince"], serde_json::Value::Null, "{shown}");
    world.end().await;
}

#[tokio::test]
async fn an_outcome_waits_for_the_database_and_its_notice_is_not_posted_again() {
    let world = builder().start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let endpoint = Endpoint::start().await;
    let hook = Hook::create(&world, &tenant, &endpoint, &["*"]).await;
    // As a database that has no resources left. A sequence counts what was rolled back.
    for statement in [
        "create sequence refused",
        "create function refuse() returns trigger language plpgsql as $$ begin
             perform nextval('refused');
             raise exception 'no room' using errcode = '53100';
         end $$",
        "create trigger refuse before insert on webhook_deliveries for each row execute function refuse()",
    ] {
        world.db.execute(statement).await;
    }
    let notice = hook.test().await;
    let refused = "select count(*) from refused where is_called";
    eventually("it is refused", async || world.db.count(refused).await == 1).await;
    world.db.execute("drop trigger refuse on webhook_deliveries").await;
    // The clock stands: its lease does not end.
    hook.delivery(&notice, "delivered", 1).await;
    assert_eq!(endpoint.heard().len(), 1);
    world.end().await;
}
