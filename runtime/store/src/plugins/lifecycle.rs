//! Which version is in charge: activation, canary, rollback, and the way back to a built-in plugin.

use sqlx::PgConnection;
use uuid::Uuid;

use super::{ChangeError, breaker, running, settings};
use crate::{Store, rule_sets};

/// A version to put in charge, and what was found when that was checked.
#[derive(Debug, Clone)]
pub struct Activate<'a> {
    /// The plugin.
    pub plugin: &'a str,
    /// The version.
    pub digest: &'a str,
    /// Not in charge of everything, but on trial for this percentage of the conversations, 1 to 99.
    pub percent: Option<i16>,
    /// A configuration to set with it: JSON text of an object.
    pub config: Option<&'a str>,
    /// The version of the plugin that was active when this was checked.
    pub after: Option<&'a str>,
    /// The plugin's configuration when this was checked.
    pub config_id: Option<i64>,
    /// Why, for the history.
    pub reason: Option<&'a str>,
}

/// What a rollback did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rolled {
    /// The version in charge now.
    pub digest: String,
    /// The version that was in charge, or on trial, before.
    pub from: String,
}

impl Store {
    /// Puts a version in charge of the tenant's events (or templates), or on trial beside the active one. Ends a trial
    /// and a pause. A running event ends on the version that it began with.
    pub async fn activate_plugin(&self, tenant_id: Uuid, new: &Activate<'_>) -> Result<(), ChangeError> {
        let now = self.ambient.now();
        let mut tx = self.pool.begin().await?;
        let running = running::lock(&mut tx, tenant_id).await?;
        let row = running::plugin(&mut tx, tenant_id, new.plugin).await?;
        let row = row.ok_or_else(|| ChangeError::NoPlugin(new.plugin.to_owned()))?;
        let missing = || ChangeError::NoVersion { plugin: new.plugin.to_owned(), digest: new.digest.to_owned() };
        let events = running::events(&mut tx, tenant_id, new.plugin, new.digest).await?.ok_or_else(missing)?;
        let active = running.active(new.plugin, &row.world);
        if active != new.after || row.config_id != new.config_id {
            return Err(ChangeError::ChangedMeanwhile);
        }
        let config_id = match new.config {
            Some(config) => Some(settings::insert(&mut tx, tenant_id, new.plugin, config, now).await?),
            None => row.config_id,
        };
        let mut resumed = None;
        let note = match (new.percent, active) {
            (None, _) if row.world == "template" => {
                render_with(&mut tx, tenant_id, Some((new.plugin, new.digest)), config_id).await?;
                ("activate", Some(new.digest), new.reason.map(str::to_owned))
            }
            (Some(_), _) if row.world == "template" => {
                return Err(ChangeError::NoCanary(new.plugin.to_owned()));
            }
            (None, _) => {
                let promoted = running.canary(new.plugin) == Some(new.digest);
                let flow = (new.plugin, Some(new.digest));
                run_flow(&mut tx, tenant_id, flow, &events, config_id).await?;
                breaker::wake_lanes(&mut tx, tenant_id, now).await?;
                resumed = running.paused.then_some(flow);
                let action = if promoted { "promote" } else { "activate" };
                (action, Some(new.digest), new.reason.map(str::to_owned))
            }
            (Some(_), None) => return Err(ChangeError::NotActive(new.plugin.to_owned())),
            (Some(_), Some(active)) if active == new.digest => {
                let message = format!("version {active} of {} is active; the canary has to be another", new.plugin);
                return Err(ChangeError::InUse(message));
            }
            (Some(percent), Some(active)) => {
                let mut wants = running::events(&mut tx, tenant_id, new.plugin, active).await?.unwrap_or_default();
                wants.extend(events);
                wants.sort_unstable();
                wants.dedup();
                run_canary(&mut tx, tenant_id, new.digest, percent, &wants, config_id).await?;
                let share = format!("{percent} percent of the conversations");
                ("canary", Some(new.digest), Some(new.reason.map_or(share.clone(), |why| format!("{share}; {why}"))))
            }
        };
        let note = (note.0, note.1, note.2.as_deref());
        running::note(&mut tx, tenant_id, new.plugin, note, now).await?;
        let told = match resumed {
            Some(flow) => self.tell_resumed(&mut tx, tenant_id, flow, now).await?,
            None => false,
        };
        tx.commit().await?;
        self.wakes.flow.notify_one();
        if told {
            self.wakes.webhooks.notify_one();
        }
        Ok(())
    }

