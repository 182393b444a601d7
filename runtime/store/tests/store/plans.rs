//! How statements find their rows when they were planned while the tables were small. Postgres keeps such a plan, and a
//! burst can make a table a thousand times larger before it plans anew: what then read the whole table, because it had one
//! row, would read a hundred thousand for each row that it wants.

use std::str::FromStr;

use serde_json::Value;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Row};

use crate::ground::Ground;
use crate::queries::descriptions;

/// Tables that grow, and what a look into them has to name at the least: one of these.
const TABLES: [(&str, &[&str]); 8] = [
    ("lanes", &["contact_id", "(stage)::integer"]),
    ("outbox", &["contact_id"]),
    ("messages", &["id ", "idempotency_key", "dead_at"]),
    ("events", &["id ", "contact_id", "external_id"]),
    ("contacts", &["id ", "wa_id", "user_id"]),
    ("conversations", &["id ", "contact_id"]),
    ("flow_runs", &["event_id", "at "]),
    ("message_statuses", &["message_id"]),
];

/// What reads more of a table on purpose, by its beginning, and why.
const WIDE: [(&str, &str); 7] = [
    ("select stage as \"stage!\", priority", "counts lanes, up to a limit"),
    ("with waiting as (", "a number works again: all of the tenant's lanes are looked at"),
    ("update lanes set ready_at = $3", "a flow is in charge again: all of the tenant's lanes are made ready"),
    ("select contact_id from lanes where tenant_id = $1 and stage", "the same, locked"),
    ("delete from flow_runs r using lanes l, events e", "a merge of two contacts, which is seldom"),
    ("delete from flow_runs where tenant_id = $1 and ctid", "the oldest of a tenant, up to a limit, each ten minutes"),
    ("select c.id as conversation_id, coalesce(c.state_plugin", "the latest runs of a tenant, up to a limit"),
];

#[tokio::test]
async fn no_plan_of_a_small_table_reads_all_of_a_large_one() {
    let ground = Ground::new().await;
    let options = PgConnectOptions::from_str(&ground.db.url).unwrap().options(hoopoe_store::PLANNED);
    let mut db = options.connect().await.unwrap();
    // One row, or none: that is what Postgres knows then.
    for (table, _) in TABLES {
        sqlx::query(AssertSqlSafe(format!("vacuum analyze {table}"))).execute(&mut db).await.unwrap();
    }
    let mut bad = Vec::new();
    for (_, description) in descriptions() {
        let query = description["query"].as_str().unwrap();
        let parameters = description["describe"]["parameters"]["Left"].as_array().map_or(0, Vec::len);
        let is_wide = |(beginning, _): &(&str, &str)| query.trim_start().starts_with(beginning);
        if query.trim_start().starts_with("vacuum") || WIDE.iter().any(is_wide) {
            continue;
        }
        sqlx::raw_sql(AssertSqlSafe(format!("prepare looked_at as {query}"))).execute(&mut db).await.unwrap();
        let given = if parameters == 0 { String::new() } else { format!("({})", vec!["null"; parameters].join(", ")) };
        let explain = format!("explain (format json) execute looked_at{given}");
        let plan = sqlx::raw_sql(AssertSqlSafe(explain)).fetch_one(&mut db).await.unwrap();
        let plan: Value = plan.try_get(0).unwrap();
        let mut scans = Vec::new();
        walk(&plan[0]["Plan"], &mut scans);
        for scan in scans {
            bad.push(format!("{scan}\n    {}", query.split_whitespace().collect::<Vec<_>>().join(" ")));
        }
        sqlx::raw_sql("deallocate looked_at").execute(&mut db).await.unwrap();
    }
    assert!(bad.is_empty(), "{} scans:\n{}", bad.len(), bad.join("\n"));
}

/// Adds the scans that name too little.
fn walk(node: &Value, bad: &mut Vec<String>) {
    let text = |name: &str| node[name].as_str().unwrap_or_default();
    let is_scan = text("Node Type").contains("Scan");
    let table = TABLES.iter().find(|(table, _)| is_scan && *table == text("Relation Name"));
    if let Some((table, columns)) = table
        && !columns.iter().any(|column| text("Index Cond").contains(column))
    {
        bad.push(format!("{} on {table} by {} ({})", text("Node Type"), text("Index Name"), text("Index Cond")));
    }
    node["Plans"].as_array().into_iter().flatten().for_each(|child| walk(child, bad));
}
