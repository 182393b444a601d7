//! Cleaning up on a real Postgres, also beside a query that keeps it from being done.

#![allow(clippy::unwrap_used)]

use hoopoe_store::Settings;
use hoopoe_store::ambient::Ambient;
use hoopoe_testing::{Database, eventually};
use sqlx::{Connection, PgConnection};

use super::*;

/// Makes lanes that are worth it and removes them.
async fn make_dead_rows(db: &Database, store: &Store) {
    for statement in [
        "insert into lanes (tenant_id, contact_id, stage, ready_at, done_event)
         select gen_random_uuid(), gen_random_uuid(), 0, now(), 0 from generate_series(1, 50000)",
        "delete from lanes",
    ] {
        db.execute(statement).await;
    }
    eventually("what is gone is counted", async || {
        db.execute("select pg_stat_force_next_flush()").await;
        store.dead_rows().await.unwrap() >= WORTH_A_STOP
    })
    .await;
}

#[tokio::test]
async fn beside_a_long_query_what_is_gone_is_left_behind_and_after_it_cleaned_up() {
    let db = Database::create().await;
    let settings =
        Settings { url: db.url.clone(), connections: 3, writers: 1, acquire_timeout: Duration::from_secs(10) };
    let store = Store::connect(&settings, Ambient::system()).unwrap();
    let mut query = PgConnection::connect(&db.url).await.unwrap();
    for statement in ["begin isolation level repeatable read", "select count(*) from messages"] {
        sqlx::query(statement).execute(&mut query).await.unwrap();
    }
    make_dead_rows(&db, &store).await;
    let mut before = Before::default();
    clean_up(&store, &mut before).await.unwrap();
    assert!(matches!(before.kept, Kept::Seen { .. }), "{before:?}");
    assert!(store.dead_rows().await.unwrap() >= WORTH_A_STOP, "it may be over at the next look");
    clean_up(&store, &mut before).await.unwrap();
    assert!(before.rewrite.is_none(), "what is gone was left behind: {before:?}");
    eventually("nothing is left", async || store.dead_rows().await.unwrap() < WORTH).await;

    // Somebody looks into the lanes as well.
    let mut reader = PgConnection::connect(&db.url).await.unwrap();
    sqlx::raw_sql("begin; select count(*) from lanes").execute(&mut reader).await.unwrap();
    make_dead_rows(&db, &store).await;
    clean_up(&store, &mut before).await.unwrap();
    assert!(before.rewrite.is_some_and(|later| !later.is_due()), "tried later: {before:?}");
    clean_up(&store, &mut before).await.unwrap();
    assert!(store.dead_rows().await.unwrap() >= WORTH_A_STOP, "nothing can be done");

    reader.close().await.unwrap();
    query.close().await.unwrap();
    // Their processes take a moment to end.
    eventually("it is cleaned up", async || {
        clean_up(&store, &mut before).await.unwrap();
        store.dead_rows().await.unwrap() < WORTH
    })
    .await;
    store.close().await;
}

#[tokio::test]
async fn what_nobody_is_known_to_keep_is_tried_less_and_less() {
    let mut kept = Kept::Nothing;
    let mut pauses = Vec::new();
    for _ in 0..8 {
        kept = Kept::unknown(&kept);
        let Kept::Unknown(later) = &kept else { panic!("{kept:?}") };
        pauses.push(later.pause.as_secs());
    }
    assert_eq!(pauses, [10, 20, 40, 80, 160, 300, 300, 300]);
}