    /// Ends a trial, when there is one; else puts the version `to` in charge again. `after` is the version that was
    /// active when this was checked.
    pub async fn roll_plugin_back(
        &self,
        tenant_id: Uuid,
        plugin: &str,
        after: &str,
        to: Option<&str>,
    ) -> Result<Rolled, ChangeError> {
        let now = self.ambient.now();
        let mut tx = self.pool.begin().await?;
        let running = running::lock(&mut tx, tenant_id).await?;
        let row = running::plugin(&mut tx, tenant_id, plugin).await?;
        let row = row.ok_or_else(|| ChangeError::NoPlugin(plugin.to_owned()))?;
        let active = running.active(plugin, &row.world).ok_or_else(|| ChangeError::NotActive(plugin.to_owned()))?;
        if active != after {
            return Err(ChangeError::ChangedMeanwhile);
        }
        let mut resumed = false;
        let rolled = match (running.canary(plugin), to) {
            (Some(canary), None) => {
                let events = running::events(&mut tx, tenant_id, plugin, active).await?.unwrap_or_default();
                end_canary(&mut tx, tenant_id, &events).await?;
                Rolled { digest: active.to_owned(), from: canary.to_owned() }
            }
            // A trial began or ended since the check.
            (Some(_), Some(_)) => return Err(ChangeError::ChangedMeanwhile),
            (None, None) => return Err(ChangeError::NothingBefore(plugin.to_owned())),
            (None, Some(to)) => {
                let missing = || ChangeError::NoVersion { plugin: plugin.to_owned(), digest: to.to_owned() };
                let events = running::events(&mut tx, tenant_id, plugin, to).await?.ok_or_else(missing)?;
                if row.world == "template" {
                    render_with(&mut tx, tenant_id, Some((plugin, to)), row.config_id).await?;
                } else {
                    run_flow(&mut tx, tenant_id, (plugin, Some(to)), &events, row.config_id).await?;
                    breaker::wake_lanes(&mut tx, tenant_id, now).await?;
                    resumed = running.paused;
                }
                Rolled { digest: to.to_owned(), from: active.to_owned() }
            }
        };
        let reason = format!("from {}", rolled.from);
        running::note(&mut tx, tenant_id, plugin, ("rollback", Some(&rolled.digest), Some(&reason)), now).await?;
        let told = resumed && self.tell_resumed(&mut tx, tenant_id, (plugin, Some(&rolled.digest)), now).await?;
        tx.commit().await?;
        self.wakes.flow.notify_one();
        if told {
            self.wakes.webhooks.notify_one();
        }
        Ok(rolled)
    }

    /// Takes a plugin out of charge: the tenant's rules handle its events again, or `auto-reply` when it has none; the
    /// built-in `templates` renders. Gives the name of the built-in plugin.
    pub async fn deactivate_plugin(&self, tenant_id: Uuid, plugin: &str) -> Result<&'static str, ChangeError> {
        let now = self.ambient.now();
        let mut tx = self.pool.begin().await?;
        let running = running::lock(&mut tx, tenant_id).await?;
        let row = running::plugin(&mut tx, tenant_id, plugin).await?;
        let row = row.ok_or_else(|| ChangeError::NoPlugin(plugin.to_owned()))?;
        if running.active(plugin, &row.world).is_none() {
            return Err(ChangeError::NotActive(plugin.to_owned()));
        }
        let instead = if row.world == "template" {
            render_with(&mut tx, tenant_id, None, None).await?;
            "templates"
        } else {
            let rules = rule_sets::config_in_charge(&mut tx, tenant_id).await?;
            let (instead, wants): (_, &[&str]) = match rules {
                Some(_) => (rule_sets::PLUGIN, &rule_sets::WANTS),
                None => ("auto-reply", &["message"]),
            };
            let wants: Vec<String> = wants.iter().map(|kind| (*kind).to_owned()).collect();
            run_flow(&mut tx, tenant_id, (instead, None), &wants, rules).await?;
            breaker::wake_lanes(&mut tx, tenant_id, now).await?;
            instead
        };
        let reason = format!("{instead} took over");
        running::note(&mut tx, tenant_id, plugin, ("deactivate", None, Some(&reason)), now).await?;
        let resumed = running.paused && row.world != "template";
        let told = resumed && self.tell_resumed(&mut tx, tenant_id, (instead, None), now).await?;
        tx.commit().await?;
        self.wakes.flow.notify_one();
        if told {
            self.wakes.webhooks.notify_one();
        }
        Ok(instead)
    }
}

/// Puts a flow in charge of a tenant's events, without a trial and without a pause.
async fn run_flow(
    db: &mut PgConnection,
    tenant_id: Uuid,
    (name, digest): (&str, Option<&str>),
    wants: &[String],
    config_id: Option<i64>,
) -> Result<(), sqlx::Error> {
    // Primary key.
    sqlx::query!(
        "update tenants set flow = $2, flow_digest = $3, flow_wants = $4, flow_config_id = $5,
                            flow_canary_digest = null, flow_canary_percent = 0,
                            flow_paused_at = null, flow_paused_reason = null
         where id = $1",
        tenant_id,
        name,
        digest,
        wants,
        config_id
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn run_canary(
    db: &mut PgConnection,
    tenant_id: Uuid,
    digest: &str,
    percent: i16,
    wants: &[String],
    config_id: Option<i64>,
) -> Result<(), sqlx::Error> {
    // Primary key.
    sqlx::query!(
        "update tenants set flow_canary_digest = $2, flow_canary_percent = $3, flow_wants = $4, flow_config_id = $5
         where id = $1",
        tenant_id,
        digest,
        percent,
        wants,
        config_id
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn end_canary(db: &mut PgConnection, tenant_id: Uuid, wants: &[String]) -> Result<(), sqlx::Error> {
    // Primary key.
    sqlx::query!(
        "update tenants set flow_canary_digest = null, flow_canary_percent = 0, flow_wants = $2 where id = $1",
        tenant_id,
        wants
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Renders a tenant's templates with a version of its own, or with the built-in plugin.
async fn render_with(
    db: &mut PgConnection,
    tenant_id: Uuid,
    renderer: Option<(&str, &str)>,
    config_id: Option<i64>,
) -> Result<(), sqlx::Error> {
    // Primary key.
    sqlx::query!(
        "update tenants set renderer = $2, renderer_digest = $3, renderer_config_id = $4 where id = $1",
        tenant_id,
        renderer.map(|(name, _)| name),
        renderer.map(|(_, digest)| digest),
        config_id
    )
    .execute(db)
    .await?;
    Ok(())
}
