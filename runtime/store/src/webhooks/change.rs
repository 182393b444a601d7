//! Changes of webhooks. Each is known to this process before it returns.

use chrono::{DateTime, Utc};
use hoopoe_secrets::Sealed;
use uuid::Uuid;

use super::notices::test_notice;
use super::types;
use crate::{Error, Store};

/// Most webhooks of a tenant.
pub const MOST_WEBHOOKS: i64 = 20;

/// A webhook to register.
#[derive(Debug)]
pub struct NewWebhook {
    /// Its id: the secret is sealed for it.
    pub id: Uuid,
    /// Where notices are posted.
    pub url: String,
    /// What it wants to be told.
    pub types: Vec<String>,
    /// What people call it.
    pub description: Option<String>,
    /// What signs.
    pub secret: Sealed,
}

/// What changes; what is absent stays.
#[derive(Debug, Default)]
pub struct WebhookChange {
    /// Where notices are posted.
    pub url: Option<String>,
    /// What it wants to be told.
    pub types: Option<Vec<String>>,
    /// What people call it.
    pub description: Option<String>,
    /// Whether it is told anything. Once it is again, what waited goes out.
    pub enabled: Option<bool>,
}

/// Why a webhook was not registered.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The tenant has enough.
    #[error("a tenant has at most {MOST_WEBHOOKS} webhooks; delete one that is not used")]
    TooMany,
    /// The database.
    #[error(transparent)]
    Store(#[from] Error),
}

impl Store {
    /// Registers a webhook.
    pub async fn create_webhook(&self, tenant_id: Uuid, new: &NewWebhook) -> Result<(), ChangeError> {
        let now = self.ambient.now();
        let mut tx = self.pool.begin().await.map_err(Error::from)?;
        // Primary key. Changes of one tenant come one after the other, so that they are counted; no message waits for it.
        sqlx::query_scalar!("select id from tenants where id = $1 for no key update", tenant_id)
            .fetch_optional(&mut *tx)
            .await
            .map_err(Error::from)?;
        // Primary key, by its first column.
        let created = sqlx::query!(
            "insert into webhooks (tenant_id, id, url, types, description, secret_sealed, secret_key_id, created_at,
                                   updated_at)
             select $1, $2, $3, $4, $5, $6, $7, $8, $8
             where (select count(*) from webhooks where tenant_id = $1) < $9",
            tenant_id,
            new.id,
            new.url,
            &new.types,
            new.description,
            new.secret.bytes,
            new.secret.key_id,
            now,
            MOST_WEBHOOKS
        )
        .execute(&mut *tx)
        .await
        .map_err(Error::from)?;
        if created.rows_affected() == 0 {
            return Err(ChangeError::TooMany);
        }
        tx.commit().await.map_err(Error::from)?;
        self.webhooks_changed().await;
        Ok(())
    }

    /// Changes a webhook; whether there is one. Who enables it again begins with a clean slate.
    pub async fn change_webhook(&self, tenant_id: Uuid, id: Uuid, change: &WebhookChange) -> Result<bool, Error> {
        // Primary key.
        let changed = sqlx::query!(
            "update webhooks set
                 url = coalesce($3, url), types = coalesce($4, types), description = coalesce($5, description),
                 disabled_at = case $6::bool when true then null when false then coalesce(disabled_at, $7)
                                       else disabled_at end,
                 disabled_reason = case $6 when true then null
                                           when false then coalesce(disabled_reason, 'switched off by the tenant')
                                           else disabled_reason end,
                 failing_since = case when $6 then null else failing_since end,
                 updated_at = $7
             where tenant_id = $1 and id = $2",
            tenant_id,
            id,
            change.url,
            change.types.as_deref(),
            change.description,
            change.enabled,
            self.ambient.now()
        )
        .execute(&self.pool)
        .await?;
        self.webhooks_changed().await;
        self.wakes.webhooks.notify_one();
        Ok(changed.rows_affected() > 0)
    }

    /// Deletes a webhook with everything that waits for it, and its history; whether there was one. Notices that cannot
    /// be removed now are by [`Store::delete_notices_before`].
    pub async fn delete_webhook(&self, tenant_id: Uuid, id: Uuid) -> Result<bool, Error> {
        // Primary key. Committed before notices are touched: who settles those locks them first, and then the webhook.
        let gone = sqlx::query!("delete from webhooks where tenant_id = $1 and id = $2", tenant_id, id)
            .execute(&self.pool)
            .await?;
        self.webhooks_changed().await;
        if let Err(error) = self.delete_notices_of(tenant_id, id).await {
            tracing::warn!(tenant = %tenant_id, webhook = %id, %error, "notices of a deleted webhook are removed later");
        }
        Ok(gone.rows_affected() > 0)
    }

    /// First those that wait: who settles one meanwhile moves it to the history.
    async fn delete_notices_of(&self, tenant_id: Uuid, webhook_id: Uuid) -> Result<(), Error> {
        // Primary keys, by their first columns. Locked in the order of keys, as by who settles.
        sqlx::query!(
            "delete from webhook_queue q
             using (select notice_id from webhook_queue where tenant_id = $1 and webhook_id = $2
                    order by notice_id for update) as k
             where q.tenant_id = $1 and q.webhook_id = $2 and q.notice_id = k.notice_id",
            tenant_id,
            webhook_id
        )
        .execute(&self.pool)
        .await?;
        sqlx::query!("delete from webhook_deliveries where tenant_id = $1 and webhook_id = $2", tenant_id, webhook_id)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Signs with another secret from now on; the one before signs along until `until`. Whether there is such a webhook.
    pub async fn rotate_webhook_secret(
        &self,
        tenant_id: Uuid,
        id: Uuid,
        secret: &Sealed,
        until: DateTime<Utc>,
    ) -> Result<bool, Error> {
        // Primary key.
        let rotated = sqlx::query!(
            "update webhooks set former_sealed = secret_sealed, former_key_id = secret_key_id, former_until = $5,
                 secret_sealed = $3, secret_key_id = $4, updated_at = $6
             where tenant_id = $1 and id = $2",
            tenant_id,
            id,
            secret.bytes,
            secret.key_id,
            until,
            self.ambient.now()
        )
        .execute(&self.pool)
        .await?;
        Ok(rotated.rows_affected() > 0)
    }

    /// Queues a notice that tells of nothing, for this webhook, whatever it wants. Gives its id; `None` when there is no
    /// such webhook, or it is disabled.
    pub async fn test_webhook(&self, tenant_id: Uuid, id: Uuid) -> Result<Option<String>, Error> {
        let now = self.ambient.now();
        let (notice_id, body) = test_notice(tenant_id, self.ambient.id(), now);
        // Primary key.
        let queued = sqlx::query!(
            "insert into webhook_queue (tenant_id, webhook_id, notice_id, type, body, ready_at, created_at)
             select tenant_id, id, $3, $4, $5, $6, $6 from webhooks
             where tenant_id = $1 and id = $2 and disabled_at is null",
            tenant_id,
            id,
            notice_id,
            types::TEST,
            body,
            now
        )
        .execute(&self.pool)
        .await?;
        self.wakes.webhooks.notify_one();
        Ok((queued.rows_affected() > 0).then_some(notice_id))
    }

    /// What this process remembers is read anew. Where that fails, it is within seconds.
    pub(super) async fn webhooks_changed(&self) {
        if let Err(error) = self.refresh_listeners().await {
            tracing::warn!(%error, "could not look which tenants have webhooks; trying again soon");
        }
    }
}
