//! A version takes over, or is tried, or makes room for the one before: what has to hold first.
//!
//! The version has to load here, its schema has to accept the configuration, and it has to understand the states that
//! conversations have: those that were handled last go through its `migrate-state` before anything changes. A rollback
//! asks less: it is the way out.

use std::time::Duration;

use hoopoe_sandbox::Owner;
use hoopoe_store::plugins::{Activate, ChangeError, Plugin, Rolled, Version};
use serde_json::Value;
use tokio::time::Instant;
use uuid::Uuid;

use crate::config::{self, Violation};
use crate::{Error, Library};

/// States that are tried.
const STATES: i64 = 100;
/// After so many failures the trial knows enough.
const FAILURES: usize = 10;
/// How long a trial goes on.
const TRIAL: Duration = Duration::from_secs(10);

/// What is to happen.
#[derive(Debug, Clone)]
pub struct Activation {
    /// The tenant's plugin.
    pub plugin: String,
    /// A digest, a beginning of one, or a semantic version; the newest upload when absent.
    pub version: Option<String>,
    /// A trial on this percentage of the conversations, 1 to 99; otherwise the version takes over.
    pub percent: Option<i16>,
    /// A configuration to set with it.
    pub config: Option<Value>,
    /// Take over although states cannot be migrated.
    pub force: bool,
}

/// Why a version did not take over.
#[derive(Debug, thiserror::Error)]
pub enum ActivateError {
    /// There is no such version.
    #[error("{0}")]
    NoVersion(String),
    /// The designation fits several versions.
    #[error("{wanted} is the beginning of {count} versions; give more of the digest")]
    Ambiguous {
        /// What was given.
        wanted: String,
        /// How many begin so.
        count: usize,
    },
    /// The configuration is not what this version's schema asks for.
    #[error("the configuration does not fit version {digest}")]
    Config {
        /// The version whose schema it is.
        digest: String,
        /// What is wrong.
        violations: Vec<Violation>,
    },
    /// The version does not understand states that conversations have.
    #[error(
        "migrate-state of version {version} fails for {failed} of {tried} recent conversations; \
         in conversation {conversation_id}: {reason}"
    )]
    Migration {
        /// The new version, from its manifest.
        version: String,
        /// Conversations whose state was tried.
        tried: usize,
        /// Of these, failed; not all are tried after the tenth failure.
        failed: usize,
        /// The first that failed.
        conversation_id: Uuid,
        /// Why.
        reason: String,
    },
    /// The version cannot be loaded.
    #[error(transparent)]
    Plugin(#[from] Error),
    /// It cannot be changed.
    #[error(transparent)]
    Change(#[from] ChangeError),
}

impl From<hoopoe_store::Error> for ActivateError {
    fn from(error: hoopoe_store::Error) -> Self {
        ActivateError::Change(error.into())
    }
}

/// What came of a trial of states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tried {
    /// States that went through `migrate-state`.
    pub states: usize,
    /// Of these, failed.
    pub failed: usize,
}

impl Library {
    /// Lets a version take over, or be tried on a share of the conversations.
    pub async fn activate(&self, tenant_id: Uuid, wanted: &Activation) -> Result<(Version, Tried), ActivateError> {
        let plugin = self.plugin(tenant_id, &wanted.plugin).await?;
        let version = self.version(tenant_id, &wanted.plugin, wanted.version.as_deref()).await?;
        let config = match &wanted.config {
            Some(config) => config.clone(),
            None => parsed(&plugin.config),
        };
        self.check_against(tenant_id, &plugin, &config, &[&version], wanted.percent.is_some()).await?;
        let mut tried = Tried::default();
        let mut reason = None;
        // Loaded here, so that the first event does not wait for the compiler.
        if plugin.world == "template" {
            self.own_renderer(tenant_id, &plugin.name, &version.digest).await?;
        } else {
            let new = self.flow(tenant_id, &plugin.name, Some(&version.digest)).await?;
            if let Some(active) = plugin.active.as_deref().filter(|active| *active != version.digest) {
                match self.try_states(tenant_id, active, &new).await? {
                    (all, None) => tried = all,
                    (all, Some(error)) if wanted.force => {
                        tried = all;
                        reason = Some(format!("forced: {error}"));
                    }
                    (_, Some(error)) => {
                        let (store, why) = (&self.store, error.to_string());
                        store.note_migration_failed(tenant_id, &plugin.name, &version.digest, &why).await?;
                        return Err(error);
                    }
                }
            }
        }
        let config = wanted.config.as_ref().map(Value::to_string);
        let activate = Activate {
            plugin: &plugin.name,
            digest: &version.digest,
            percent: wanted.percent,
            config: config.as_deref(),
            after: plugin.active.as_deref(),
            config_id: plugin.config_id,
            reason: reason.as_deref(),
        };
        self.store.activate_plugin(tenant_id, &activate).await?;
        tracing::info!(tenant = %tenant_id, plugin = plugin.name, digest = version.digest, percent = wanted.percent,
            "plugin activated");
        Ok((version, tried))
    }

