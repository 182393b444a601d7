//! Secrets are not shown again, and are nowhere in the database in clear.

use hoopoe_testing::{MASTER_KEY, World};
use sqlx::AssertSqlSafe;

const TOKEN: &str = "EAAGm0PX4ZCpsBAKZBsecretZAtoken";

#[tokio::test]
async fn tokens_and_keys_are_not_in_clear_anywhere() {
    let world = World::start().await;
    let tenant = world.api.register("Acme", "106540352242922", TOKEN).await;
    world.says(&tenant, "16505551234", "hello").await;
    let sent = world.api.send(&tenant, "+16505551234", "Hello").await;
    world.idle().await;
    assert!(world.sim.accepted().iter().all(|message| message.token == TOKEN), "Meta is given the token itself");
    assert_eq!(world.sim.accepted_count(), 2);

    for path in ["", "/messages", &format!("/messages/{sent}")] {
        for key in [MASTER_KEY, &tenant.key] {
            let (status, answer) = world.api.get(&format!("/tenants/{}{path}", tenant.id), key).await;
            assert_eq!(status, 200, "{path}");
            let answer = answer.to_string();
            assert!(!answer.contains(TOKEN) && !answer.contains(&tenant.key), "{path}: {answer}");
        }
    }

    let all = everything(&world).await;
    // The scan sees texts, JSON and the hex digits of bytes.
    let sealed: Vec<u8> =
        sqlx::query_scalar("select token_sealed from channels").fetch_one(&world.db.pool).await.unwrap();
    for visible in ["106540352242922", "thanks for reaching us", &hex(&sealed)] {
        assert!(all.contains(visible), "the scan does not see {visible:?}");
    }
    for secret in [TOKEN, &TOKEN[4..], MASTER_KEY, &tenant.key, &tenant.key[11..]] {
        assert!(!all.contains(secret), "{secret} is in the database");
        assert!(!all.contains(&hex(secret.as_bytes())), "the bytes of {secret} are in the database");
    }
    world.end().await;
}

/// All columns of all rows of all tables, as Postgres writes them.
pub async fn everything(world: &World) -> String {
    let tables = "select tablename::text from pg_tables where schemaname = 'public' order by 1";
    let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&world.db.pool).await.unwrap();
    assert!(tables.len() > 10, "{tables:?}");
    let mut all = String::new();
    for table in tables {
        let rows = format!("select coalesce(string_agg(t::text, ' '), '') from {table} t");
        let rows: String = sqlx::query_scalar(AssertSqlSafe(rows)).fetch_one(&world.db.pool).await.unwrap();
        all.push_str(&rows);
    }
    all
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
