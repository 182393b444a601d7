//! Cleaning up on a real Postgres, beside a query that keeps it from being done.

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
         select gen_random_uuid(), gen_random_uuid(), 0, now(), 0 from generate_series(1, 25000)",
        "delete from lanes",
    ] {
        db.execute(statement).await;
    }
    eventually("what is gone is counted", async || {
        db.execute("select pg_stat_force_next_flush()").await;
        store.dead_rows().await.unwrap() >= WORTH
    })
    .await;
}

#[tokio::test]
async fn tables_are_cleaned_up_as_soon_as_a_long_query_has_ended() {
    let db = Database::create().await;
    let settings =
        Settings { url: db.url.clone(), connections: 3, writers: 1, acquire_timeout: Duration::from_secs(10) };
    let store = Store::connect(&settings, Ambient::system()).unwrap();
    let mut query = PgConnection::connect(&db.url).await.unwrap();
    for statement in ["begin isolation level repeatable read", "select count(*) from messages"] {
        sqlx::query(statement).execute(&mut query).await.unwrap();
    }
    make_dead_rows(&db, &store).await;
    let kept = clean_up(&store, &Kept::Nothing).await.unwrap().unwrap();
    assert!(matches!(kept, Kept::Seen { .. }), "{kept:?}");
    assert!(clean_up(&store, &kept).await.unwrap().is_none(), "the query is open still");

    query.close().await.unwrap();
    // Its process takes a moment to end.
    eventually("it is cleaned up", async || clean_up(&store, &kept).await.unwrap().is_some()).await;
    eventually("nothing is left", async || {
        let kept = clean_up(&store, &Kept::Nothing).await.unwrap();
        matches!(kept, Some(Kept::Nothing)) && store.dead_rows().await.unwrap() < WORTH
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
        let Kept::Unknown { pause, .. } = &kept else { panic!("{kept:?}") };
        pauses.push(pause.as_secs());
    }
    assert_eq!(pauses, [10, 20, 40, 80, 160, 300, 300, 300]);
}
