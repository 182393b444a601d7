//! Webhooks: tenants' own endpoints, and the notices that go to them.
//!
//! A notice tells of a change and is written in the change's transaction, one row per endpoint that wants it. Whether
//! anybody wants it is known from memory ([`listeners`]), so that who has no webhooks pays nothing for those who have.
//! A row is its own place in the queue, as with HTTP calls: a claim moves `ready_at` to the end of its lease and draws a
//! token; the settlement, fenced by the token, moves the row to the history or puts it off.

mod change;
mod claim;
mod history;
pub(crate) mod listeners;
pub(crate) mod notices;
mod settle;
pub mod types;

use chrono::{DateTime, Utc};
use hoopoe_secrets::{MasterKey, Sealed};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

pub use self::change::{ChangeError, MOST_WEBHOOKS, NewWebhook, WebhookChange};
pub use self::claim::{Claimed, NoticeAsk, NoticeLease, Turn};
pub use self::history::{Delivery, Redrive, State};
pub use self::settle::{NoticeSettlement, Outcome};
use crate::{Error, Store};

/// A tenant's endpoint.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Stable id.
    pub id: Uuid,
    /// Where notices are posted.
    pub url: String,
    /// What it wants to be told.
    pub types: Vec<String>,
    /// What people call it.
    pub description: Option<String>,
    /// Since when it is told nothing, and why.
    pub disabled: Option<(DateTime<Utc>, String)>,
    /// Since when every attempt has failed.
    pub failing_since: Option<DateTime<Utc>>,
    /// The last attempt that failed, and why.
    pub last_failure: Option<(DateTime<Utc>, String)>,
    /// Until when the former secret signs along.
    pub former_secret_until: Option<DateTime<Utc>>,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
    /// When it was changed last.
    pub updated_at: DateTime<Utc>,
}

/// Seals the secret of a webhook. `nonce` must be fresh random bytes. [`open_secret`] opens it for the same tenant and
/// webhook only.
pub fn seal_secret(
    key: &MasterKey,
    tenant_id: Uuid,
    webhook_id: Uuid,
    secret: &SecretString,
    nonce: [u8; 12],
) -> Sealed {
    // The seal binds the tenant; the webhook is sealed along, in front.
    let whole = SecretString::from(format!("webhook {webhook_id}\n{}", secret.expose_secret()));
    key.seal(tenant_id, &whole, nonce)
}

/// Opens what [`seal_secret`] sealed.
pub fn open_secret(
    key: &MasterKey,
    tenant_id: Uuid,
    webhook_id: Uuid,
    sealed: &Sealed,
) -> Result<SecretString, hoopoe_secrets::Error> {
    let whole = key.open(tenant_id, sealed)?;
    let secret = whole.expose_secret().strip_prefix(&format!("webhook {webhook_id}\n"));
    secret.map(SecretString::from).ok_or(hoopoe_secrets::Error::Altered)
}

impl Store {
    /// A tenant's webhooks, oldest first; or the one with this id.
    pub async fn webhooks(&self, tenant_id: Uuid, id: Option<Uuid>) -> Result<Vec<Webhook>, Error> {
        // Primary key.
        let rows = sqlx::query!(
            "select id, url, types, description, disabled_at, disabled_reason, failing_since, last_failure,
                    last_failure_at, former_until, created_at, updated_at
             from webhooks where tenant_id = $1 and ($2::uuid is null or id = $2) order by id",
            tenant_id,
            id
        )
        .fetch_all(&self.pool)
        .await?;
        let now = self.ambient.now();
        let webhooks = rows.into_iter().map(|row| Webhook {
            id: row.id,
            url: row.url,
            types: row.types,
            description: row.description,
            disabled: row.disabled_at.map(|at| (at, row.disabled_reason.unwrap_or_default())),
            failing_since: row.failing_since,
            last_failure: row.last_failure_at.map(|at| (at, row.last_failure.unwrap_or_default())),
            former_secret_until: row.former_until.filter(|until| *until > now),
            created_at: row.created_at,
            updated_at: row.updated_at,
        });
        Ok(webhooks.collect())
    }

    /// A tenant's webhook, or `None`.
    pub async fn webhook(&self, tenant_id: Uuid, id: Uuid) -> Result<Option<Webhook>, Error> {
        Ok(self.webhooks(tenant_id, Some(id)).await?.pop())
    }
}
