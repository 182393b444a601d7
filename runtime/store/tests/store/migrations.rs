//! Processes of two releases work on one database during an upgrade: a migration takes nothing away that the release
//! before reads or writes, and a process runs on a schema that is newer than itself.

use std::collections::{BTreeMap, BTreeSet};

use hoopoe_store::Store;
use hoopoe_testing::Database;
use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Executor, PgPool};

use crate::ground::Ground;

pub static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations");

/// The first release has these.
const FIRST_RELEASE: i64 = 4;

/// What a migration may do all the same: its number, the finding, and why no process of the release before minds.
const ALLOWED: [(i64, &str, &str); 1] = [(
    12,
    "channels has a new rule: CHECK ((kind = ANY (ARRAY['whatsapp'::text, 'messenger'::text, 'instagram'::text])))",
    "it allows what the rule before it did, and more",
)];

/// What statements rely on.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Schema {
    /// By table and column: type, whether null is refused, whether an insert may leave it out.
    columns: BTreeMap<(String, String), (String, bool, bool)>,
    /// Of enums: type and label.
    labels: BTreeSet<(String, String)>,
    /// What refuses rows (checks, references, exclusions, unique indexes): table and definition, with the columns.
    rules: BTreeMap<(String, String), Vec<String>>,
    /// Unique indexes, which `on conflict` names: table and definition.
    unique: BTreeSet<(String, String)>,
    /// Types of rows that statements are given, with their fields: what is sent names none of them.
    rows: BTreeMap<String, Vec<String>>,
}

impl Schema {
    async fn of(pool: &PgPool) -> Self {
        let columns: Vec<(String, String, String, bool, bool)> = sqlx::query_as(
            "select c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                    not a.attnotnull or a.atthasdef or a.attidentity <> '' or a.attgenerated <> ''
             from pg_class c
             join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
             where c.relkind in ('r', 'p', 'v') and c.relnamespace = 'public'::regnamespace",
        )
        .fetch_all(pool)
        .await
        .unwrap();
        let labels: Vec<(String, String)> = sqlx::query_as(
            "select t.typname::text, e.enumlabel::text from pg_enum e join pg_type t on t.oid = e.enumtypid",
        )
        .fetch_all(pool)
        .await
        .unwrap();
        let checks: Vec<(String, String, Vec<String>)> = sqlx::query_as(
            "select f.conrelid::regclass::text, pg_get_constraintdef(f.oid),
                    array(select a.attname::text from pg_attribute a
                          where a.attrelid = f.conrelid and a.attnum = any (f.conkey))
             from pg_constraint f
             where f.connamespace = 'public'::regnamespace and f.contype in ('c', 'f', 'x')",
        )
        .fetch_all(pool)
        .await
        .unwrap();
        let unique: Vec<(String, String, Vec<String>)> = sqlx::query_as(
            "select i.indrelid::regclass::text, regexp_replace(pg_get_indexdef(i.indexrelid), 'INDEX .* ON ', ''),
                    array(select a.attname::text from pg_attribute a
                          where a.attrelid = i.indrelid and a.attnum = any (i.indkey))
             from pg_index i join pg_class c on c.oid = i.indrelid
             where i.indisunique and c.relnamespace = 'public'::regnamespace",
        )
        .fetch_all(pool)
        .await
        .unwrap();
        let rows: Vec<(String, Vec<String>)> = sqlx::query_as(
            "select c.relname::text,
                    array_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod) order by a.attnum)
             from pg_class c join pg_attribute a on a.attrelid = c.oid
             where c.relkind = 'c' and c.relnamespace = 'public'::regnamespace
             group by c.relname",
        )
        .fetch_all(pool)
        .await
        .unwrap();
        let columns = columns
            .into_iter()
            .map(|(table, column, kind, not_null, optional)| ((table, column), (kind, not_null, optional)));
        let rules = checks.into_iter().chain(unique.iter().cloned()).map(|(table, rule, of)| ((table, rule), of));
        Self {
            columns: columns.collect(),
            labels: labels.into_iter().collect(),
            rules: rules.collect(),
            unique: unique.into_iter().map(|(table, rule, _)| (table, rule)).collect(),
            rows: rows.into_iter().collect(),
        }
    }

    fn has_table(&self, name: &str) -> bool {
        self.columns.keys().any(|(table, _)| table == name)
    }

    /// What a process that knows this schema minds about the next one.
    fn broken_by(&self, next: &Self) -> Vec<String> {
        let mut found = Vec::new();
        for ((table, column), (kind, not_null, optional)) in &self.columns {
            match next.columns.get(&(table.clone(), column.clone())) {
                None => found.push(format!("{table}.{column} is gone")),
                Some((other, _, _)) if other != kind => found.push(format!("{table}.{column} is {other}, not {kind}")),
                Some((_, true, _)) if !not_null => found.push(format!("{table}.{column} may not be null any more")),
                Some((_, _, false)) if *optional => found.push(format!("{table}.{column} has no default any more")),
                Some(_) => {}
            }
        }
        for ((table, column), (_, _, optional)) in &next.columns {
            let is_new = !self.columns.contains_key(&(table.clone(), column.clone()));
            if is_new && self.has_table(table) && !optional {
                found.push(format!("{table}.{column} is needed by every insert"));
            }
        }
        found.extend(
            self.labels.difference(&next.labels).map(|(name, label)| format!("{name} has no {label} any more")),
        );
        for ((table, rule), columns) in &next.rules {
            let is_new = !self.rules.contains_key(&(table.clone(), rule.clone()));
            let knows = |column: &String| self.columns.contains_key(&(table.clone(), column.clone()));
            if is_new && columns.iter().any(knows) {
                found.push(format!("{table} has a new rule: {rule}"));
            }
        }
        let changed = self.rows.iter().filter(|(name, fields)| next.rows.get(*name) != Some(fields));
        found.extend(changed.map(|(name, _)| format!("{name} has other fields")));
        // `on conflict` finds nothing then. With the table or the columns that is said already.
        let unique = self.unique.difference(&next.unique).filter(|(table, _)| next.has_table(table));
        found.extend(unique.map(|(table, rule)| format!("{table} is not unique any more by {rule}")));
        found
    }
}

