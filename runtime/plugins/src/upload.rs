//! From bytes to a version that is kept.

use hoopoe_sandbox::contract::EventKind;
use hoopoe_sandbox::load;
use hoopoe_store::plugins::{ChangeError, Inserted, NewVersion, Version};
use uuid::Uuid;

use crate::{Library, config, names};

/// A version after its upload.
#[derive(Debug)]
pub struct Uploaded {
    /// `flow` or `template`.
    pub world: String,
    /// As it is kept.
    pub version: Version,
    /// Whether the plugin had it already.
    pub known: bool,
}

/// Why an upload was not kept.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The name cannot be given.
    #[error("{0}")]
    Name(String),
    /// The bytes are no plugin that this host can run.
    #[error(transparent)]
    Refused(#[from] load::Error),
    /// The manifest's schema of configurations.
    #[error("the config schema in the manifest cannot be used: {0}")]
    Schema(String),
    /// It cannot be kept.
    #[error(transparent)]
    Change(#[from] ChangeError),
}

impl Library {
    /// Looks at a component (or at a core module with its WIT, which is made one) in the sandbox, and keeps it as a
    /// version of the tenant's plugin `name`. The same bytes again change nothing.
    pub async fn upload(&self, tenant_id: Uuid, name: &str, bytes: &[u8]) -> Result<Uploaded, UploadError> {
        names::check_name(name).map_err(UploadError::Name)?;
        let found = self.sandbox_for(tenant_id).inspect(bytes).await?;
        if let Some(schema) = &found.manifest.config_schema {
            config::check_schema(schema).map_err(UploadError::Schema)?;
        }
        let world = found.world.name().to_owned();
        let new = NewVersion {
            plugin: name.to_owned(),
            world: world.clone(),
            digest: found.digest.to_string(),
            version: found.manifest.version,
            events: found.manifest.events.iter().map(|kind| event_name(*kind).to_owned()).collect(),
            config_schema: found.manifest.config_schema,
            contract: found.contract,
            imports: found.imports,
            exports: found.exports,
            compile_micros: i64::try_from(found.compile_time.as_micros()).unwrap_or(i64::MAX),
            component: found.component,
        };
        let known = self.store.insert_plugin_version(tenant_id, &new).await? == Inserted::Known;
        let versions = self.store.plugin_versions(tenant_id, name).await.map_err(ChangeError::from)?;
        let version = versions.into_iter().find(|version| version.digest == new.digest);
        let version = version.ok_or(ChangeError::ChangedMeanwhile)?;
        tracing::info!(tenant = %tenant_id, plugin = name, digest = new.digest, known, "plugin uploaded");
        Ok(Uploaded { world, version, known })
    }
}

/// As manifests and `flow_wants` name it.
fn event_name(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Message => "message",
        EventKind::Status => "status",
        EventKind::Timer => "timer",
        EventKind::HttpResponse => "http-response",
        EventKind::Other => "other",
    }
}
