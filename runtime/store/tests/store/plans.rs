//! How statements find their rows by plans that were made a while ago. Postgres keeps a plan until the table's size is told
//! anew, and a burst makes the queue's tables a thousand times larger in between: what then read the whole table, because
//! it had one row, would read a hundred thousand for each row that it wants. So the queue's tables are nearly empty here.
//! Those of the history only grow, and their sizes are told anew when they have doubled (`upkeep`): they have some rows.

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
    ("messages", &["id", "idempotency_key", "wa_message_id", "dead_at"]),
    ("events", &["id", "contact_id", "external_id"]),
    ("contacts", &["id", "wa_id", "user_id"]),
    ("conversations", &["id", "contact_id", "merged_contact_id"]),
    ("flow_runs", &["event_id", "at"]),
    ("message_statuses", &["message_id"]),
];

/// An index whose first column all that waits shares: a look names the next one too, or wants the first row alone.
const SHARED: (&str, &str) = ("lanes_waiting", "tenant_id");

/// Indexes of few rows.
const FEW: [&str; 2] = ["messages_dead", "conversations_handed_off"];

/// A tenant's history.
const HISTORY: &str = "
    insert into contacts (tenant_id, id, wa_id, user_id, created_at)
        select t.id, gen_random_uuid(), n, n, now() from tenants t, generate_series(1, 2000) as n;
    insert into conversations (tenant_id, id, channel_id, contact_id, created_at)
        select ct.tenant_id, gen_random_uuid(), ch.id, ct.id, now() from contacts ct, channels ch;
    insert into events (tenant_id, channel_id, conversation_id, contact_id, kind, external_id, raw, occurred_at, received_at)
        select tenant_id, channel_id, id, contact_id, 'message', id::text, '{}', now(), now() from conversations;
    insert into flow_runs (tenant_id, event_id, attempt, plugin, digest, result, actions, fuel, micros, memory_bytes,
                           conversation_id, at)
        select tenant_id, id, 1, 'p@1', '', 'done', 0, 0, 0, 0, conversation_id, now() from events;
    insert into messages (tenant_id, id, conversation_id, direction, status, kind, wa_message_id, event_id, created_at,
                          updated_at)
        select tenant_id, gen_random_uuid(), conversation_id, 'OUT', 'sent', 'text', external_id, id, now(), now() from events;
    insert into message_statuses (tenant_id, message_id, status, occurred_at, recorded_at)
        select tenant_id, id, 'sent', now(), now() from messages;";

/// What reads more of a table on purpose, by its beginning, and why.
const WIDE: [(&str, &str); 8] = [
    ("select stage as \"stage!\", priority", "counts lanes, up to a limit"),
    ("select l.contact_id from lanes l", "a number works again: all of the tenant's lanes are looked at, and locked"),
    ("update lanes set ready_at = $3", "a flow is in charge again: all of the tenant's lanes are made ready"),
    ("select contact_id from lanes where tenant_id = $1 and stage", "the same, locked"),
    ("delete from flow_runs r using lanes l, events e", "a merge of two contacts, which is seldom"),
    ("delete from flow_runs where tenant_id = $1 and ctid", "the oldest of a tenant, up to a limit, each ten minutes"),
    ("select cv.id, cv.channel_id, cv.contact_id", "a page of a tenant's conversations, in the order of their keys"),
    ("select c.id as conversation_id, coalesce(c.state_plugin", "the latest runs of a tenant, up to a limit"),
];

#[tokio::test]
async fn no_plan_reads_all_of_a_table_that_has_grown_since() {
    let ground = Ground::new().await;
    let options = PgConnectOptions::from_str(&ground.db.url).unwrap().options(hoopoe_store::PLANNED);
    let mut db = options.connect().await.unwrap();
    sqlx::raw_sql(HISTORY).execute(&mut db).await.unwrap();
    for (table, _) in TABLES {
        sqlx::query(AssertSqlSafe(format!("vacuum analyze {table}"))).execute(&mut db).await.unwrap();
    }
    let mut bad = Vec::new();
    for (_, description) in descriptions() {
        let query = description["query"].as_str().unwrap();
        let parameters = description["describe"]["parameters"]["Left"].as_array().map_or(0, Vec::len);
        let is_wide = |(beginning, _): &(&str, &str)| query.trim_start().starts_with(beginning);
        if ["vacuum", "analyze", "do $$"].iter().any(|word| query.trim_start().starts_with(word))
            || WIDE.iter().any(is_wide)
        {
            continue;
        }
        sqlx::raw_sql(AssertSqlSafe(format!("prepare looked_at as {query}"))).execute(&mut db).await.unwrap();
        let given = if parameters == 0 { String::new() } else { format!("({})", vec!["null"; parameters].join(", ")) };
        let explain = format!("explain (format json) execute looked_at{given}");
        let plan = sqlx::raw_sql(AssertSqlSafe(explain)).fetch_one(&mut db).await.unwrap();
        let plan: Value = plan.try_get(0).unwrap();
        let mut scans = Vec::new();
        walk(&plan[0]["Plan"], false, &mut scans);
        for scan in scans {
            bad.push(format!("{scan}\n    {}", query.split_whitespace().collect::<Vec<_>>().join(" ")));
        }
        sqlx::raw_sql("deallocate looked_at").execute(&mut db).await.unwrap();
    }
    assert!(bad.is_empty(), "{} scans:\n{}", bad.len(), bad.join("\n"));
}

/// Adds the scans that name too little. `limited`: what is above it stops it.
fn walk(node: &Value, limited: bool, bad: &mut Vec<String>) {
    let text = |name: &str| node[name].as_str().unwrap_or_default();
    let is_scan = text("Node Type").contains("Scan");
    let table = TABLES.iter().find(|(table, _)| is_scan && *table == text("Relation Name"));
    // What stands on the left of each comparison.
    let named: Vec<&str> = text("Index Cond").split(" AND ").filter_map(|one| one.split_whitespace().next()).collect();
    let names = |column: &&str| named.iter().any(|one| one.trim_start_matches('(') == column.trim_start_matches('('));
    if let Some((table, columns)) = table
        && (!columns.iter().any(names) || text("Index Name") == SHARED.0 && !limited && !names(&SHARED.1))
        && !FEW.contains(&text("Index Name"))
    {
        bad.push(format!("{} on {table} by {} ({})", text("Node Type"), text("Index Name"), text("Index Cond")));
    }
    // Read whole before the first row is looked at, whatever the rows name.
    if ["Filter", "Join Filter"].iter().any(|filter| text(filter).contains("hashed SubPlan")) {
        bad.push(format!("{} by a table of hashes", text("Node Type")));
    }
    node["Plans"].as_array().into_iter().flatten().for_each(|child| {
        // What is computed for each row beside it is not what the limit stops.
        let stops = text("Node Type") == "Limit" && child["Parent Relationship"] == "Outer";
        walk(child, stops, bad);
    });
}
