//! The connection to Postgres breaks at chosen moments of a message's way, before or after a commit: nothing is lost,
//! nothing is repeated, whichever half of the truth the runtime has heard.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use hoopoe_testing::At::{self, AfterCommit, BeforeCommit};
use hoopoe_testing::{Client, PATIENCE, Proxy, Tenant, World, eventually, eventually_some};
use meta_sim::Inbound;
use serde_json::json;
use tokio::net::TcpListener;

const CONTACT: &str = "16505551234";
const ANSWER: &str = "thanks for reaching us\n- team Acme";

/// A statement of each of the commits on a message's way.
const JOURNAL: &str = "insert into events";
const CLAIM_OF_EVENTS: &str = "update lanes l set ready_at";
const FLOW: &str = "insert into flow_runs";
const CLAIM_OF_MESSAGES: &str = "state = 'sending'";
const SETTLEMENT: &str = "delete from outbox";
const SEND: &str = "insert into outbox";
/// A settlement writes such a step too, but not of a message that went out at once.
const STATUS: &str = "insert into message_statuses";

/// A runtime behind a proxy, with times that a test can wait for.
async fn start() -> (World, Proxy, Tenant) {
    let builder = World::builder().system_clock().set("LEASE", "2s").set("GRAPH_TIMEOUT", "1s");
    let builder = builder.set("HTTP_ALLOW_PRIVATE", "true");
    // The simulator posts a status again after a second at the latest.
    let mut world = builder.set("UNKNOWN_OUTCOME_WAIT", "3s").start().await;
    let proxy = Proxy::start(&world.db.url).await;
    world.set("DATABASE_URL", &proxy.url());
    world.restart().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    (world, proxy, tenant)
}

/// As Meta does: posts again until it is acknowledged. Gives how the first was answered, and the last answer's body.
async fn says(world: &World, tenant: &Tenant, from: &str, text: &str) -> (u16, String) {
    let message = Inbound::text(&tenant.phone_number_id, from, text);
    let mut first = None;
    eventually_some("the webhook is acknowledged", async || {
        let delivery = world.sim.receive(message.clone()).await;
        assert!([200, 503].contains(&delivery.status), "{delivery:?}");
        let first = *first.get_or_insert(delivery.status);
        delivery.is_acknowledged().then_some((first, delivery.body))
    })
    .await
}

