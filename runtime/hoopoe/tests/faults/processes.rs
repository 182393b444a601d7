//! The real binary: start, orderly stop under load, several processes on one database, and its log.

use std::collections::HashMap;

use futures_util::StreamExt;
use futures_util::future::join;
use hoopoe_testing::{APP_SECRET, Database, MASTER_KEY, PATIENCE, Process, Signal, settings, sim_options};
use meta_sim::{Inbound, Sim};
use serde_json::Value;

const HOOPOE: &str = env!("CARGO_BIN_EXE_hoopoe");
const NUMBER: &str = "106540352242922";
const ANSWER: &str = "thanks for reaching us\n- team Acme";

fn with(environment: &HashMap<String, String>, changes: &[(&str, &str)]) -> HashMap<String, String> {
    let mut environment = environment.clone();
    environment.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    environment
}

fn contact(number: usize) -> String {
    format!("165055{number:05}")
}

#[tokio::test]
async fn a_stop_under_load_finishes_what_it_took_and_loses_nothing() {
    const MESSAGES: usize = 200;
    let db = Database::create().await;
    let sim = Sim::start(sim_options()).await.unwrap();
    let environment = settings(&db, &sim);
    let process = Process::start(HOOPOE, &environment).await;
    sim.set_webhook(&process.api.webhook_url());
    process.api.register("Acme", NUMBER, "token").await;

    let messages: Vec<_> = (0..MESSAGES).map(|number| Inbound::text(NUMBER, &contact(number), "hello")).collect();
    let load = futures_util::stream::iter(&messages)
        .map(async |message| (!sim.receive(message.clone()).await.is_acknowledged()).then(|| message.clone()))
        .buffer_unordered(16)
        .filter_map(async |refused| refused)
        .collect::<Vec<_>>();
    let stop = async {
        sim.wait_for_accepted(10, PATIENCE).await.unwrap();
        process.signal(Signal::SIGTERM);
    };
    let (refused, ()) = join(load, stop).await;
    let ended = process.wait().await;
    assert!(ended.status.success(), "{:?}: {}", ended.status, ended.log);
    assert_eq!(db.count("select count(*) from outbox where state = 'sending'").await, 0, "a request was left alone");
    let before = sim.accepted_count();
    assert!((before as usize) < MESSAGES, "there was no load when the process stopped");

    let process = Process::start(HOOPOE, &environment).await;
    sim.set_webhook(&process.api.webhook_url());
    for message in refused {
        assert!(sim.receive(message).await.is_acknowledged());
    }
    sim.wait_for_accepted(MESSAGES, PATIENCE).await.unwrap();
    db.idle().await;
    sim.wait_for_webhook_idle(PATIENCE).await.unwrap();
    let twice: Vec<_> = (0..MESSAGES).filter(|number| sim.times(&contact(*number), ANSWER) != 1).collect();
    assert!(twice.is_empty(), "{twice:?} were not answered exactly once");
    assert_eq!(db.count("select count(*) from messages where direction = 'OUT' and status = 'read'").await, 200);
    assert!(process.terminate().await.status.success());
}

#[tokio::test]
async fn roles_in_different_processes_work_together() {
    let db = Database::create().await;
    let sim = Sim::start(sim_options()).await.unwrap();
    let environment = settings(&db, &sim);
    let (api, flows, delivery) = tokio::join!(
        Process::start_with(HOOPOE, &["serve", "--roles", "api"], &environment),
        Process::start_with(HOOPOE, &["serve", "--roles", "flows"], &environment),
        Process::start_with(HOOPOE, &["serve", "--roles", "delivery"], &environment),
    );
    sim.set_webhook(&api.api.webhook_url());
    let tenant = api.api.register("Acme", NUMBER, "token").await;
    assert_eq!(flows.api.get(&format!("/tenants/{}", tenant.id), &tenant.key).await.0, 404, "it has no API");
    for number in 0..3 {
        assert!(sim.receive(Inbound::text(NUMBER, &contact(number), "hello")).await.is_acknowledged());
    }
    sim.wait_for_statuses(9, PATIENCE).await.unwrap();
    db.idle().await;
    assert!((0..3).all(|number| sim.times(&contact(number), ANSWER) == 1));
    assert_eq!(db.count("select count(*) from messages where direction = 'OUT' and status = 'read'").await, 3);
    for process in [api, flows, delivery] {
        assert!(process.terminate().await.status.success());
    }
}

