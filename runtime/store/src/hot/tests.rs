#![allow(clippy::unwrap_used)]

use std::str::FromStr;

use hoopoe_testing::Database;
use sqlx::postgres::PgSslMode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

struct Ground {
    hot: Hot,
    db: Database,
}

impl Ground {
    async fn new(most: u32) -> Self {
        let db = Database::create().await;
        let options = PgConnectOptions::from_str(&db.url).unwrap();
        Self { hot: Hot::new(options, most, Duration::from_millis(500)), db }
    }

    /// The process of a connection that does nothing else.
    async fn process(&self) -> i32 {
        let mut unit = self.hot.statements().await.unwrap();
        let process = process(&mut unit).await;
        unit.commit().await.unwrap();
        process
    }
}

async fn process(db: &mut PgConnection) -> i32 {
    sqlx::query_scalar("select pg_backend_pid()").fetch_one(db).await.unwrap()
}

/// Seconds that everybody has waited for a connection so far, by the metrics.
fn waited() -> f64 {
    let text = metrics().text();
    let sum = "hoopoe_database_acquire_seconds_sum{pool=\"hot\"} ";
    text.lines().find_map(|line| line.strip_prefix(sum)).unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_one_that_came_back_last_goes_out_first() {
    let ground = Ground::new(4).await;
    assert_eq!(ground.hot.connections(), (0, 0, 4), "none is opened ahead");
    let (mut one, mut other) = (ground.hot.statements().await.unwrap(), ground.hot.statements().await.unwrap());
    let last = process(&mut one).await;
    assert_ne!(process(&mut other).await, last);
    other.commit().await.unwrap();
    one.commit().await.unwrap();
    for _ in 0..5 {
        assert_eq!(ground.process().await, last);
    }
    assert_eq!(ground.hot.connections(), (2, 2, 4));
}

#[tokio::test]
async fn what_is_dropped_is_rolled_back_and_what_is_committed_is_there() {
    let ground = Ground::new(1).await;
    let before = ground.process().await;
    for (commits, expected) in [(false, 0), (true, 1)] {
        let mut unit = ground.hot.transaction().await.unwrap();
        let insert = "insert into unrouted_items (route, field, reason, raw, digest, received_at)
                      values ('1', 'messages', 'nobody', '{}', 'd', now())";
        sqlx::raw_sql(insert).execute(&mut *unit).await.unwrap();
        if commits {
            unit.commit().await.unwrap();
        } else {
            drop(unit);
        }
        assert_eq!(ground.process().await, before, "it is the same connection");
        assert_eq!(ground.db.count("select count(*) from unrouted_items").await, expected);
    }
}

#[tokio::test]
async fn a_failure_or_a_statement_that_is_cut_off_leaves_a_good_connection() {
    let ground = Ground::new(1).await;
    let before = ground.process().await;
    let mut unit = ground.hot.transaction().await.unwrap();
    assert!(sqlx::raw_sql("select 1 / 0").execute(&mut *unit).await.is_err());
    drop(unit);
    assert_eq!(ground.process().await, before);
    let mut unit = ground.hot.statements().await.unwrap();
    let slow = sqlx::raw_sql("select pg_sleep(0.2)").execute(&mut *unit);
    assert!(tokio::time::timeout(Duration::from_millis(50), slow).await.is_err());
    drop(unit);
    assert_eq!(ground.process().await, before);
}

#[tokio::test]
async fn a_connection_that_the_server_has_ended_is_replaced() {
    let ground = Ground::new(1).await;
    let before = ground.process().await;
    sqlx::query("select pg_terminate_backend($1)").bind(before).execute(&ground.db.pool).await.unwrap();
    tokio::time::sleep(UNTRIED).await;
    assert_ne!(ground.process().await, before);
    assert_eq!(ground.hot.connections(), (1, 1, 1));
}

#[tokio::test]
async fn nobody_waits_for_ever() {
    let ground = Ground::new(1).await;
    let unit = ground.hot.statements().await.unwrap();
    let before = waited();
    assert!(matches!(ground.hot.statements().await.map(drop), Err(sqlx::Error::PoolTimedOut)));
    assert!(waited() - before > 0.4, "a wait in vain is observed as well");
    let closing = tokio::spawn({
        let hot = ground.hot.clone();
        async move { hot.close().await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!closing.is_finished(), "somebody has one");
    unit.commit().await.unwrap();
    closing.await.unwrap();
    assert!(matches!(ground.hot.statements().await.map(drop), Err(sqlx::Error::PoolClosed)));
    assert_eq!(ground.hot.connections(), (0, 0, 1));
}

#[tokio::test]
async fn a_server_that_is_coming_up_is_waited_for() {
    let (db, port) = (Database::create().await, TcpListener::bind("127.0.0.1:0").await.unwrap());
    let address = port.local_addr().unwrap();
    drop(port);
    let options = PgConnectOptions::from_str(&db.url).unwrap().host("127.0.0.1").port(address.port());
    let hot = Hot::new(options, 1, Duration::from_millis(200));
    let refused = hot.statements().await.map(drop).unwrap_err();
    assert!(refused.to_string().contains("refused"), "who waited in vain hears why: {refused}");
    let hot = Hot::new(hot.0.options.clone(), 1, Duration::from_secs(30));
    let waiting = tokio::spawn(async move { hot.statements().await.map(drop) });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let server = TcpListener::bind(address).await.unwrap();
    let (mut client, _) = server.accept().await.unwrap();
    let target = PgConnectOptions::from_str(&db.url).unwrap();
    let mut database = TcpStream::connect((target.get_host(), target.get_port())).await.unwrap();
    tokio::spawn(async move { tokio::io::copy_bidirectional(&mut client, &mut database).await });
    waiting.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_server_without_room_says_so_itself() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options = PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(server.local_addr().unwrap().port());
    let hot = Hot::new(options.username("u").ssl_mode(PgSslMode::Disable), 1, Duration::from_millis(200));
    tokio::spawn(async move {
        while let Ok((mut client, _)) = server.accept().await {
            let fields = b"SFATAL\0VFATAL\0C53300\0Msorry, too many clients already\0\0";
            let length = u32::try_from(fields.len() + 4).unwrap();
            let answer = [b"E".as_slice(), &length.to_be_bytes(), fields].concat();
            let mut startup = [0; 1024];
            let _ = client.read(&mut startup).await;
            let _ = client.write_all(&answer).await;
        }
    });
    let refused = hot.statements().await.map(drop).unwrap_err();
    assert!(refused.to_string().contains("too many clients already"), "{refused}");
}
