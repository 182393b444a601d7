//! Changes of templates. Each locks the template, so that versions are counted one after the other.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{ChangeError, MOST_LANGUAGES, MOST_TEMPLATES, NewVersion};
use crate::Store;

impl Store {
    /// A new template with its first language, which is the default one. A deleted key can be used again.
    pub async fn create_template(
        &self,
        tenant_id: Uuid,
        key: &str,
        language: &str,
        components: &str,
        metadata: &str,
    ) -> Result<(), ChangeError> {
        let now = self.ambient.now();
        let mut tx = self.pool.begin().await?;
        // Primary key, by its first column.
        let kept = sqlx::query_scalar!(
            r#"select count(*) as "count!" from templates where tenant_id = $1 and deleted_at is null"#,
            tenant_id
        )
        .fetch_one(&mut *tx)
        .await?;
        if kept >= MOST_TEMPLATES {
            let message = format!("a tenant has at most {MOST_TEMPLATES} templates; delete one that is not used");
            return Err(ChangeError::TooMany(message));
        }
        // Primary key.
        let created = sqlx::query!(
            "insert into templates (tenant_id, key, default_language, created_at) values ($1, $2, $3, $4)
             on conflict (tenant_id, key) do update
             set default_language = excluded.default_language, created_at = excluded.created_at, deleted_at = null
             where templates.deleted_at is not null",
            tenant_id,
            key,
            language,
            now
        )
        .execute(&mut *tx)
        .await?;
        if created.rows_affected() == 0 {
            return Err(ChangeError::KeyTaken(key.to_owned()));
        }
        append(&mut tx, tenant_id, key, (language, components, metadata, false), now).await?;
        tx.commit().await?;
        Ok(())
    }

    /// A new version of a language, or the first of a new one. Gives the language.
    pub async fn update_template(&self, tenant_id: Uuid, new: &NewVersion) -> Result<String, ChangeError> {
        let now = self.ambient.now();
        let mut tx = self.pool.begin().await?;
        let key = &new.key;
        let default = lock(&mut tx, tenant_id, key).await?;
        let language = new.language.clone().unwrap_or(default);
        let known = current(&mut tx, tenant_id, key).await?;
        if !known.contains(&language) && known.len() >= MOST_LANGUAGES {
            let message = format!("a template has at most {MOST_LANGUAGES} languages; delete one that is not used");
            return Err(ChangeError::TooMany(message));
        }
        append(&mut tx, tenant_id, key, (&language, &new.components, &new.metadata, false), now).await?;
        if new.make_default {
            // Primary key.
            sqlx::query!(
                "update templates set default_language = $3 where tenant_id = $1 and key = $2",
                tenant_id,
                key,
                language
            )
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(language)
    }

    /// Deletes a template, or one of its languages but the default one. The versions stay.
    pub async fn delete_template(&self, tenant_id: Uuid, key: &str, language: Option<&str>) -> Result<(), ChangeError> {
        let now = self.ambient.now();
        let mut tx = self.pool.begin().await?;
        let default = lock(&mut tx, tenant_id, key).await?;
        let known = current(&mut tx, tenant_id, key).await?;
        match language {
            Some(language) if !known.iter().any(|known| known == language) => {
                return Err(ChangeError::MissingLanguage { key: key.to_owned(), language: language.to_owned() });
            }
            Some(language) if language == default => return Err(ChangeError::DefaultLanguage(default)),
            Some(language) => append(&mut tx, tenant_id, key, (language, "[]", "{}", true), now).await?,
            None => {
                for language in &known {
                    append(&mut tx, tenant_id, key, (language, "[]", "{}", true), now).await?;
                }
                // Primary key.
                sqlx::query!(
                    "update templates set deleted_at = $3 where tenant_id = $1 and key = $2",
                    tenant_id,
                    key,
                    now
                )
                .execute(&mut *tx)
                .await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }
}

/// Locks a template until the transaction ends, so that its changes come one after the other. Gives its default
/// language.
async fn lock(db: &mut PgConnection, tenant_id: Uuid, key: &str) -> Result<String, ChangeError> {
    // Primary key.
    let default = sqlx::query_scalar!(
        "select default_language from templates
         where tenant_id = $1 and key = $2 and deleted_at is null for no key update",
        tenant_id,
        key
    )
    .fetch_optional(db)
    .await?;
    default.ok_or_else(|| ChangeError::Missing(key.to_owned()))
}

/// The languages that a template has.
async fn current(db: &mut PgConnection, tenant_id: Uuid, key: &str) -> Result<Vec<String>, sqlx::Error> {
    // Primary key, backwards.
    sqlx::query_scalar!(
        r#"select language as "language!" from (
               select distinct on (language) language, removed from template_versions
               where tenant_id = $1 and key = $2 order by language desc, version desc
           ) v where not removed"#,
        tenant_id,
        key
    )
    .fetch_all(db)
    .await
}

/// Appends a version of a language. The template is locked.
async fn append(
    db: &mut PgConnection,
    tenant_id: Uuid,
    key: &str,
    (language, components, metadata, removed): (&str, &str, &str, bool),
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    // Primary key.
    sqlx::query!(
        "insert into template_versions
             (tenant_id, key, language, version, components, metadata, created_at, removed)
         select $1, $2, $3, coalesce(max(version), 0) + 1, $4::text::json, $5::text::json, $6, $7
         from template_versions where tenant_id = $1 and key = $2 and language = $3",
        tenant_id,
        key,
        language,
        components,
        metadata,
        now,
        removed
    )
    .execute(db)
    .await?;
    Ok(())
}
