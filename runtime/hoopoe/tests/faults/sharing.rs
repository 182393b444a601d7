//! Several processes with one Redis: they find each other's work at once, and losing Redis loses nothing.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hoopoe_runtime::{Config, Options, Roles, Running};
use hoopoe_shared::forget::{Cache, Forget};
use hoopoe_testing::{Client, Database, PATIENCE, Process, RedisServer, Watcher, eventually, settings, sim_options};
use meta_sim::{Inbound, Sim};

const HOOPOE: &str = env!("CARGO_BIN_EXE_hoopoe");
const NUMBER: &str = "106540352242922";
/// Between the messages of the load.
const PACE: Duration = Duration::from_millis(20);
const ANSWER: &str = "thanks for reaching us\n- team Acme";

/// A Redis, a database, a Meta, and the environment of a process that uses them.
struct Ground {
    redis: RedisServer,
    db: Database,
    sim: Arc<Sim>,
    environment: HashMap<String, String>,
}

impl Ground {
    /// `None` where there is no Redis.
    async fn start(poll: &str) -> Option<Self> {
        let redis = RedisServer::start().await?;
        let db = Database::create().await;
        let sim = Arc::new(Sim::start(sim_options()).await.unwrap());
        let mut environment = settings(&db, &sim);
        environment.extend(
            [("REDIS_URL", redis.url()), ("POLL_INTERVAL", poll.to_owned())]
                .map(|(name, value)| (name.to_owned(), value)),
        );
        Some(Self { redis, db, sim, environment })
    }

    /// Waits until each process has made its two connections, and knows of the others.
    async fn acquainted(&self, processes: usize) {
        let redis = &self.redis;
        eventually("the processes know of each other", async || {
            redis.ask("PUBSUB NUMSUB hoopoe:news").trim_end().ends_with(&format!(":{processes}"))
                && redis.ask("ZCARD hoopoe:nodes").starts_with(&format!(":{processes}"))
        })
        .await;
    }
}

fn contact(number: usize) -> String {
    format!("165055{number:05}")
}

async fn redis_is(api: &Client, state: &str) {
    eventually("/ready tells", async || {
        let (status, ready) = api.get("/ready", "").await;
        assert_eq!(status, 200, "a process works without Redis: {ready}");
        ready["redis"] == state
    })
    .await;
}

#[tokio::test]
async fn work_is_found_at_once_though_nobody_looks_for_an_hour() {
    let Some(ground) = Ground::start("1h").await else { return };
    let Ground { db, sim, environment, .. } = &ground;
    let (api, flows, delivery) = tokio::join!(
        Process::start_with(HOOPOE, &["serve", "--roles", "api"], environment),
        Process::start_with(HOOPOE, &["serve", "--roles", "flows"], environment),
        Process::start_with(HOOPOE, &["serve", "--roles", "delivery"], environment),
    );
    sim.set_webhook(&api.api.webhook_url());
    ground.acquainted(3).await;
    for process in [&api, &flows, &delivery] {
        redis_is(&process.api, "ok").await;
    }
    let tenant = api.api.register("Acme", NUMBER, "token").await;
    for round in 1..=3 {
        // From the API to the flows to the delivery; and, the second message, from the API to the delivery.
        assert!(sim.receive(Inbound::text(NUMBER, &contact(round), "hello")).await.is_acknowledged());
        api.api.send(&tenant, &contact(100 + round), "fresh bread").await;
        sim.wait_for_accepted(2 * round, PATIENCE).await.unwrap();
    }
    assert!((1..=3).all(|round| sim.times(&contact(round), ANSWER) == 1));
    db.idle().await;
    for process in [api, flows, delivery] {
        assert!(process.terminate().await.status.success());
    }
    assert!(ground.redis.ask("ZCARD hoopoe:nodes").starts_with(":0"), "they said that they go");
}

