//! Templates: a key of a tenant, with a text in one or more languages.
//!
//! A change of a language appends a version; the greatest counts, and those before it stay. A deleted language ends
//! with a version that says so. A deleted key is free again: a new template goes on counting the versions where the
//! old one ended, so that a version never means two things.

mod change;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{Error, Store};

/// Most templates of a tenant.
pub const MOST_TEMPLATES: i64 = 1000;
/// Most languages of a template.
pub const MOST_LANGUAGES: usize = 50;

/// A template in all its languages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Unique per tenant.
    pub key: String,
    /// The language that stands in for one that is missing.
    pub default_language: String,
    /// When the key was given out.
    pub created_at: DateTime<Utc>,
    /// By code; at least the default.
    pub languages: Vec<Version>,
}

/// The current version of a template in one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// For example `en` or `pt_BR`.
    pub language: String,
    /// Grows by one with every change.
    pub version: i32,
    /// JSON text of a list.
    pub components: String,
    /// JSON text of an object.
    pub metadata: String,
    /// When it was written.
    pub created_at: DateTime<Utc>,
}

/// A text to write.
#[derive(Debug, Clone)]
pub struct NewVersion {
    /// The template.
    pub key: String,
    /// The language; the template's default when absent.
    pub language: Option<String>,
    /// JSON text of a list.
    pub components: String,
    /// JSON text of an object.
    pub metadata: String,
    /// Make this language the default one.
    pub make_default: bool,
}

/// What is needed to render a template.
#[derive(Debug, Clone)]
pub struct Rendering {
    /// The language that was found.
    pub language: String,
    /// Its version.
    pub version: i32,
    /// JSON text of a list.
    pub components: String,
    /// JSON text of an object.
    pub metadata: String,
    /// The tenant's own renderer: name and digest of the version.
    pub renderer: Option<(String, String)>,
    /// The renderer's configuration: JSON text of an object.
    pub config: String,
}

/// Why a template was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The key is in use.
    #[error("the key {0} is used by another template; change that one with PUT, or choose another key")]
    KeyTaken(String),
    /// There is no such template.
    #[error("the tenant has no template {0}")]
    Missing(String),
    /// The template does not have this language.
    #[error("template {key} has no language {language}")]
    MissingLanguage {
        /// The template.
        key: String,
        /// The language.
        language: String,
    },
    /// Others fall back to this language.
    #[error("{0} is the default language; delete the whole template, or make another language the default one first")]
    DefaultLanguage(String),
    /// A limit of what a tenant may keep.
    #[error("{0}")]
    TooMany(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] Error),
}

impl From<sqlx::Error> for ChangeError {
    fn from(error: sqlx::Error) -> Self {
        ChangeError::Store(error.into())
    }
}

impl Store {
    /// A template in all its languages, or `None`.
    pub async fn template(&self, tenant_id: Uuid, key: &str) -> Result<Option<Template>, Error> {
        // Primary key.
        let Some(row) = sqlx::query!(
            "select default_language, created_at from templates
             where tenant_id = $1 and key = $2 and deleted_at is null",
            tenant_id,
            key
        )
        .fetch_optional(&self.pool)
        .await?
        else {
            return Ok(None);
        };
        let template = Template {
            key: key.to_owned(),
            default_language: row.default_language,
            created_at: row.created_at,
            languages: Vec::new(),
        };
        Ok(self.with_languages(tenant_id, vec![template]).await?.pop())
    }

    /// A page of a tenant's templates by key, those after `after`.
    pub async fn templates(&self, tenant_id: Uuid, after: Option<&str>, limit: i64) -> Result<Vec<Template>, Error> {
        // Primary key, in its order.
        let rows = sqlx::query!(
            "select key, default_language, created_at from templates
             where tenant_id = $1 and key > $2 and deleted_at is null order by key limit $3",
            tenant_id,
            after.unwrap_or_default(),
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        let templates = rows.into_iter().map(|row| Template {
            key: row.key,
            default_language: row.default_language,
            created_at: row.created_at,
            languages: Vec::new(),
        });
        self.with_languages(tenant_id, templates.collect()).await
    }

    /// The template in the first of these languages that it has, else in its default one, and what renders it.
    pub async fn rendering(
        &self,
        tenant_id: Uuid,
        key: &str,
        languages: &[String],
    ) -> Result<Option<Rendering>, Error> {
        // Primary keys; the versions backwards, for each language in turn.
        let row = sqlx::query!(
            r#"select v.language, v.version, v.components::text as "components!", v.metadata::text as "metadata!",
                      n.renderer, n.renderer_digest,
                      coalesce((select config::text from plugin_configs
                                where tenant_id = n.id and id = n.renderer_config_id), '{}') as "config!"
               from tenants n
               join templates t on t.tenant_id = n.id and t.key = $2 and t.deleted_at is null
               cross join lateral unnest($3::text[] || t.default_language) with ordinality as w (language, place)
               cross join lateral (
                   select language, version, components, metadata, removed from template_versions
                   where tenant_id = t.tenant_id and key = t.key and language = w.language
                   order by version desc limit 1
               ) v
               where n.id = $1 and not v.removed
               order by w.place limit 1"#,
            tenant_id,
            key,
            languages
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|row| Rendering {
            language: row.language,
            version: row.version,
            components: row.components,
            metadata: row.metadata,
            renderer: row.renderer.zip(row.renderer_digest),
            config: row.config,
        }))
    }

    /// Whether the tenant has a renderer of its own.
    pub async fn has_renderer(&self, tenant_id: Uuid) -> Result<bool, Error> {
        // Primary key.
        let own = sqlx::query_scalar!(
            r#"select renderer_digest is not null as "own!" from tenants where id = $1"#,
            tenant_id
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(own.unwrap_or_default())
    }

    async fn with_languages(&self, tenant_id: Uuid, mut templates: Vec<Template>) -> Result<Vec<Template>, Error> {
        let keys: Vec<String> = templates.iter().map(|template| template.key.clone()).collect();
        // Primary key, backwards for each key.
        let rows = sqlx::query!(
            r#"select k.place as "place!", v.language, v.version, v.components::text as "components!",
                      v.metadata::text as "metadata!", v.created_at
               from unnest($2::text[]) with ordinality as k (key, place)
               cross join lateral (
                   select distinct on (language) language, version, components, metadata, created_at, removed
                   from template_versions where tenant_id = $1 and key = k.key
                   order by language desc, version desc
               ) v
               where not v.removed
               order by k.place, v.language"#,
            tenant_id,
            &keys
        )
        .fetch_all(&self.pool)
        .await?;
        for row in rows {
            let place = usize::try_from(row.place - 1).unwrap_or(usize::MAX);
            let Some(template) = templates.get_mut(place) else { continue };
            template.languages.push(Version {
                language: row.language,
                version: row.version,
                components: row.components,
                metadata: row.metadata,
                created_at: row.created_at,
            });
        }
        Ok(templates)
    }
}
