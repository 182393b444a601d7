//! What nodes tell each other: wake-ups, what is to be forgotten, live events.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use common::{Time, acquainted, node};
use hoopoe_shared::Shared;
use hoopoe_shared::forget::{Cache, Forget};
use hoopoe_shared::live::Seen;
use hoopoe_shared::wake::Stage;
use hoopoe_testing::{RedisServer, eventually};
use uuid::Uuid;

const TENANT: Uuid = Uuid::from_u128(1);

/// What a node was told.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<(Vec<Stage>, Vec<Forget>)>>);

impl Heard {
    fn on(node: &Shared) -> Self {
        let heard = Self::default();
        let (stages, forgets) = (heard.clone(), heard.clone());
        node.on_wake(move |stage| stages.0.lock().unwrap().0.push(stage));
        node.on_forget(move |forget| forgets.0.lock().unwrap().1.push(forget.clone()));
        heard
    }

    fn take(&self) -> (HashSet<Stage>, Vec<Forget>) {
        let (stages, forgets) = std::mem::take(&mut *self.0.lock().unwrap());
        (stages.into_iter().collect(), forgets)
    }

    async fn everything(&self) {
        let (mut stages, mut everything) = (HashSet::new(), false);
        eventually("all stages are woken and everything is forgotten", async || {
            let (more, forgets) = self.take();
            stages.extend(more);
            everything |= forgets.contains(&Forget::Everything);
            stages.len() == Stage::ALL.len() && everything
        })
        .await;
    }
}

/// Two nodes that have told each other what new nodes are told.
async fn two_nodes(server: &RedisServer) -> ([Shared; 2], [Heard; 2]) {
    let time = Time::new();
    let nodes = [(); 2].map(|()| node(&server.url(), "hoopoe", &time));
    let heard = [0, 1].map(|number| Heard::on(&nodes[number]));
    acquainted(&nodes).await;
    quiet(server, &nodes, &heard).await;
    (nodes, heard)
}

/// Waits until what was under way has arrived: a message of its own comes after it, from each to the other.
async fn quiet(server: &RedisServer, nodes: &[Shared; 2], heard: &[Heard; 2]) {
    eventually("both listen", async || server.ask("PUBSUB NUMSUB hoopoe:news").contains(":2")).await;
    // Who has taken a mark has sent its greeting, who has taken the second one has answered the other's.
    for from in [0, 1, 0, 1, 0, 1] {
        while !mark_arrives(&nodes[from], &heard[1 - from]).await {}
    }
    heard.iter().for_each(|heard| drop(heard.take()));
}

/// A mark is swallowed where everything is to be forgotten: then it was not the last thing that was under way.
async fn mark_arrives(from: &Shared, to: &Heard) -> bool {
    let mark = Forget::One(Cache::ApiKeys, Uuid::now_v7().to_string());
    from.forget(mark.clone());
    let mut arrived = Vec::new();
    eventually("the mark arrives", async || {
        arrived = to.take().1;
        arrived.contains(&mark) || arrived.contains(&Forget::Everything)
    })
    .await;
    arrived.contains(&mark)
}

fn published(server: &RedisServer) -> u64 {
    let statistics = server.ask("INFO commandstats");
    let line = statistics.lines().find(|line| line.starts_with("cmdstat_publish:")).unwrap_or_default();
    let calls = line.trim_start_matches("cmdstat_publish:calls=").split(',').next().unwrap_or_default();
    calls.parse().unwrap_or_default()
}

#[tokio::test]
async fn a_wake_up_reaches_the_others_and_many_are_few_messages() {
    let Some(server) = RedisServer::start().await else { return };
    let (nodes, heard) = two_nodes(&server).await;
    let before = published(&server);
    for _ in 0..10_000 {
        nodes[0].wake(Stage::Delivery);
        nodes[0].wake(Stage::Timers);
    }
    let mut stages = HashSet::new();
    eventually("the other one is woken", async || {
        stages.extend(heard[1].take().0);
        stages.len() == 2
    })
    .await;
    assert_eq!(stages, HashSet::from([Stage::Delivery, Stage::Timers]));
    assert!(heard[0].take().0.is_empty(), "who woke is not woken");
    let messages = published(&server) - before;
    assert!((1..=50).contains(&messages), "{messages} messages for 20,000 wake-ups");
}

#[tokio::test]
async fn alone_nothing_is_published() {
    let Some(server) = RedisServer::start().await else { return };
    let nodes = [node(&server.url(), "hoopoe", &Time::new())];
    acquainted(&nodes).await;
    for number in 0..1000 {
        nodes[0].wake(Stage::Flow);
        nodes[0].forget(Forget::One(Cache::Routes, number.to_string()));
        nodes[0].show(TENANT, "{}");
        tokio::task::yield_now().await;
    }
    nodes.into_iter().next().unwrap().stop().await;
    let messages = published(&server);
    assert!(messages <= 3, "{messages} messages, where it only greets");
}

