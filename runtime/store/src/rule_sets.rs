//! Rule sets of the built-in plugin `rules`: every version, and which one is in charge.
//!
//! A version keeps the set as the tenant wrote it and the id of the configuration that it was compiled to, so a version
//! that comes back into charge needs no compiler. The greatest version counts; a rollback appends a copy.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Error, Store};

/// Versions that are kept.
pub const KEPT: i32 = 100;

/// The plugin that runs rule sets, and the events that it wants.
pub(crate) const PLUGIN: &str = "rules";
pub(crate) const WANTS: [&str; 2] = ["message", "timer"];

/// A rule set to save.
#[derive(Debug, Clone)]
pub struct NewRuleSet {
    /// As the tenant wrote it: JSON text.
    pub set: String,
    /// What it was compiled to: JSON text. `None` switches the rules off.
    pub config: Option<String>,
    /// The version that this one restores.
    pub restores: Option<i32>,
}

/// A saved rule set.
#[derive(Debug, Clone)]
pub struct RuleSet {
    /// Grows by one with every change.
    pub version: i32,
    /// As the tenant wrote it: JSON text.
    pub set: String,
    /// The version that this one restores.
    pub restores: Option<i32>,
    /// When it was saved.
    pub created_at: DateTime<Utc>,
    /// Whether it handles the tenant's events. It does not when it is not the newest, when it is empty, or while a
    /// plugin of the tenant's own is active.
    pub active: bool,
}

impl Store {
    /// Saves a rule set as the newest version. Unless a plugin of the tenant's own is active, it takes over at once, or
    /// `auto-reply` does when it switches the rules off; events that wait because the flow before kept failing go on.
    /// Older versions than the last [`KEPT`] are deleted.
    pub async fn save_rule_set(&self, tenant_id: Uuid, new: &NewRuleSet) -> Result<RuleSet, Error> {
        let now = self.ambient.now();
        let mut tx = self.pool.begin().await?;
        // Primary key. The lock makes changes of one tenant come one after the other; no webhook waits for it.
        let tenant = sqlx::query!(
            r#"select flow_digest is null as "builtin!", flow_paused_at is not null as "paused!"
               from tenants where id = $1 for no key update"#,
            tenant_id
        )
        .fetch_one(&mut *tx)
        .await?;
        let config_id = match &new.config {
            Some(config) => Some(insert_config(&mut tx, tenant_id, config, now).await?),
            None => None,
        };
        // Primary key, backwards.
        let version = sqlx::query_scalar!(
            r#"insert into rule_sets (tenant_id, version, rules, restores, created_at)
               values ($1, 1 + coalesce((select max(version) from rule_sets where tenant_id = $1), 0),
                       json_build_object('set', $2::text::json, 'configId', $3::bigint), $4, $5)
               returning version"#,
            tenant_id,
            new.set,
            config_id,
            new.restores,
            now
        )
        .fetch_one(&mut *tx)
        .await?;
        // Primary key, by its first columns.
        sqlx::query!(
            "delete from rule_sets where tenant_id = $1 and version <= $2::integer - $3::integer",
            tenant_id,
            version,
            KEPT
        )
        .execute(&mut *tx)
        .await?;
        let (flow, wants) = if config_id.is_some() { (PLUGIN, &WANTS[..]) } else { ("auto-reply", &WANTS[..1]) };
        if tenant.builtin {
            let wants: Vec<String> = wants.iter().map(|kind| (*kind).to_owned()).collect();
            // Primary key.
            sqlx::query!(
                "update tenants set flow = $2, flow_wants = $3, flow_config_id = $4 where id = $1",
                tenant_id,
                flow,
                &wants,
                config_id
            )
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        if tenant.builtin && tenant.paused {
            self.resume_flow(tenant_id, flow).await?;
        }
        Ok(RuleSet {
            version,
            set: new.set.clone(),
            restores: new.restores,
            created_at: now,
            active: tenant.builtin && config_id.is_some(),
        })
    }

    /// The newest rule set, or this version; `None` when there is none.
    pub async fn rule_set(&self, tenant_id: Uuid, version: Option<i32>) -> Result<Option<RuleSet>, Error> {
        Ok(self.read_rule_sets(tenant_id, version, 1).await?.pop())
    }

    /// The rule set before the newest one; `None` when there is none.
    pub async fn former_rule_set(&self, tenant_id: Uuid) -> Result<Option<RuleSet>, Error> {
        Ok(self.read_rule_sets(tenant_id, None, 2).await?.into_iter().nth(1))
    }

    /// All versions that are kept, newest first.
    pub async fn rule_sets(&self, tenant_id: Uuid) -> Result<Vec<RuleSet>, Error> {
        self.read_rule_sets(tenant_id, None, i64::from(KEPT)).await
    }

    async fn read_rule_sets(&self, tenant_id: Uuid, version: Option<i32>, limit: i64) -> Result<Vec<RuleSet>, Error> {
        // Primary keys, backwards.
        let sets = sqlx::query_as!(
            RuleSet,
            r#"select r.version, (r.rules -> 'set')::text as "set!", r.restores, r.created_at,
                      t.flow = 'rules' and t.flow_digest is null
                          and r.version = (select max(version) from rule_sets where tenant_id = $1) as "active!"
               from tenants t
               join rule_sets r on r.tenant_id = t.id
               where t.id = $1 and ($2::integer is null or r.version = $2)
               order by r.version desc limit $3"#,
            tenant_id,
            version,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(sets)
    }

    /// Those of the keys that are of no template of the tenant's.
    pub async fn unknown_templates(&self, tenant_id: Uuid, keys: &[String]) -> Result<Vec<String>, Error> {
        // Primary key, once per key.
        let unknown = sqlx::query_scalar!(
            r#"select wanted.key as "key!" from unnest($2::text[]) as wanted (key)
               where not exists (
                   select from templates t where t.tenant_id = $1 and t.key = wanted.key and t.deleted_at is null
               )"#,
            tenant_id,
            keys
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(unknown)
    }
}

/// The configuration with which the tenant's rules run, when it has rules that are not switched off. With [`PLUGIN`]
/// and [`WANTS`] it is what takes over when the tenant's own plugin is switched off.
pub(crate) async fn config_in_charge(db: &mut PgConnection, tenant_id: Uuid) -> Result<Option<i64>, sqlx::Error> {
    // Primary key, backwards.
    let config_id = sqlx::query_scalar!(
        "select (rules ->> 'configId')::bigint from rule_sets where tenant_id = $1 order by version desc limit 1",
        tenant_id
    )
    .fetch_optional(db)
    .await?;
    Ok(config_id.flatten())
}

async fn insert_config(
    db: &mut PgConnection,
    tenant_id: Uuid,
    config: &str,
    now: DateTime<Utc>,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        "insert into plugin_configs (tenant_id, config, created_at)
         values ($1, $2::text::json, $3) returning id",
        tenant_id,
        config,
        now
    )
    .fetch_one(db)
    .await
}
