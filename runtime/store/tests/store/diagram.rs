//! `docs/diagrams/schema.md` shows the real schema: it is made from the catalogue of a migrated database.

use std::fmt::Write;

use hoopoe_testing::{Database, snapshot};

const HEAD: &str = "# The tables

Made from the schema in `migrations/` by a test of the store. `PK` and `FK` mark the columns of the primary key and of
foreign keys, `null` those that may be empty. Every table of a tenant has `tenant_id` first in its primary key and in
its foreign keys. `lanes`, `outbox` and `scheduled` hold work and not history: they name contacts, messages and channels
without foreign keys.
";

/// Table, column, type, part of the primary key, part of a foreign key, may be null.
type Column = (String, String, String, bool, bool, bool);

const COLUMNS: &str = "
    select c.relname::text, a.attname::text, replace(format_type(a.atttypid, null), 'timestamp with time zone',
           'timestamptz'),
           exists (select from pg_constraint k where k.conrelid = c.oid and k.contype = 'p' and a.attnum = any (k.conkey)),
           exists (select from pg_constraint k where k.conrelid = c.oid and k.contype = 'f' and a.attnum = any (k.conkey)),
           not a.attnotnull
    from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace and c.relname not like '\\_sqlx%'
    order by c.relname, a.attnum";

/// Referred table, referring table, columns, whether they may be null, whether they are unique.
type Reference = (String, String, String, bool, bool);

const REFERENCES: &str = "
    select f.confrelid::regclass::text, f.conrelid::regclass::text,
           (select string_agg(a.attname, ', ' order by k.place) from unnest(f.conkey) with ordinality as k (attnum, place)
            join pg_attribute a on a.attrelid = f.conrelid and a.attnum = k.attnum),
           exists (select from pg_attribute a
                   where a.attrelid = f.conrelid and a.attnum = any (f.conkey) and not a.attnotnull),
           exists (select from pg_constraint u
                   where u.conrelid = f.conrelid and u.contype in ('p', 'u') and u.conkey <@ f.conkey)
    from pg_constraint f
    where f.contype = 'f' and f.connamespace = 'public'::regnamespace
    order by 1, 2, 3";

const ENUMS: &str = "
    select t.typname::text, string_agg(e.enumlabel, ' < ' order by e.enumsortorder)
    from pg_type t join pg_enum e on e.enumtypid = t.oid
    where t.typnamespace = 'public'::regnamespace
    group by t.typname order by t.typname";

#[tokio::test]
async fn the_diagram_shows_the_schema() {
    let db = Database::create().await;
    let columns: Vec<Column> = sqlx::query_as(COLUMNS).fetch_all(&db.pool).await.unwrap();
    let references: Vec<Reference> = sqlx::query_as(REFERENCES).fetch_all(&db.pool).await.unwrap();
    let enums: Vec<(String, String)> = sqlx::query_as(ENUMS).fetch_all(&db.pool).await.unwrap();
    assert!(columns.len() > 50 && references.len() > 5 && !enums.is_empty());
    snapshot("docs/diagrams/schema.md", &diagram(&columns, &references, &enums).unwrap());
}

fn diagram(
    columns: &[Column],
    references: &[Reference],
    enums: &[(String, String)],
) -> Result<String, std::fmt::Error> {
    let mut page = HEAD.to_owned();
    writeln!(page, "\n```mermaid\nerDiagram")?;
    for table in columns.chunk_by(|one, next| one.0 == next.0) {
        writeln!(page, "    {} {{", table[0].0)?;
        for (_, name, kind, primary, foreign, nullable) in table {
            let keys = [(*primary, "PK"), (*foreign, "FK")].into_iter().filter_map(|(is, key)| is.then_some(key));
            let keys = keys.collect::<Vec<_>>().join(", ");
            let null = if *nullable { "\"null\"" } else { "" };
            let line = [&kind.replace(' ', "_"), name, keys.as_str(), null];
            writeln!(
                page,
                "        {}",
                line.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
            )?;
        }
        writeln!(page, "    }}")?;
    }
    for (referred, referring, by, nullable, unique) in references {
        let one = if *nullable { "|o" } else { "||" };
        let many = if *unique { "o|" } else { "o{" };
        writeln!(page, "    {referred} {one}--{many} {referring} : \"{by}\"")?;
    }
    writeln!(page, "```")?;
    for (name, labels) in enums {
        writeln!(page, "\n`{name}`, in its order: {labels}.")?;
    }
    Ok(page)
}