/// A database without tables.
pub async fn empty() -> Database {
    let db = Database::create().await;
    db.execute("drop schema public cascade; create schema public").await;
    db
}

fn versions() -> Vec<i64> {
    MIGRATIONS.iter().map(|migration| migration.version).collect()
}

#[tokio::test]
async fn no_migration_takes_away_what_the_release_before_needs() {
    let db = empty().await;
    MIGRATIONS.run_to(FIRST_RELEASE, &db.pool).await.unwrap();
    let mut used = BTreeSet::new();
    let mut before = Schema::of(&db.pool).await;
    assert!(before.columns.len() > 100 && before.unique.len() > 20 && before.rules.len() > 30);
    for version in versions().into_iter().filter(|version| *version > FIRST_RELEASE) {
        MIGRATIONS.run_to(version, &db.pool).await.unwrap();
        let after = Schema::of(&db.pool).await;
        for finding in before.broken_by(&after) {
            let place = ALLOWED.iter().position(|(allowed, what, _)| (*allowed, *what) == (version, &*finding));
            let advice = "add first, take away a release later (docs/scaling.md, Upgrades), or say in ALLOWED why not";
            used.insert(place.unwrap_or_else(|| panic!("migration {version}: {finding}; {advice}")));
        }
        before = after;
    }
    assert_eq!(used.len(), ALLOWED.len(), "something is allowed that no migration does");
    assert!(ALLOWED.iter().all(|(_, _, reason)| !reason.is_empty()));
}