#[tokio::test]
async fn two_equal_processes_share_the_work_and_repeat_nothing() {
    let db = Database::create().await;
    let sim = Sim::start(sim_options()).await.unwrap();
    let environment = settings(&db, &sim);
    // Both apply the migrations; the database has them, so this only has to do no harm.
    let (one, two) = tokio::join!(Process::start(HOOPOE, &environment), Process::start(HOOPOE, &environment));
    one.api.register("Acme", NUMBER, "token").await;
    for number in 0..60 {
        let message = Inbound::text(NUMBER, &contact(number % 20), "hello");
        // Meta delivers each message twice, once to each.
        for process in [&one, &two] {
            sim.set_webhook(&process.api.webhook_url());
            assert!(sim.receive(message.clone()).await.is_acknowledged());
        }
    }
    sim.wait_for_accepted(60, PATIENCE).await.unwrap();
    db.idle().await;
    assert!((0..20).all(|number| sim.times(&contact(number), ANSWER) == 3));
    assert_eq!((sim.requests(), db.count("select count(*) from events").await), (60, 60));
    assert!(one.terminate().await.status.success() && two.terminate().await.status.success());
}

#[tokio::test]
async fn a_process_runs_on_the_schema_of_a_newer_release() {
    let db = Database::create().await;
    let sim = Sim::start(sim_options()).await.unwrap();
    db.execute(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
         values (9999, 'of later', true, '\\x00', 1);
         alter table messages add column of_later text;
         alter table lanes add column of_later integer not null default 1;
         create table of_later (tenant_id uuid primary key)",
    )
    .await;
    let process = Process::start(HOOPOE, &settings(&db, &sim)).await;
    sim.set_webhook(&process.api.webhook_url());
    process.api.register("Acme", NUMBER, "token").await;
    assert!(sim.receive(Inbound::text(NUMBER, &contact(1), "hello")).await.is_acknowledged());
    sim.wait_for_statuses(3, PATIENCE).await.unwrap();
    db.idle().await;
    assert_eq!(sim.times(&contact(1), ANSWER), 1);
    let ended = process.terminate().await;
    assert!(ended.status.success() && ended.log.contains("migrations of a newer release"), "{}", ended.log);
}

#[tokio::test]
async fn a_wrong_configuration_ends_the_start_with_a_sentence_that_names_it() {
    let db = Database::create().await;
    let sim = Sim::start(sim_options()).await.unwrap();
    let environment = settings(&db, &sim);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().port().to_string();
    let cases: [(&[(&str, &str)], &str); 10] = [
        (&[("MASTER_KEY", "")], "MASTER_KEY is not set"),
        (&[("DATABASE_URL", "")], "DATABASE_URL is not set"),
        (&[("DATABASE_URL", "mysql://localhost/x")], "DATABASE_URL"),
        (&[("REDIS_URL", "localhost")], "REDIS_URL is \"<hidden>\"; set it to redis://"),
        (&[("PORT", "99999")], "PORT is \"99999\""),
        (&[("PORT", &taken)], "PORT"),
        (&[("LEASE_DEADLINE", "1s")], "LEASE_DEADLINE is \"1s\""),
        (&[("APP_ENV", "production"), ("APP_SECRET", "")], "APP_SECRET is not set"),
        (&[("ROLES", "cook")], "\"cook\" is no role"),
        (&[("LOG", "a=b=c")], "LOG"),
    ];
    for (changes, expected) in cases {
        let ended = Process::run(HOOPOE, &with(&environment, changes)).await;
        assert!(ended.status.code().is_some_and(|code| code != 0), "{changes:?}: {:?}", ended.status);
        assert!(ended.log.contains(expected), "{changes:?}: {}", ended.log);
        assert!(!ended.log.contains("panicked") && !ended.log.contains(MASTER_KEY), "{changes:?}: {}", ended.log);
    }
}

#[tokio::test]
async fn in_production_the_log_is_json_and_holds_no_secret() {
    let db = Database::create().await;
    let sim = Sim::start(sim_options()).await.unwrap();
    let environment = with(&settings(&db, &sim), &[("APP_ENV", "production"), ("LOG", "debug")]);
    let process = Process::start(HOOPOE, &environment).await;
    sim.set_webhook(&process.api.webhook_url());
    let tenant = process.api.register("Acme", NUMBER, "EAAaTokenThatNobodyMaySee").await;
    sim.fail_next(meta_sim::Fault::code(131026), 1);
    for _ in 0..2 {
        assert!(sim.receive(Inbound::text(NUMBER, &contact(1), "hello")).await.is_acknowledged());
    }
    sim.wait_for_statuses(3, PATIENCE).await.unwrap();
    let messages = process.api.messages(&tenant).await;
    let ended = process.terminate().await;

    let lines: Vec<Value> = ended.log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    for secret in [MASTER_KEY, APP_SECRET, tenant.key.as_str(), "EAAaTokenThatNobodyMaySee"] {
        assert!(!ended.log.contains(secret), "{secret} is in the log");
    }
    // A failure is found by its tenant and message.
    let failed = messages.iter().find(|message| message["status"] == "failed").unwrap();
    let line = lines.iter().find(|line| line["level"] == "ERROR").unwrap();
    assert_eq!(line["tenant"], tenant.id.to_string(), "{line}");
    assert!(line.to_string().contains(failed["id"].as_str().unwrap()), "{line}");
}