    /// Goes back: from a trial to the active version alone, else to the version that was active before.
    pub async fn roll_back(&self, tenant_id: Uuid, name: &str) -> Result<Rolled, ActivateError> {
        let plugin = self.plugin(tenant_id, name).await?;
        let active = plugin.active.as_deref().ok_or_else(|| ChangeError::NotActive(name.to_owned()))?;
        let to = match plugin.canary {
            Some(_) => None,
            None => {
                let before = self.store.plugin_version_before(tenant_id, name).await?;
                Some(before.ok_or_else(|| ChangeError::NothingBefore(name.to_owned()))?)
            }
        };
        match &to {
            Some(digest) if plugin.world == "template" => drop(self.own_renderer(tenant_id, name, digest).await?),
            Some(digest) => drop(self.flow(tenant_id, name, Some(digest)).await?),
            None => {}
        }
        let rolled = self.store.roll_plugin_back(tenant_id, name, active, to.as_deref()).await?;
        tracing::info!(tenant = %tenant_id, plugin = name, digest = rolled.digest, "plugin rolled back");
        Ok(rolled)
    }

    /// Gives a plugin another configuration. It has to fit the versions that run, or the newest when none does.
    pub async fn set_config(&self, tenant_id: Uuid, name: &str, config: &Value) -> Result<(), ActivateError> {
        let plugin = self.plugin(tenant_id, name).await?;
        let newest = match plugin.active {
            Some(_) => None,
            None => self.store.plugin_versions(tenant_id, name).await?.into_iter().next(),
        };
        let newest: Vec<&Version> = newest.iter().collect();
        self.check_against(tenant_id, &plugin, config, &newest, true).await?;
        let checked: Vec<String> = plugin.active.iter().chain(&plugin.canary).cloned().collect();
        self.store.set_plugin_config(tenant_id, name, &config.to_string(), &checked).await?;
        Ok(())
    }

    /// Checks a configuration against these versions, and against those that run when they are to go on.
    async fn check_against(
        &self,
        tenant_id: Uuid,
        plugin: &Plugin,
        config: &Value,
        versions: &[&Version],
        and_running: bool,
    ) -> Result<(), ActivateError> {
        let running = match and_running && (plugin.active.is_some() || plugin.canary.is_some()) {
            true => self.store.plugin_versions(tenant_id, &plugin.name).await?,
            false => Vec::new(),
        };
        let runs = |version: &&Version| {
            let digest = Some(version.digest.as_str());
            digest == plugin.active.as_deref() || digest == plugin.canary.as_deref()
        };
        for version in versions.iter().copied().chain(running.iter().filter(runs)) {
            config::check_config(version.config_schema.as_deref(), config)
                .map_err(|violations| ActivateError::Config { digest: version.digest.clone(), violations })?;
        }
        Ok(())
    }

    /// Hands the states that the active version left last to the new one.
    async fn try_states(
        &self,
        tenant_id: Uuid,
        active: &str,
        new: &hoopoe_sandbox::Plugin,
    ) -> Result<(Tried, Option<ActivateError>), ActivateError> {
        let manifest = new.manifest();
        let mut tried = Tried::default();
        let mut first: Option<(Uuid, String)> = None;
        let start = Instant::now();
        for kept in self.store.recent_states(tenant_id, active, STATES).await? {
            if tried.failed >= FAILURES || start.elapsed() > TRIAL {
                break;
            }
            let (name, version) = kept.plugin.split_once('@').unwrap_or((&kept.plugin, ""));
            tried.states += 1;
            let failure = if name == manifest.name {
                let run = new.migrate_state(Owner(tenant_id.as_u128()), version, &kept.state).await;
                run.result.err().map(|failure| failure.to_string())
            } else {
                let advice = "a version with another name in its manifest does not get the state";
                Some(format!("the state is {name}'s and this version calls itself {}: {advice}", manifest.name))
            };
            if let Some(reason) = failure {
                tried.failed += 1;
                first.get_or_insert((kept.conversation_id, reason));
            }
        }
        let error = first.map(|(conversation_id, reason)| ActivateError::Migration {
            version: manifest.version.clone(),
            tried: tried.states,
            failed: tried.failed,
            conversation_id,
            reason,
        });
        Ok((tried, error))
    }
}

/// Kept configurations are JSON.
fn parsed(config: &str) -> Value {
    serde_json::from_str(config).unwrap_or_default()
}
