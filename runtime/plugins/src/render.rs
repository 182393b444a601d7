//! Stored templates: from a key and values to what is to be sent, through the tenant's renderer.
//!
//! The renderer runs in the sandbox like a flow: the built-in plugin `templates`, or the tenant's own. What it gives
//! back is checked against Meta's limits here, whoever wrote it.

use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use hoopoe_protocol::outbound::Content;
use hoopoe_sandbox::contract::{Tenant, renderer};
use hoopoe_sandbox::{Digest, Failure, GetError, Owner, Renderer};
use hoopoe_store::templates::Rendering;
use uuid::Uuid;

use crate::{Error, Library, send_content};

/// The built-in renderer.
static BUILTIN: LazyLock<Digest> = LazyLock::new(|| Digest::of(hoopoe_builtin::TEMPLATES.component));

/// Why there is nothing to send. The texts are for whoever sends.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// There is no template with this key.
    #[error("there is no template {0}")]
    UnknownTemplate(String),
    /// This is no language.
    #[error("{0}")]
    UnknownLanguage(String),
    /// Variables have neither value nor default.
    #[error("the template {template} needs {}: give each a value in variables", .names.join(", "))]
    MissingVariables {
        /// The template's key.
        template: String,
        /// The variables' names, in reading order.
        names: Vec<String>,
    },
    /// The template cannot be sent with these values.
    #[error("the template {template} cannot be sent: {reason}")]
    Invalid {
        /// The template's key.
        template: String,
        /// Why not.
        reason: String,
    },
    /// The renderer failed.
    #[error("the renderer {name} failed ({code}): {reason}")]
    Failed {
        /// The renderer's name.
        name: String,
        /// A stable word, see [`Failure::code`]; `load` when the renderer could not be loaded.
        code: &'static str,
        /// What happened.
        reason: String,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] hoopoe_store::Error),
}

impl RenderError {
    /// Whether the same call can succeed later.
    pub fn is_passing(&self) -> bool {
        match self {
            RenderError::Store(error) => error.is_passing(),
            RenderError::Failed { code, .. } => *code == Failure::Busy.code(),
            _ => false,
        }
    }
}

/// A rendered template.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// Within Meta's limits.
    pub content: Content,
    /// The template says that Meta's category of it is `MARKETING` (`metadata.meta.category`).
    pub marketing: bool,
}

impl Library {
    /// Renders a tenant's template: in `language` when it has that, else in the closest one (`en_GB`, `en`, the
    /// template's default). `tenant` is id and name; `variables` are names and values, positional ones under `1`, `2`
    /// and so on; `now` is what the renderer takes for the time. What comes back is within Meta's limits.
    pub async fn render(
        &self,
        tenant: (Uuid, &str),
        key: &str,
        language: Option<&str>,
        variables: &[(String, String)],
        now: DateTime<Utc>,
    ) -> Result<Rendered, RenderError> {
        let languages = match language.map(hoopoe_templates::language).transpose() {
            Ok(language) => language.as_deref().map(hoopoe_templates::fallbacks).unwrap_or_default(),
            Err(error) => return Err(RenderError::UnknownLanguage(error.message)),
        };
        let unknown = || RenderError::UnknownTemplate(key.to_owned());
        if hoopoe_templates::check_key(key).is_err() {
            return Err(unknown());
        }
        let found = self.store.rendering(tenant.0, key, &languages).await?.ok_or_else(unknown)?;
        let renderer = self.renderer(tenant.0, &found).await?;
        let Rendering { language, version, components, metadata, config, .. } = found;
        let marketing = is_marketing(&metadata);
        let request = renderer::Request {
            tenant: Tenant { id: tenant.0.to_string(), name: tenant.1.to_owned() },
            template: renderer::Template {
                key: key.to_owned(),
                language,
                version: u32::try_from(version).unwrap_or_default(),
                components,
                metadata,
            },
            variables: variables.to_vec(),
            now: u64::try_from(now.timestamp_millis()).unwrap_or_default(),
            config,
        };
        let run = renderer.render(Owner(tenant.0.as_u128()), request).await;
        let invalid = |reason: String| RenderError::Invalid { template: key.to_owned(), reason };
        let content = run.result.map_err(|failure| match failure {
            Failure::MissingVariables(names) => RenderError::MissingVariables { template: key.to_owned(), names },
            Failure::Invalid(reason) => invalid(reason),
            failure => {
                let (code, reason) = (failure.code(), failure.to_string());
                tracing::info!(tenant = %tenant.0, template = key, code, reason, "a template was not rendered");
                RenderError::Failed { name: renderer.manifest().name.clone(), code, reason }
            }
        })?;
        let content = send_content(&content).map_err(invalid)?;
        content.payload(None).map_err(|error| invalid(error.to_string()))?;
        Ok(Rendered { content, marketing })
    }

    /// The tenant's own renderer, else the built-in one.
    async fn renderer(&self, tenant_id: Uuid, found: &Rendering) -> Result<Renderer, RenderError> {
        let Some((name, hex)) = &found.renderer else {
            let component = async { Ok::<_, Error>(hoopoe_builtin::TEMPLATES.component.to_vec()) };
            let loaded = self.sandbox.get_renderer(*BUILTIN, component).await;
            return loaded.map_err(|error| failed(hoopoe_builtin::TEMPLATES.name, error));
        };
        let missing = || Error::Missing(format!("{name} with digest {hex}"));
        let digest = Digest::from_hex(hex).ok_or_else(|| failed(name, GetError::Fetch(missing())))?;
        let component = async {
            let component = self.store.plugin_component(tenant_id, name, hex).await?;
            component.ok_or_else(missing)
        };
        self.sandbox_for(tenant_id).get_renderer(digest, component).await.map_err(|error| failed(name, error))
    }
}

/// Whether a template's metadata says that it is marketing.
fn is_marketing(metadata: &str) -> bool {
    let metadata: serde_json::Value = serde_json::from_str(metadata).unwrap_or_default();
    let category = metadata.pointer("/meta/category").and_then(serde_json::Value::as_str);
    category.is_some_and(|category| category.eq_ignore_ascii_case("MARKETING"))
}

fn failed(name: &str, error: GetError<Error>) -> RenderError {
    let reason = match error {
        GetError::Fetch(Error::Store(error)) => return RenderError::Store(error),
        GetError::Fetch(error) => error.to_string(),
        GetError::Load(error) => error.to_string(),
    };
    RenderError::Failed { name: name.to_owned(), code: "load", reason }
}
