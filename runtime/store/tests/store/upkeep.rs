//! The queue's tables are cleaned up while everybody works on, what somebody may still see is left behind, and plans follow the
//! tables that grow.

use hoopoe_testing::eventually;
use sqlx::Connection;

use crate::ground::Ground;

const ROWS: i64 = 3_000;

/// Makes lanes and removes them.
async fn make_dead_rows(ground: &Ground) {
    let mut db = ground.db.pool.acquire().await.unwrap();
    for statement in [
        "insert into lanes (tenant_id, contact_id, stage, ready_at, done_event)
         select gen_random_uuid(), gen_random_uuid(), 0, now(), 0 from generate_series(1, 3000)",
        "delete from lanes",
        "select pg_stat_force_next_flush()",
        "select 1",
    ] {
        sqlx::query(statement).execute(&mut *db).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_gone_is_cleaned_up_unless_somebody_may_see_it() {
    let ground = Ground::new().await;
    let store = ground.process();
    make_dead_rows(&ground).await;
    eventually("what is gone is counted", async || store.dead_rows().await.unwrap() >= ROWS).await;
    let is_clean = async || {
        store.clean_up().await.unwrap();
        store.dead_rows().await.unwrap() == 0
    };
    eventually("it is cleaned up", is_clean).await;

    let mut query = sqlx::PgConnection::connect(&ground.db.url).await.unwrap();
    for statement in ["begin isolation level repeatable read", "select count(*) from messages"] {
        sqlx::query(statement).execute(&mut query).await.unwrap();
    }
    make_dead_rows(&ground).await;
    eventually("what is gone is counted", async || store.dead_rows().await.unwrap() >= ROWS).await;
    let seen = store.oldest_seen().await.unwrap();
    store.clean_up().await.unwrap();
    assert!(store.dead_rows().await.unwrap() >= ROWS, "the open query may still look at it");
    assert!(seen.is_some());
    assert_eq!(store.oldest_seen().await.unwrap(), seen);
    query.close().await.unwrap();
    eventually("nobody looks at it", async || store.oldest_seen().await.unwrap() != seen).await;
    // Its process takes a moment to end.
    eventually("it is cleaned up", is_clean).await;
}

#[tokio::test]
async fn what_somebody_may_still_see_is_left_behind_with_all_that_waits_in_place() {
    let ground = Ground::new().await;
    let store = ground.process();
    let mut query = sqlx::PgConnection::connect(&ground.db.url).await.unwrap();
    for statement in ["begin isolation level repeatable read", "select count(*) from messages"] {
        sqlx::query(statement).execute(&mut query).await.unwrap();
    }
    let mut db = ground.db.pool.acquire().await.unwrap();
    for statement in [
        "insert into lanes select gen_random_uuid(), gen_random_uuid(), n % 2, now(), n, n, n from generate_series(1, 20000) as n",
        "insert into outbox (tenant_id, contact_id, message_id, channel_id)
         select gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), gen_random_uuid() from generate_series(1, 20000)",
        "delete from lanes where done_event > 100",
        "delete from outbox where position > 100",
    ] {
        sqlx::query(statement).execute(&mut *db).await.unwrap();
    }
    let waits = "select (select md5(string_agg(l::text, ' ' order by l.done_event)) from lanes l)
                     || (select md5(string_agg(o::text, ' ' order by o.position)) from outbox o)";
    let sizes = "select pg_table_size('lanes') + pg_table_size('outbox')";
    let before: String = sqlx::query_scalar(waits).fetch_one(&mut *db).await.unwrap();
    assert!(ground.db.count(sizes).await > 2_000_000);

    // Somebody looks into one of them: nobody waits for that for long, and nothing is done to it.
    sqlx::raw_sql("begin; select count(*) from lanes").execute(&mut *db).await.unwrap();
    let (begun, file) = (std::time::Instant::now(), "select pg_relation_filenode('lanes')::bigint");
    let former = ground.db.count(file).await;
    assert!(!store.rewrite().await.unwrap());
    assert!(begun.elapsed() < std::time::Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(ground.db.count(file).await, former);
    sqlx::query("rollback").execute(&mut *db).await.unwrap();

    assert!(store.rewrite().await.unwrap());
    assert_ne!(ground.db.count(file).await, former);
    assert!(ground.db.count(sizes).await < 200_000, "{} bytes", ground.db.count(sizes).await);
    assert_eq!(sqlx::query_scalar::<_, String>(waits).fetch_one(&mut *db).await.unwrap(), before);
    // What comes next has its place behind what waits.
    let next = "insert into outbox (tenant_id, contact_id, message_id, channel_id)
                values (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), gen_random_uuid()) returning position";
    assert_eq!(sqlx::query_scalar::<_, i64>(next).fetch_one(&mut *db).await.unwrap(), 20_001);
    query.close().await.unwrap();
}

#[tokio::test]
async fn what_waits_is_not_copied_when_it_is_much() {
    let ground = Ground::new().await;
    let store = ground.process();
    let file = "select pg_relation_filenode('lanes')::bigint";
    let former = ground.db.count(file).await;
    let lanes = "insert into lanes select gen_random_uuid(), gen_random_uuid(), 0, now(), 0, n from generate_series(1, 10001) as n";
    ground.db.execute(lanes).await;
    assert!(!store.rewrite().await.unwrap());
    assert_eq!((ground.db.count(file).await, ground.db.count("select count(*) from lanes").await), (former, 10_001));
    ground.db.execute("delete from lanes where done_event = 1").await;
    assert!(store.rewrite().await.unwrap());
    assert_ne!(ground.db.count(file).await, former);
    assert_eq!(ground.db.count("select count(*) from lanes").await, 10_000);
}

#[tokio::test]
async fn statements_are_planned_anew_when_a_table_has_doubled() {
    let ground = Ground::new().await;
    let store = ground.process();
    assert!(!store.plans_are_outgrown().await.unwrap(), "the tables are empty");
    for round in ["a", "b"] {
        let mut db = ground.db.pool.acquire().await.unwrap();
        let rows = "insert into contacts (tenant_id, id, wa_id, created_at)
                    select id, gen_random_uuid(), $1 || n, now() from tenants, generate_series(1, 500) as n";
        sqlx::query(rows).bind(round).execute(&mut *db).await.unwrap();
        sqlx::query("select pg_stat_force_next_flush()").execute(&mut *db).await.unwrap();
        drop(db);
        eventually("the table has grown", async || {
            sqlx::query("select 1").execute(&ground.db.pool).await.unwrap();
            let grown = "select n_live_tup from pg_stat_user_tables where relname = 'contacts'";
            ground.db.count(grown).await >= if round == "a" { 500 } else { 1000 }
        })
        .await;
        // The second time it has doubled, which is as much as is allowed.
        assert_eq!(store.plans_are_outgrown().await.unwrap(), round == "a", "{round}");
        store.plan_anew().await.unwrap();
        assert!(!store.plans_are_outgrown().await.unwrap());
    }
}
