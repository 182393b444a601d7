//! Tenants' own apps at Meta: whose a webhook address is, what signs there, and what Meta repeats to verify it.

use chrono::{DateTime, Utc};
use hoopoe_secrets::Sealed;
use uuid::Uuid;

use crate::{Error, Store};

/// A tenant's own app.
#[derive(Debug, Clone)]
pub struct MetaApp {
    /// The tenant.
    pub tenant_id: Uuid,
    /// The last part of its webhook's address.
    pub webhook_key: String,
    /// Meta's id of it, when it was told.
    pub app_id: Option<String>,
    /// Signs its webhooks.
    pub secret: Sealed,
    /// The secret before the last change, and until when it is taken along.
    pub former: Option<(Sealed, DateTime<Utc>)>,
    /// What Meta repeats when it verifies the address.
    pub verify_token: Sealed,
    /// When it did so last.
    pub verified_at: Option<DateTime<Utc>>,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
    /// When it was changed last.
    pub updated_at: DateTime<Utc>,
}

/// What a tenant says of its app.
#[derive(Debug)]
pub struct MetaAppChange {
    /// For a new app: the last part of its address.
    pub webhook_key: String,
    /// Meta's id of it; what is known stays when absent.
    pub app_id: Option<String>,
    /// Signs its webhooks.
    pub secret: Sealed,
    /// Until when the former secret is taken along; at once no more when absent.
    pub former_until: Option<DateTime<Utc>>,
    /// The secret is the one that is known: the former one stays what it is.
    pub keep_former: bool,
    /// What Meta is to repeat; of an app that is known the former one stays when absent.
    pub verify_token: Option<Sealed>,
    /// The same for an app that is new.
    pub new_verify_token: Sealed,
}

/// A row, before its secrets are put together.
struct Row {
    tenant_id: Uuid,
    webhook_key: String,
    app_id: Option<String>,
    secret_sealed: Vec<u8>,
    secret_key_id: String,
    former_sealed: Option<Vec<u8>>,
    former_key_id: Option<String>,
    former_until: Option<DateTime<Utc>>,
    verify_sealed: Vec<u8>,
    verify_key_id: String,
    verified_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Row> for MetaApp {
    fn from(row: Row) -> Self {
        let former = row.former_sealed.zip(row.former_key_id).zip(row.former_until);
        Self {
            tenant_id: row.tenant_id,
            webhook_key: row.webhook_key,
            app_id: row.app_id,
            secret: Sealed { key_id: row.secret_key_id, bytes: row.secret_sealed },
            former: former.map(|((bytes, key_id), until)| (Sealed { key_id, bytes }, until)),
            verify_token: Sealed { key_id: row.verify_key_id, bytes: row.verify_sealed },
            verified_at: row.verified_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

impl Store {
    /// The app whose webhooks come to the address that ends so.
    pub async fn meta_app_of_webhook(&self, webhook_key: &str) -> Result<Option<MetaApp>, Error> {
        // Index meta_apps_webhook_key.
        let row = sqlx::query_as!(
            Row,
            "select tenant_id, webhook_key, app_id, secret_sealed, secret_key_id, former_sealed, former_key_id,
                 former_until, verify_sealed, verify_key_id, verified_at, created_at, updated_at
             from meta_apps where webhook_key = $1",
            webhook_key
        );
        Ok(row.fetch_optional(&self.pool).await?.map(MetaApp::from))
    }

    /// The tenant's own app, if it has one.
    pub async fn meta_app(&self, tenant_id: Uuid) -> Result<Option<MetaApp>, Error> {
        let row = sqlx::query_as!(
            Row,
            "select tenant_id, webhook_key, app_id, secret_sealed, secret_key_id, former_sealed, former_key_id,
                 former_until, verify_sealed, verify_key_id, verified_at, created_at, updated_at
             from meta_apps where tenant_id = $1",
            tenant_id
        );
        Ok(row.fetch_optional(&self.pool).await?.map(MetaApp::from))
    }

    /// Registers the tenant's app or changes it. Its address stays. Gives whether it is new.
    pub async fn set_meta_app(&self, tenant_id: Uuid, change: &MetaAppChange) -> Result<bool, Error> {
        let verify_token = change.verify_token.as_ref();
        let new_verify_token = verify_token.unwrap_or(&change.new_verify_token);
        let is_new = sqlx::query_scalar!(
            r#"insert into meta_apps as m
                   (tenant_id, webhook_key, app_id, secret_sealed, secret_key_id, verify_sealed, verify_key_id,
                    created_at, updated_at)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $8)
               on conflict (tenant_id) do update set
                   app_id = coalesce($3, m.app_id),
                   former_sealed = case when $9::timestamptz is null then null
                                        when $12 then m.former_sealed else m.secret_sealed end,
                   former_key_id = case when $9::timestamptz is null then null
                                        when $12 then m.former_key_id else m.secret_key_id end,
                   former_until = $9, secret_sealed = $4, secret_key_id = $5,
                   verify_sealed = coalesce($10, m.verify_sealed), verify_key_id = coalesce($11, m.verify_key_id),
                   updated_at = $8
               returning (m.xmax = 0) as "is_new!""#,
            tenant_id,
            change.webhook_key,
            change.app_id,
            change.secret.bytes,
            change.secret.key_id,
            new_verify_token.bytes,
            new_verify_token.key_id,
            self.ambient.now(),
            change.former_until,
            verify_token.map(|sealed| sealed.bytes.as_slice()),
            verify_token.map(|sealed| sealed.key_id.as_str()),
            change.keep_former
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(is_new)
    }

    /// Removes the tenant's app: its address is none any more. False when it has none.
    pub async fn delete_meta_app(&self, tenant_id: Uuid) -> Result<bool, Error> {
        let deleted = sqlx::query!("delete from meta_apps where tenant_id = $1", tenant_id).execute(&self.pool).await?;
        Ok(deleted.rows_affected() > 0)
    }

    /// Keeps that Meta has verified the address.
    pub async fn meta_app_verified(&self, tenant_id: Uuid) -> Result<(), Error> {
        let now = self.ambient.now();
        sqlx::query!("update meta_apps set verified_at = $2 where tenant_id = $1", tenant_id, now)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}
