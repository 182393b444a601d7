//! `GET /metrics` of real processes, of whatever role.

use std::collections::HashMap;

use hoopoe_testing::{Database, MASTER_KEY, PATIENCE, Process, Proxy, eventually, settings, sim_options};
use meta_sim::{Fault, Inbound, Sim};

const HOOPOE: &str = env!("CARGO_BIN_EXE_hoopoe");
const NUMBER: &str = "106540352242922";

/// Samples by name and labels.
async fn scrape(process: &Process) -> HashMap<String, f64> {
    let (status, text) = process.api.get("/metrics", MASTER_KEY).await;
    assert_eq!(status, 200, "{text}");
    samples(text.as_str().unwrap())
}

fn samples(text: &str) -> HashMap<String, f64> {
    assert!(text.ends_with("# EOF\n"), "{text}");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        })
        .collect()
}

#[tokio::test]
async fn a_message_is_counted_on_its_way() {
    let (db, sim) = (Database::create().await, Sim::start(sim_options()).await.unwrap());
    let process = Process::start(HOOPOE, &settings(&db, &sim)).await;
    sim.set_webhook(&process.api.webhook_url());
    let tenant = process.api.register("Acme", NUMBER, "token").await;
    for key in ["", &tenant.key] {
        assert_eq!(process.api.get("/metrics", key).await.0, 401);
    }
    let (status, _) = process.api.post("/webhook", "", &serde_json::json!({})).await;
    assert_eq!(status, 401);
    sim.fail_next(Fault::code(131_026), 1);
    assert!(sim.receive(Inbound::text(NUMBER, "16505551234", "hello")).await.is_acknowledged());
    db.idle().await;
    assert!(sim.receive(Inbound::text(NUMBER, "16505551234", "hello")).await.is_acknowledged());
    sim.wait_for_statuses(3, PATIENCE).await.unwrap();
    // Meta takes the third answer and reports later that it cannot be delivered.
    sim.fail_next(Fault::AcceptThenFail { code: 131_049, title: "not delivered".to_owned() }, 1);
    assert!(sim.receive(Inbound::text(NUMBER, "16505551235", "hello")).await.is_acknowledged());
    sim.wait_for_statuses(4, PATIENCE).await.unwrap();
    db.idle().await;

    let samples = scrape(&process).await;
    for (name, value) in [
        ("hoopoe_webhooks_total{outcome=\"bad_signature\"}", 1.0),
        ("hoopoe_webhook_items_total{kind=\"message\",result=\"new\"}", 3.0),
        ("hoopoe_webhook_items_total{kind=\"status\",result=\"new\"}", 4.0),
        ("hoopoe_statuses_total{step=\"sent\"}", 1.0),
        ("hoopoe_statuses_total{step=\"delivered\"}", 1.0),
        ("hoopoe_statuses_total{step=\"read\"}", 1.0),
        ("hoopoe_statuses_total{step=\"failed\"}", 1.0),
        ("hoopoe_statuses_total{step=\"other\"}", 0.0),
        ("hoopoe_status_failures_total{code=\"131049\"}", 1.0),
        ("hoopoe_status_failures_total{code=\"131026\"}", 0.0),
        ("hoopoe_flow_runs_total{outcome=\"done\"}", 3.0),
        ("hoopoe_flow_run_fuel_count", 3.0),
        ("hoopoe_flow_wait_seconds_count", 3.0),
        ("hoopoe_deliveries_total{outcome=\"sent\"}", 2.0),
        ("hoopoe_deliveries_total{outcome=\"dead\"}", 1.0),
        ("hoopoe_graph_failures_total{class=\"permanent\",code=\"131026\"}", 1.0),
        ("hoopoe_graph_request_seconds_count", 3.0),
        ("hoopoe_delivery_wait_seconds_count", 2.0),
        ("hoopoe_lanes_working{stage=\"flows\"}", 0.0),
        ("hoopoe_sandbox_instances", 0.0),
        ("hoopoe_queue_lanes{class=\"answer\",state=\"ready\"}", 0.0),
        ("hoopoe_database_up", 1.0),
        ("hoopoe_database_connections_limit", 6.0),
        ("hoopoe_redis_configured", 0.0),
        ("hoopoe_shed_items_total{writer=\"journal\"}", 0.0),
    ] {
        assert_eq!(samples.get(name), Some(&value), "{name}");
    }
    let lanes = |how: &str| samples[&format!("hoopoe_lanes_{how}_total{{stage=\"flows\"}}")];
    assert_eq!(lanes("born") + lanes("claimed"), 3.0);
    let commits = samples["hoopoe_commit_items_count{writer=\"journal\"}"];
    assert_eq!(commits, samples["hoopoe_commit_seconds_count{writer=\"journal\"}"]);
    assert_eq!(samples["hoopoe_commit_items_sum{writer=\"journal\"}"], 3.0);
    assert_eq!(samples["hoopoe_commit_items_sum{writer=\"statuses\"}"], 4.0);
    let waits = |pool: &str| samples[&format!("hoopoe_database_acquire_seconds_count{{pool=\"{pool}\"}}")];
    assert!(waits("hot") >= commits, "each of the journal's commits waits for a connection of the message's way");
    assert!(waits("general") >= 1.0, "the look at the queues waits for one of the others");
    assert!(samples["hoopoe_webhooks_total{outcome=\"accepted\"}"] >= 3.0);
    assert!(process.terminate().await.status.success());
}

