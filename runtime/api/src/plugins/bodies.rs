//! What answers about plugins contain.

use chrono::{DateTime, Utc};
use hoopoe_store::plugins::{Activation, Plugin, SecretName, Version};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A version of a plugin.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VersionBody {
    /// SHA-256 of the component in hex: the version's name.
    digest: String,
    /// Semantic version, from the manifest.
    #[schema(example = "1.2.0")]
    version: String,
    /// Version of the contract that it was made for.
    #[schema(example = "0.1.0")]
    contract: String,
    /// Bytes of the component.
    size: i32,
    /// What the component imports.
    imports: Vec<String>,
    /// What the component exports.
    exports: Vec<String>,
    /// How long its upload's compilation took.
    compile_millis: i64,
    /// Kinds of events that it wants.
    events: Vec<String>,
    /// JSON Schema of its configuration.
    config_schema: Option<Value>,
    /// When it was uploaded.
    created_at: DateTime<Utc>,
}

/// A version on trial.
#[derive(Serialize, ToSchema)]
pub struct CanaryBody {
    /// The version.
    digest: String,
    /// The percentage of the conversations that it gets; a conversation stays with its choice.
    percent: i16,
}

/// A plugin.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PluginBody {
    /// The name that the tenant gave it.
    name: String,
    /// `flow` or `template`.
    world: String,
    /// Digest of the version in charge, when the plugin is in use.
    active: Option<String>,
    /// The version on trial.
    canary: Option<CanaryBody>,
    /// Since when the tenant's events wait, because this plugin kept failing.
    paused_at: Option<DateTime<Utc>>,
    /// Why they wait.
    paused_reason: Option<String>,
    /// Its configuration.
    config: Value,
    /// Hosts that its `http-request` actions may call.
    hosts: Vec<String>,
    /// When it was uploaded first.
    created_at: DateTime<Utc>,
}

/// A secret, without its value.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretBody {
    /// Headers name it as `{{secret:NAME}}`.
    name: String,
    /// When it was set last.
    updated_at: DateTime<Utc>,
}

/// Something that happened to a plugin.
#[derive(Serialize, ToSchema)]
pub struct ActivationBody {
    /// `activate`, `rollback`, `canary`, `promote`, `canary-failed`, `deactivate`, `pause`, `resume` or
    /// `migration-failed`.
    action: String,
    /// The version that it was about.
    digest: Option<String>,
    /// Why, when there is more to say.
    reason: Option<String>,
    /// When.
    at: DateTime<Utc>,
}

impl From<Version> for VersionBody {
    fn from(version: Version) -> Self {
        Self {
            digest: version.digest,
            version: version.version,
            contract: version.contract,
            size: version.size,
            imports: version.imports,
            exports: version.exports,
            compile_millis: version.compile_micros / 1000,
            events: version.events,
            config_schema: version.config_schema.and_then(|schema| serde_json::from_str(&schema).ok()),
            created_at: version.created_at,
        }
    }
}

impl From<Plugin> for PluginBody {
    fn from(plugin: Plugin) -> Self {
        Self {
            name: plugin.name,
            world: plugin.world,
            active: plugin.active,
            canary: plugin.canary.map(|digest| CanaryBody { digest, percent: plugin.canary_percent }),
            paused_at: plugin.paused_at,
            paused_reason: plugin.paused_reason,
            config: serde_json::from_str(&plugin.config).unwrap_or_default(),
            hosts: plugin.hosts,
            created_at: plugin.created_at,
        }
    }
}

impl From<SecretName> for SecretBody {
    fn from(secret: SecretName) -> Self {
        Self { name: secret.name, updated_at: secret.updated_at }
    }
}

impl From<Activation> for ActivationBody {
    fn from(activation: Activation) -> Self {
        let Activation { digest, action, reason, at } = activation;
        Self { action, digest, reason, at }
    }
}