#[tokio::test]
async fn redis_stopped_flushed_and_restarted_under_load_loses_and_repeats_nothing() {
    const CONTACTS: usize = 50;
    let Some(mut ground) = Ground::start("250ms").await else { return };
    let (one, two) =
        tokio::join!(Process::start(HOOPOE, &ground.environment), Process::start(HOOPOE, &ground.environment));
    ground.acquainted(2).await;
    ground.sim.set_webhook(&one.api.webhook_url());
    one.api.register("Acme", NUMBER, "token").await;
    let sim = ground.sim.clone();
    let done = Arc::new(AtomicBool::new(false));
    let all_done = done.clone();
    // Gives how many messages there were.
    let load = tokio::spawn(async move {
        let mut sent = 0;
        while !all_done.load(Ordering::SeqCst) {
            let round = futures_util::future::join_all((0..4).map(|ahead| {
                let message = Inbound::text(NUMBER, &contact((sent + ahead) % CONTACTS), "hello");
                sim.receive(message)
            }));
            assert!(round.await.iter().all(meta_sim::Delivery::is_acknowledged));
            sent += 4;
            tokio::time::sleep(PACE).await;
        }
        sent
    });
    let after = async |replies| ground.sim.wait_for_accepted(replies, PATIENCE).await.unwrap();
    after(20).await;
    ground.redis.flush();
    after(40).await;
    ground.redis.stop().await;
    redis_is(&one.api, "away").await;
    redis_is(&two.api, "away").await;
    ground.redis.restart().await;
    redis_is(&one.api, "ok").await;
    ground.redis.freeze();
    redis_is(&two.api, "away").await;
    ground.redis.thaw();
    redis_is(&one.api, "ok").await;
    redis_is(&two.api, "ok").await;
    done.store(true, Ordering::SeqCst);
    let sent = load.await.unwrap();

    ground.sim.wait_for_accepted(sent, PATIENCE).await.unwrap();
    ground.db.idle().await;
    ground.sim.wait_for_webhook_idle(PATIENCE).await.unwrap();
    ground.db.idle().await;
    let wrong: Vec<_> = (0..CONTACTS)
        .filter(|number| {
            ground.sim.times(&contact(*number), ANSWER) != (0..sent).skip(*number).step_by(CONTACTS).count() as u64
        })
        .collect();
    assert!(wrong.is_empty(), "of {sent} messages, {wrong:?} were not answered exactly once each");
    for process in [one, two] {
        let ended = process.terminate().await;
        assert!(ended.status.success());
        let lines = ended.log.lines().filter(|line| line.contains("Redis")).count();
        assert!((1..=8).contains(&lines), "the log is calm: {}", ended.log);
    }
}

#[tokio::test]
async fn a_registration_makes_the_other_process_forget_its_routes() {
    let Some(ground) = Ground::start("1h").await else { return };
    let start = async || {
        let config = Config::from(&ground.environment).unwrap();
        Running::start(config, Roles::default(), Options::default()).await.unwrap()
    };
    let (one, two) = (start().await, start().await);
    ground.acquainted(2).await;
    eventually("they know of each other", async || one.shared.nodes() == 2).await;
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = heard.clone();
    two.shared.on_forget(move |forget| hears.lock().unwrap().push(forget.clone()));
    Client::new(one.address).register("Acme", NUMBER, "token").await;
    eventually("the other one is told", async || heard.lock().unwrap().contains(&Forget::All(Cache::Routes))).await;
    assert!(one.stop().await && two.stop().await);
}

#[tokio::test]
async fn who_watches_at_one_process_sees_what_happens_at_another() {
    let Some(ground) = Ground::start("50ms").await else { return };
    let start = async |roles: &str| {
        let config = Config::from(&ground.environment).unwrap();
        Running::start(config, roles.parse().unwrap(), Options::default()).await.unwrap()
    };
    let (watched, working) = (start("api").await, start("api,flows,delivery").await);
    ground.acquainted(2).await;
    eventually("they know of each other", async || watched.shared.nodes() == 2 && working.shared.nodes() == 2).await;
    ground.sim.set_webhook(&Client::new(working.address).webhook_url());
    let api = Client::new(watched.address);
    let tenant = api.register("Acme", NUMBER, "token").await;
    let mut watcher = Watcher::start(&api, &tenant).await;
    let channel = format!("hoopoe:live:{}", tenant.id.simple());
    eventually("Redis has its subscription", async || {
        ground.redis.ask(&format!("PUBSUB NUMSUB {channel}")).trim_end().ends_with(":1")
    })
    .await;
    assert!(ground.sim.receive(Inbound::text(NUMBER, &contact(1), "hello")).await.is_acknowledged());
    let seen = watcher.take(6).await;
    let words = seen.iter().map(|one| one["status"].as_str().or(one["type"].as_str()).unwrap_or_default());
    let mut words: Vec<&str> = words.collect();
    words.sort_unstable();
    assert_eq!(words, ["accepted", "delivered", "event", "read", "run", "sent"], "{seen:#?}");
    ground.db.idle().await;
    assert!(watched.stop().await && working.stop().await);
    assert_eq!(watcher.next().await, None);
}
