//! No row of one tenant can refer to another's: the schema itself forbids it. And no query reads or writes a tenant's
//! rows without naming the tenant, but for a few that find out whose something is, or whose turn it is.

use std::collections::HashSet;

use hoopoe_testing::Database;

use crate::queries::descriptions;
use crate::ties::{Ties, ties};

/// Tables that no tenant owns.
const COMMON: [&str; 3] = ["_sqlx_migrations", "tenants", "unrouted_items"];

/// Each table with the columns of its primary key, in the key's order.
const KEYS: &str = "
    select c.relname::text,
           coalesce((select array_agg(a.attname::text order by k.place)
                     from pg_constraint p
                     cross join unnest(p.conkey) with ordinality as k (attnum, place)
                     join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum
                     where p.conrelid = c.oid and p.contype = 'p'), '{}')
    from pg_class c
    where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace
    order by 1";

/// Each foreign key: its table, the table it refers to, and the pairs of columns.
const REFERENCES: &str = "
    select f.conrelid::regclass::text, f.confrelid::regclass::text,
           array_agg(a.attname::text order by k.place), array_agg(b.attname::text order by k.place)
    from pg_constraint f
    cross join unnest(f.conkey, f.confkey) with ordinality as k (mine, theirs, place)
    join pg_attribute a on a.attrelid = f.conrelid and a.attnum = k.mine
    join pg_attribute b on b.attrelid = f.confrelid and b.attnum = k.theirs
    where f.contype = 'f'
    group by f.oid, f.conrelid, f.confrelid
    order by 1, 2";

#[tokio::test]
async fn every_key_begins_with_the_tenant() {
    let db = Database::create().await;
    let keys: Vec<(String, Vec<String>)> = sqlx::query_as(KEYS).fetch_all(&db.pool).await.unwrap();
    let owned: Vec<_> = keys.iter().filter(|(table, _)| !COMMON.contains(&table.as_str())).collect();
    assert_eq!(keys.len() - owned.len(), COMMON.len(), "a table without owner is gone: {keys:?}");
    assert!(owned.len() >= 10, "{owned:?}");
    for (table, key) in owned {
        let first = key.first().map(String::as_str);
        assert_eq!(first, Some("tenant_id"), "{table}: its primary key is ({})", key.join(", "));
    }
}

#[tokio::test]
async fn every_reference_stays_within_the_tenant() {
    let db = Database::create().await;
    let references: Vec<(String, String, Vec<String>, Vec<String>)> =
        sqlx::query_as(REFERENCES).fetch_all(&db.pool).await.unwrap();
    let mut within = 0;
    for (table, other, mine, theirs) in references {
        let label = format!("{table} ({}) to {other} ({})", mine.join(", "), theirs.join(", "));
        assert_eq!(mine.first().map(String::as_str), Some("tenant_id"), "{label}");
        let expected = if COMMON.contains(&other.as_str()) { "id" } else { "tenant_id" };
        assert_eq!(theirs.first().map(String::as_str), Some(expected), "{label}");
        within += usize::from(expected == "tenant_id");
    }
    assert!(within >= 5, "{within} references between tables of a tenant");
}

#[tokio::test]
async fn every_tenant_column_is_filled() {
    let db = Database::create().await;
    let query = "select table_name::text, is_nullable::text, data_type::text from information_schema.columns
                 where table_schema = 'public' and column_name = 'tenant_id' order by 1";
    let columns: Vec<(String, String, String)> = sqlx::query_as(query).fetch_all(&db.pool).await.unwrap();
    for (table, nullable, kind) in columns {
        assert_eq!((nullable.as_str(), kind.as_str()), ("NO", "uuid"), "{table}");
    }
}

/// The beginnings of the queries that look across tenants, each with the number of queries that begin so, and its
/// reason. Another query that begins so is not excused by it.
const ACROSS: [(&str, usize, &str); 22] = [
    ("select tenant_id from api_keys where sha256 =", 1, "whose key it is"),
    ("select k.place as \"place!\", c.tenant_id as \"tenant_id!\", c.id as \"id!\",", 1, "whose number it is"),
    ("with recursive tenants (id) as (", 4, "whose turn it is, and when the next is"),
    ("select stage as \"stage!\", priority", 1, "how many lanes wait"),
    ("with over as (", 1, "lanes whose owners are gone"),
    ("do $$", 2, "what waits in the queue, when its tables are filled anew"),
    ("with ready as (", 1, "the claim of lanes, of tenants whose turn it is"),
    ("select due_at from timers order by due_at", 1, "when the next timer is due"),
    ("select tenant_id, contact_id, conversation_id, name, id from timers where due_at", 1, "timers that are due"),
    ("select send_at from scheduled order by send_at", 1, "when the next scheduled message is due"),
    ("select tenant_id, id from http_calls where ready_at", 1, "the claim of HTTP calls"),
    ("select ready_at from http_calls", 1, "when the next HTTP call is ready"),
    ("with recursive endpoints (tenant_id, id) as (", 2, "the claim of notices, and when the next is ready"),
    ("select tenant_id, id from media", 1, "the claim of files to fetch"),
    ("select ready_at from media", 1, "when the next file is ready"),
    ("select min(first.ready_at)\n", 1, "since when a notice waits"),
    ("select tenant_id, types from webhooks where disabled_at", 1, "which tenants have webhooks"),
    ("with unchecked as (", 1, "tokens whose check is due"),
    ("insert into channel_tokens (tenant_id, channel_id, check_at)\n", 1, "channels whose tokens nobody checks yet"),
    ("select tenant_id from channels where phone_number_id", 1, "whose number it is that signs up"),
    ("select tenant_id, waba_id, code_sha256, makes_tenant, lease_until, pin_sealed", 1, "whose signup it is"),
    ("select tenant_id, webhook_key, app_id, secret_sealed", 2, "whose webhook it is"),
];

#[tokio::test]
async fn every_query_names_the_tenant() {
    let db = Database::create().await;
    let owned: HashSet<String> = sqlx::query_scalar(
        "select table_name::text from information_schema.columns
         where table_schema = 'public' and column_name = 'tenant_id'",
    )
    .fetch_all(&db.pool)
    .await
    .unwrap()
    .into_iter()
    .collect();
    let (mut checked, mut across) = (0, [0; ACROSS.len()]);
    for (file, description) in descriptions() {
        let query = description["query"].as_str().unwrap().trim_start();
        if let Some(place) = ACROSS.iter().position(|(beginning, ..)| query.starts_with(beginning)) {
            across[place] += 1;
            continue;
        }
        let Ties { uses, untied } = ties(query, &owned);
        assert!(untied.is_empty(), "{file} does not tie {} to a tenant:\n{query}", untied.join(", "));
        checked += usize::from(uses > 0);
    }
    assert!(checked >= 200, "{checked} queries");
    for ((beginning, expected, reason), found) in ACROSS.into_iter().zip(across) {
        assert_eq!(found, expected, "queries that begin with {beginning:?} ({reason})");
    }
}
