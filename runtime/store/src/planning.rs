//! How statements are planned.

use sqlx::PgConnection;

use crate::{Error, Store};

/// Settings of every connection. Every query of the message's way finds its rows by an index: plans that were made while the
/// tables were empty would otherwise read whole tables until they are made anew.
///
/// That alone leaves one way into the trap: an update or deletion that takes its keys from a list begins with the table,
/// read whole by an index, when that had one row as it was planned. So these name the tenant as `any (array[...])`, which
/// finds rows by their keys and gives them in no order; and what else they ask of the table is nothing that an index alone
/// could answer: the stage comes from the list, and a lane without an owner has a token below 1.
pub const PLANNED: [(&str, &str); 8] = [
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("enable_bitmapscan", "off"),
    ("jit", "off"),
    // Joins in the order in which they are written: each query starts from the keys that it is given.
    ("join_collapse_limit", "1"),
    ("from_collapse_limit", "1"),
    // Arrays of few elements look cheaper with a plan of their own, but making it costs more than it saves.
    ("plan_cache_mode", "force_generic_plan"),
];

impl Store {
    /// The statements that put [`PLANNED`] in force for whoever logs in as this role; none where it is in force. A PgBouncer
    /// does not pass on what a connection asks for.
    pub async fn planning_to_set(&self) -> Result<Vec<String>, Error> {
        Ok(to_set(&mut *self.pool.acquire().await?).await?)
    }
}

async fn to_set(db: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    let (names, values): (Vec<_>, Vec<_>) =
        PLANNED.iter().map(|(name, value)| (name.to_string(), value.to_string())).unzip();
    let statements = sqlx::query_scalar!(
        r#"select format('alter role %I set %s = %s', current_user, name, value) as "statement!"
           from unnest($1::text[], $2::text[]) as p (name, value) where current_setting(name) <> value"#,
        &names,
        &values
    );
    statements.fetch_all(db).await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::str::FromStr;

    use hoopoe_testing::Database;
    use sqlx::ConnectOptions;
    use sqlx::postgres::PgConnectOptions;

    use super::*;

    #[test]
    fn the_documents_name_all_of_them() {
        let scaling = include_str!("../../../docs/scaling.md");
        for (name, value) in PLANNED {
            assert!(scaling.contains(&format!("alter role hoopoe set {name} = {value};")), "{name}");
        }
    }

    #[tokio::test]
    async fn what_is_not_passed_on_is_named_with_its_remedy() {
        let db = Database::create().await;
        let options = PgConnectOptions::from_str(&db.url).unwrap();
        let mut passed_on = options.clone().options(PLANNED).connect().await.unwrap();
        assert_eq!(to_set(&mut passed_on).await.unwrap(), [""; 0]);
        sqlx::raw_sql("set jit = on; set join_collapse_limit = 8").execute(&mut passed_on).await.unwrap();
        let named = to_set(&mut passed_on).await.unwrap();
        assert_eq!(named.len(), 2, "{named:?}");
        assert!(named.iter().any(|one| one.ends_with(" set jit = off")), "{named:?}");
        let mut ignored = options.connect().await.unwrap();
        assert!(to_set(&mut ignored).await.unwrap().len() >= 7, "they are not the server's own");
    }
}