#[tokio::test]
async fn a_suspended_channel_is_counted_by_what_told_of_it() {
    let (db, sim) = (Database::create().await, Sim::start(sim_options()).await.unwrap());
    let process = Process::start(HOOPOE, &settings(&db, &sim)).await;
    sim.set_webhook(&process.api.webhook_url());
    let refused = process.api.register("Acme", NUMBER, "token").await;
    let reported = process.api.register("Beta", "206540352242922", "token").await;
    sim.fail_to("16505551234", Fault::code(190), 1);
    sim.fail_to("16505551235", Fault::AcceptThenFail { code: 131_042, title: "unpaid".to_owned() }, 1);
    process.api.send(&refused, "16505551234", "your order").await;
    process.api.send(&reported, "16505551235", "your order").await;
    let name = |by: &str| format!("hoopoe_suspensions_total{{what=\"channel\",by=\"{by}\"}}");
    let (refusal, status) = (name("refusal"), name("status"));
    eventually("both are counted", async || {
        let samples = scrape(&process).await;
        samples[&refusal] == 1.0 && samples[&status] == 1.0
    })
    .await;
    assert!(process.terminate().await.status.success());
}

#[tokio::test]
async fn what_waits_is_unknown_while_the_database_is_away() {
    let (db, sim) = (Database::create().await, Sim::start(sim_options()).await.unwrap());
    let proxy = Proxy::start(&db.url).await;
    let mut environment = settings(&db, &sim);
    environment.insert("DATABASE_URL".to_owned(), proxy.url());
    let process = Process::start_with(HOOPOE, &["serve", "--roles", "api"], &environment).await;
    let tenant = process.api.register("Acme", NUMBER, "token").await;
    // Nobody delivers it.
    process.api.send(&tenant, "16505550000", "your order").await;
    let waits = async || {
        let samples = scrape(&process).await;
        samples["hoopoe_database_up"] == 1.0 && samples["hoopoe_queue_oldest_seconds{class=\"single\"}"] > 0.0
    };
    eventually("the send is seen to wait", async || waits().await).await;

    proxy.cut();
    eventually("a look fails", async || scrape(&process).await["hoopoe_database_up"] == 0.0).await;
    let samples = scrape(&process).await;
    let of_queues = |name: &str| {
        name.starts_with("hoopoe_queue_lanes{")
            || name.starts_with("hoopoe_queue_oldest_seconds{")
            || ["hoopoe_notices_oldest_seconds", "hoopoe_scheduled_overdue_seconds"].contains(&name)
    };
    let shown: Vec<_> = samples.iter().filter(|(name, _)| of_queues(name)).collect();
    assert_eq!(shown.len(), 14, "{shown:?}");
    assert!(shown.iter().all(|(_, value)| value.is_nan()), "{shown:?}");

    proxy.restore();
    eventually("the send is seen again", async || waits().await).await;
    assert!(process.terminate().await.status.success());
}

#[tokio::test]
async fn a_process_of_any_role_can_show_its_metrics_at_an_address_of_their_own() {
    let (db, sim) = (Database::create().await, Sim::start(sim_options()).await.unwrap());
    let environment = settings(&db, &sim);
    let mut own = environment.clone();
    own.insert("METRICS_ADDRESS".to_owned(), "127.0.0.1:0".to_owned());
    let (api, flows) = tokio::join!(
        Process::start_with(HOOPOE, &["serve", "--roles", "api"], &environment),
        Process::start_with(HOOPOE, &["serve", "--roles", "flows"], &own),
    );
    sim.set_webhook(&api.api.webhook_url());
    let tenant = api.api.register("Acme", NUMBER, "token").await;
    // Nobody delivers: the answer waits, and a send.
    assert!(sim.receive(Inbound::text(NUMBER, "16505551234", "hello")).await.is_acknowledged());
    api.api.send(&tenant, "16505550000", "your order").await;
    // Nor does anybody move what is due, or tell a webhook of what came.
    let later = (chrono::Utc::now() + chrono::TimeDelta::seconds(1)).to_rfc3339();
    let reminder = serde_json::json!({ "to": "16505550000", "text": "soon", "send_at": later });
    let (status, answer) = api.api.post(&format!("/tenants/{}/send", tenant.id), &tenant.key, &reminder).await;
    assert_eq!(status, 202, "{answer}");
    let log = flows.log();
    let line = log.lines().find(|line| line.contains("metrics are shown")).unwrap();
    let address = line.split_once("metrics=").unwrap().1.split(' ').next().unwrap();
    let ask = async || {
        let answer = flows.api.http.get(format!("http://{address}/metrics")).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
        samples(&answer.text().await.unwrap())
    };
    eventually("the queues are looked at anew", async || {
        let samples = ask().await;
        let waits = |class: &str| {
            samples[&format!("hoopoe_queue_lanes{{class=\"{class}\",state=\"ready\"}}")] == 1.0
                && samples[&format!("hoopoe_queue_oldest_seconds{{class=\"{class}\"}}")] > 0.0
        };
        waits("answer")
            && waits("single")
            && samples["hoopoe_scheduled_overdue_seconds"] > 0.0
            && samples["hoopoe_flow_runs_total{outcome=\"done\"}"] == 1.0
    })
    .await;
    // At that address there is nothing else, and at the other one it needs the operator's key.
    let other = flows.api.http.get(format!("http://{address}/health")).send().await.unwrap();
    assert_eq!(other.status(), 404);
    assert_eq!(flows.api.get("/metrics", "").await.0, 401);
    assert_eq!(flows.api.get("/api/metrics", MASTER_KEY).await.0, 200);
    for process in [api, flows] {
        assert!(process.terminate().await.status.success());
    }
}