/// One message, and a cut at this commit.
async fn survives(at: At, text: &'static str) {
    let (world, proxy, tenant) = start().await;
    proxy.once(at, text);
    let (first, body) = says(&world, &tenant, CONTACT, "hello").await;
    proxy.happened().await;
    if text == JOURNAL {
        assert_eq!(first, 503, "it was acknowledged before the commit was known");
        let repeated = body.contains(r#""repeated":1"#);
        assert_eq!(repeated, at == AfterCommit, "{body}");
    }
    goes_its_way_once(world, &tenant).await;
}

/// One message that waits before a stage, and a cut at the claim by that stage. `before` are the roles that bring it
/// there.
async fn claim_survives(at: At, text: &'static str, before: &str) {
    let (mut world, proxy, tenant) = start().await;
    world.set_roles(before);
    world.restart().await;
    assert_eq!(says(&world, &tenant, CONTACT, "hello").await.0, 200);
    let stage = if before == "api" { "select count(*) from events" } else { "select count(*) from outbox" };
    eventually("the message waits before the stage", async || world.db.count(stage).await == 1).await;
    world.set_roles("api,flows,delivery");
    proxy.once(at, text);
    world.restart().await;
    proxy.happened().await;
    goes_its_way_once(world, &tenant).await;
}

/// The message is handled and answered once; then the next one, as if nothing had happened.
async fn goes_its_way_once(world: World, tenant: &Tenant) {
    world.sim.wait_for_accepted(1, PATIENCE).await.unwrap();
    world.idle().await;
    assert_eq!(world.sim.times(CONTACT, ANSWER), 1);
    assert_eq!(world.sim.requests(), 1, "a request was repeated");
    assert_eq!(world.db.count("select count(*) from events").await, 1);
    assert_eq!(world.db.count("select count(*) from flow_runs where result = 'done'").await, 1);
    assert_eq!(world.db.count("select count(*) from flow_runs").await, 1);
    assert_eq!(world.db.count("select count(*) from messages where direction = 'OUT' and status = 'read'").await, 1);
    assert_eq!(world.db.count("select count(*) from messages").await, 2);

    // Connections that have been idle since the cut are tried before they are used.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(says(&world, tenant, CONTACT, "again").await.0, 200);
    world.sim.wait_for_accepted(2, PATIENCE).await.unwrap();
    world.idle().await;
    assert_eq!(world.sim.requests(), 2);
    world.end().await;
}

#[tokio::test]
async fn before_the_commit_of_a_webhook() {
    survives(BeforeCommit, JOURNAL).await;
}

#[tokio::test]
async fn after_the_commit_of_a_webhook() {
    survives(AfterCommit, JOURNAL).await;
}

#[tokio::test]
async fn before_the_commit_of_the_claim_of_an_event() {
    claim_survives(BeforeCommit, CLAIM_OF_EVENTS, "api").await;
}

#[tokio::test]
async fn after_the_commit_of_the_claim_of_an_event() {
    claim_survives(AfterCommit, CLAIM_OF_EVENTS, "api").await;
}

#[tokio::test]
async fn before_the_commit_of_a_flow() {
    survives(BeforeCommit, FLOW).await;
}

#[tokio::test]
async fn after_the_commit_of_a_flow() {
    survives(AfterCommit, FLOW).await;
}

#[tokio::test]
async fn before_the_commit_of_the_claim_of_a_message() {
    claim_survives(BeforeCommit, CLAIM_OF_MESSAGES, "api,flows").await;
}

#[tokio::test]
async fn after_the_commit_of_the_claim_of_a_message() {
    claim_survives(AfterCommit, CLAIM_OF_MESSAGES, "api,flows").await;
}

#[tokio::test]
async fn before_the_commit_of_a_settlement() {
    survives(BeforeCommit, SETTLEMENT).await;
}

#[tokio::test]
async fn after_the_commit_of_a_settlement() {
    survives(AfterCommit, SETTLEMENT).await;
}

/// A send by the API; the integrator makes it again under its key until it is answered.
async fn send_survives(at: At) {
    let (world, proxy, tenant) = start().await;
    proxy.once(at, SEND);
    let body = json!({ "to": CONTACT, "text": "hello", "idempotency_key": "order-1" });
    let path = format!("/tenants/{}/send", tenant.id);
    let post = async |api: &Client| api.post(&path, &tenant.key, &body).await;
    assert_eq!(post(&world.api).await.0, 503);
    let (status, _) = eventually_some("the send is answered", async || {
        let (status, answer) = post(&world.api).await;
        assert!([202, 409, 503].contains(&status), "{status} {answer}");
        (status != 503).then_some((status, answer))
    })
    .await;
    assert_eq!(status, if at == AfterCommit { 409 } else { 202 });
    world.sim.wait_for_accepted(1, PATIENCE).await.unwrap();
    world.idle().await;
    assert_eq!((world.sim.requests(), world.sim.times(CONTACT, "hello")), (1, 1));
    assert_eq!(world.db.count("select count(*) from messages where status = 'read'").await, 1);
    world.end().await;
}

#[tokio::test]
async fn before_the_commit_of_a_send() {
    send_survives(BeforeCommit).await;
}

#[tokio::test]
async fn after_the_commit_of_a_send() {
    send_survives(AfterCommit).await;
}

/// A tenant's endpoint that takes everything: its URL, and how often it was posted to.
async fn endpoint() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hooks", listener.local_addr().unwrap());
    let posts = Arc::new(AtomicUsize::new(0));
    let counted = posts.clone();
    let router = Router::new().fallback(move || {
        counted.fetch_add(1, Ordering::SeqCst);
        async { StatusCode::NO_CONTENT }
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, posts)
}

/// A status of a message that went out; Meta posts it until it is acknowledged. Where the tenant has an endpoint that
/// wants to hear of it, it is written in a transaction, else in a statement of its own.
async fn status_survives(at: At, has_endpoint: bool) {
    let (world, proxy, tenant) = start().await;
    world.sim.configure(|options| options.statuses.clear());
    let (url, posts) = endpoint().await;
    if has_endpoint {
        let hook = json!({ "url": url, "types": ["message.delivered"] });
        let path = format!("/tenants/{}/webhooks", tenant.id);
        let (status, answer) = world.api.post(&path, &tenant.key, &hook).await;
        assert_eq!(status, 201, "{answer}");
    }
    let id = world.api.send(&tenant, CONTACT, "hello").await;
    world.idle().await;
    let wamid = world.sim.accepted()[0].wamid.clone();
    let item = json!({ "id": wamid, "status": "delivered", "timestamp": "1767225600", "recipient_id": CONTACT });
    let metadata = json!({ "display_phone_number": "1", "phone_number_id": tenant.phone_number_id });
    let value = json!({ "messaging_product": "whatsapp", "metadata": metadata, "statuses": [item] });
    let body = json!({ "object": "whatsapp_business_account",
        "entry": [{ "id": "1", "changes": [{ "field": "messages", "value": value }] }] });
    let post = async || world.sim.post_signed(body.to_string().into_bytes()).await;
    proxy.once(at, STATUS);
    let first = post().await;
    assert_eq!(first.status, 503, "it was acknowledged before the commit was known: {first:?}");
    proxy.happened().await;
    let answer = eventually_some("the status is acknowledged", async || {
        let again = post().await;
        assert!([200, 503].contains(&again.status), "{again:?}");
        again.is_acknowledged().then_some(again.body)
    })
    .await;
    assert_eq!(answer.contains(r#""repeated":1"#), at == AfterCommit, "{answer}");

    let told = usize::from(has_endpoint);
    eventually("the tenant is told", async || posts.load(Ordering::SeqCst) >= told).await;
    eventually("nothing is left to tell", async || world.db.count("select count(*) from webhook_queue").await == 0)
        .await;
    assert_eq!(posts.load(Ordering::SeqCst), told, "it was told again");
    let message = world.api.message(&tenant, id).await;
    let steps: Vec<_> = message["timeline"].as_array().unwrap().iter().map(|step| &step["status"]).collect();
    assert_eq!(steps, ["accepted", "delivered"], "{message}");
    assert_eq!((&message["status"], world.sim.requests()), (&"delivered".into(), 1));
    world.end().await;
}

#[tokio::test]
async fn before_the_commit_of_a_status() {
    status_survives(BeforeCommit, false).await;
    status_survives(BeforeCommit, true).await;
}

#[tokio::test]
async fn after_the_commit_of_a_status() {
    status_survives(AfterCommit, false).await;
    status_survives(AfterCommit, true).await;
}

#[tokio::test]
async fn connections_that_break_all_the_time_cost_time_only() {
    const MESSAGES: usize = 60;
    const CONTACTS: usize = 20;
    let contact = |number: usize| format!("165055500{:02}", number % CONTACTS);
    let (world, proxy, tenant) = start().await;
    let load = async {
        for number in 0..MESSAGES {
            says(&world, &tenant, &contact(number), "hello").await;
        }
    };
    let cuts = async {
        loop {
            let before = world.sim.stats().inbound_acknowledged;
            proxy.cut();
            proxy.restore();
            eventually("things go on after the cut", async || world.sim.stats().inbound_acknowledged >= before + 6)
                .await;
        }
    };
    tokio::select! {
        () = load => {}
        never = cuts => never,
    }
    world.sim.wait_for_accepted(MESSAGES, PATIENCE).await.unwrap();
    world.idle().await;
    for number in 0..CONTACTS {
        assert_eq!(world.sim.times(&contact(number), ANSWER) as usize, MESSAGES / CONTACTS, "{}", contact(number));
    }
    assert_eq!(world.db.count("select count(*) from flow_runs where result = 'done'").await as usize, MESSAGES);
    world.end().await;
}
