//! Group commit on the real journal: many callers at once, in several processes.

use std::collections::HashMap;

use hoopoe_store::Error;
use hoopoe_store::journal::Kept;

use crate::ground::{Ground, journal};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_comes_at_once_and_often_is_stored_once() {
    const MESSAGES: usize = 150;
    const TIMES: usize = 4;
    let ground = Ground::new().await;
    // Two processes, as behind a load balancer; small batches, so that many transactions meet.
    let stores = [ground.process(), ground.process()];
    let journals = stores.each_ref().map(|store| journal(store, 16));
    let mut callers = Vec::new();
    for time in 0..TIMES {
        for n in 0..MESSAGES {
            // Ten contacts; every message comes to both processes, and to each of them twice.
            let arrival = ground.message(&format!("1650555{:04}", n % 10), &format!("wamid.{n}"));
            let journal = journals[time % 2].clone();
            callers.push(tokio::spawn(async move { (n, journal.write(arrival).await.unwrap()) }));
        }
    }
    let mut kept: HashMap<usize, Vec<Kept>> = HashMap::new();
    for caller in callers {
        let (n, what) = caller.await.unwrap();
        kept.entry(n).or_default().push(what);
    }
    for (n, kept) in &kept {
        let new = kept.iter().filter(|kept| **kept == Kept::New).count();
        assert_eq!((kept.len(), new), (TIMES, 1), "message {n}: {kept:?}");
    }
    for (what, query, expected) in [
        ("events", "select count(*) from events", 150),
        ("messages", "select count(*) from messages", 150),
        ("messages of events", "select count(distinct event_id) from messages", 150),
        ("contacts", "select count(*) from contacts", 10),
        ("conversations", "select count(*) from conversations", 10),
        ("lanes", "select count(*) from lanes where stage = 0", 10),
    ] {
        assert_eq!(ground.db.count(query).await, expected, "{what}");
    }
}

#[tokio::test]
async fn events_keep_the_order_of_arrival() {
    let ground = Ground::new().await;
    let store = ground.process();
    let journal = journal(&store, 16);
    let answers: Vec<_> = (0..100)
        .map(|n| journal.submit(ground.message(&format!("1650555{:04}", n % 3), &format!("{n:03}"))).unwrap())
        .collect();
    for answer in answers {
        assert_eq!(answer.committed().await.unwrap(), Kept::New);
    }
    let stored: Vec<String> =
        sqlx::query_scalar("select external_id from events order by id").fetch_all(&ground.db.pool).await.unwrap();
    assert!(stored.is_sorted() && stored.len() == 100, "{stored:?}");
}

#[tokio::test]
async fn what_the_database_refuses_costs_no_neighbour() {
    let ground = Ground::new().await;
    let store = ground.process();
    let journal = journal(&store, 256);
    let answers: Vec<_> = (0..60)
        .map(|n| {
            let raw = if n == 41 { "{ no JSON" } else { r#"{"type": "text"}"# };
            journal.submit(ground.message_with(&format!("1650555{n:04}"), &format!("wamid.{n}"), raw)).unwrap()
        })
        .collect();
    for (n, answer) in answers.into_iter().enumerate() {
        match answer.committed().await {
            Ok(kept) => assert_eq!((kept, n == 41), (Kept::New, false), "{n}"),
            Err(error) => assert!(n == 41 && matches!(error, Error::Refused(_)), "{n}: {error}"),
        }
    }
    assert_eq!(ground.db.count("select count(*) from events").await, 59);
    assert_eq!(ground.db.count("select count(*) from contacts").await, 59, "it leaves nothing behind");
}
