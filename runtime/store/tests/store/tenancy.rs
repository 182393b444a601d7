//! No row of one tenant can refer to another's: the schema itself forbids it.

use hoopoe_testing::Database;

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