#[tokio::test]
async fn what_breaks_the_release_before_is_found() {
    let cases = [
        ("alter table messages drop column body", "messages.body is gone"),
        ("alter table messages rename column body to words", "messages.body is gone"),
        ("alter table timers rename to alarms", "timers.name is gone"),
        ("drop table unrouted_items", "unrouted_items.raw is gone"),
        ("alter table messages alter column attempts type bigint", "messages.attempts is bigint, not integer"),
        ("alter table messages alter column body set not null", "messages.body may not be null any more"),
        ("alter table messages alter column attempts drop default", "messages.attempts has no default any more"),
        ("alter table messages add column size integer not null", "messages.size is needed by every insert"),
        ("alter type message_status rename value 'read' to 'seen'", "message_status has no read any more"),
        ("alter table messages add check (attempts < 10)", "messages has a new rule: CHECK ((attempts < 10))"),
        ("create unique index one on messages (tenant_id, body)", "messages has a new rule: "),
        ("alter type new_message add attribute size integer", "new_message has other fields"),
        ("alter type new_message rename attribute body to words", "new_message has other fields"),
        ("drop index messages_idempotency_key", "messages is not unique any more by "),
    ];
    let db = Database::create().await;
    let before = Schema::of(&db.pool).await;
    for (statement, expected) in cases {
        let db = Database::create().await;
        db.pool.execute(AssertSqlSafe(statement.to_owned())).await.unwrap();
        let found = before.broken_by(&Schema::of(&db.pool).await);
        assert!(found.iter().any(|finding| finding.starts_with(expected)), "{statement}: {found:?}");
    }
    let harmless =
        "alter table messages add column size integer check (size > 0), add column rank integer not null default 0;
                    create table notes (tenant_id uuid primary key, note text not null);
                    create index messages_size on messages (tenant_id, size);
                    alter type message_status add value 'seen';
                    create type new_message_2 as (id uuid)";
    db.execute(harmless).await;
    assert_eq!(before.broken_by(&Schema::of(&db.pool).await), [""; 0]);
}

async fn applied(db: &Database) -> Vec<i64> {
    sqlx::query_scalar("select version from _sqlx_migrations order by version").fetch_all(&db.pool).await.unwrap()
}

#[tokio::test]
async fn an_older_schema_is_brought_up_once_though_several_start() {
    let ground = Ground::new().await;
    ground.db.execute("drop schema public cascade; create schema public").await;
    let all = versions();
    // Behind it there are indexes that are built concurrently: nobody may wait for the lock and be waited for.
    MIGRATIONS.run_to(FIRST_RELEASE, &ground.db.pool).await.unwrap();
    assert!(applied(&ground.db).await.len() < all.len());
    let stores = [ground.process(), ground.process(), ground.process()];
    let starting = stores.map(|store: Store| tokio::spawn(async move { store.migrate().await }));
    for start in starting {
        start.await.unwrap().unwrap();
    }
    assert_eq!(applied(&ground.db).await, all);
}

#[tokio::test]
async fn a_schema_of_a_newer_release_is_left_as_it_is() {
    let ground = Ground::new().await;
    let of_later = "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
                    values (9999, 'of later', true, '\\x00', 1)";
    ground.db.execute(of_later).await;
    ground.process().migrate().await.unwrap();
    assert_eq!(applied(&ground.db).await, [versions(), vec![9999]].concat());
    // What was changed after its release is no upgrade.
    ground.db.execute("update _sqlx_migrations set checksum = '\\x00' where version = 4").await;
    assert!(ground.process().migrate().await.is_err());
}

#[tokio::test]
async fn an_index_that_was_left_unfinished_is_built_again() {
    let db = empty().await;
    MIGRATIONS.run_to(14, &db.pool).await.unwrap();
    // As a process leaves it that died while the index was built: there, not recorded, and perhaps not valid.
    db.execute("create index events_told on events (tenant_id)").await;
    let settings = hoopoe_store::Settings {
        url: db.url.clone(),
        connections: 2,
        writers: 1,
        acquire_timeout: std::time::Duration::from_secs(10),
    };
    let store = Store::connect(&settings, hoopoe_store::ambient::Ambient::system()).unwrap();
    store.migrate().await.unwrap();
    store.migrate().await.unwrap();
    let whole = "select count(*) from pg_indexes where indexname = 'events_told' and indexdef like '%(tenant_id, id)%'";
    assert_eq!(db.count(whole).await, 1);
}