#[tokio::test]
async fn a_new_node_is_told_everything() {
    let Some(server) = RedisServer::start().await else { return };
    let time = Time::new();
    let old = node(&server.url(), "hoopoe", &time);
    let heard_by_old = Heard::on(&old);
    acquainted(std::slice::from_ref(&old)).await;
    heard_by_old.everything().await;
    // Nobody is there to hear it.
    old.wake(Stage::Calls);
    let new = node(&server.url(), "hoopoe", &time);
    let heard = Heard::on(&new);
    let nodes = [old, new];
    acquainted(&nodes).await;
    let (mut calls, mut everything) = (0, 0);
    eventually("it is woken by its own connection, and by the old node", async || {
        let (stages, forgets) = std::mem::take(&mut *heard.0.lock().unwrap());
        calls += stages.iter().filter(|stage| **stage == Stage::Calls).count();
        everything += forgets.iter().filter(|forget| **forget == Forget::Everything).count();
        calls >= 2 && everything >= 2
    })
    .await;
}

#[tokio::test]
async fn what_changed_is_forgotten_here_at_once_and_elsewhere_soon() {
    let alone = Shared::alone(Time::new().clock());
    let heard = Heard::on(&alone);
    let number = Forget::One(Cache::Routes, "106540352242922".to_owned());
    alone.forget(number.clone());
    assert_eq!(heard.take().1, std::slice::from_ref(&number));

    let Some(server) = RedisServer::start().await else { return };
    let (nodes, heard) = two_nodes(&server).await;
    nodes[0].forget(number.clone());
    assert_eq!(heard[0].take().1, std::slice::from_ref(&number));
    eventually("the other one forgets", async || heard[1].take().1 == std::slice::from_ref(&number)).await;
}

#[tokio::test]
async fn after_a_lost_connection_everything_is_forgotten_and_what_was_not_told_is_told() {
    let Some(mut server) = RedisServer::start().await else { return };
    let (nodes, heard) = two_nodes(&server).await;
    server.stop().await;
    let mark = Forget::One(Cache::Templates, "of the dark time".to_owned());
    nodes[0].forget(mark.clone());
    server.restart().await;
    acquainted(&nodes).await;
    for heard in &heard {
        heard.everything().await;
    }
    // Frozen, the connection does not say that it is dead.
    quiet(&server, &nodes, &heard).await;
    server.freeze();
    eventually("it is noticed", async || nodes.iter().all(|node| node.redis() == Some(hoopoe_shared::Redis::Away)))
        .await;
    nodes[0].wake(Stage::Flow);
    server.thaw();
    eventually("the wake-up was kept", async || heard[1].take().0.contains(&Stage::Flow)).await;
}

#[tokio::test]
async fn live_events_are_seen_on_every_node_by_who_watches() {
    let alone = Shared::alone(Time::new().clock());
    alone.show(TENANT, "{\"nobody\":\"watches\"}");
    let mut watch = alone.watch(TENANT);
    alone.show(Uuid::from_u128(2), "{\"of\":\"another\"}");
    alone.show(TENANT, "{\"a\":1}");
    assert_eq!(watch.next().await, Seen::Event("{\"a\":1}".into()));
    for number in 0..300 {
        alone.show(TENANT, number.to_string());
    }
    let Seen::Missed(missed) = watch.next().await else { panic!("it was too slow") };
    assert_eq!(watch.next().await, Seen::Event(missed.to_string().into()));

    let Some(server) = RedisServer::start().await else { return };
    let (nodes, _) = two_nodes(&server).await;
    let channel = format!("hoopoe:live:{}", TENANT.simple());
    let subscribers = || server.ask(&format!("PUBSUB NUMSUB {channel}")).rsplit(':').next().unwrap().trim().to_owned();
    // Nobody watches, which the first node remembers.
    nodes[0].show(TENANT, "{}");
    let mut watches = [nodes[1].watch(TENANT), nodes[1].watch(TENANT)];
    eventually("it is subscribed, once", async || subscribers() == "1").await;
    let mut shown = 0;
    for watch in &mut watches {
        let seen = tokio::select! {
            seen = watch.next() => seen,
            () = async {
                loop {
                    nodes[0].show(TENANT, format!("{{\"number\":{shown}}}"));
                    shown += 1;
                    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                }
            } => unreachable!(),
        };
        let Seen::Event(json) = seen else { panic!("{seen:?}") };
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert!(json["number"].is_u64());
    }
    drop(watches);
    eventually("it is not subscribed any more", async || subscribers() == "0").await;
}
