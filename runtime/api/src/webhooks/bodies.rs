//! Webhooks as JSON.

use chrono::{DateTime, Utc};
use hoopoe_store::webhooks::{Delivery, State, Webhook};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// An endpoint to register.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct NewWebhookBody {
    /// https, on a public address, at most 2,048 bytes.
    #[schema(example = "https://example.com/hoopoe")]
    pub url: String,
    /// What it wants to be told: types, families such as `message.*`, or `*`; 1 to 50.
    #[schema(example = json!(["message.*", "alert.*"]))]
    pub types: Vec<String>,
    /// For people, at most 200 characters.
    pub description: Option<String>,
}

/// What changes; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct WebhookChangeBody {
    /// As with a new one.
    pub url: Option<String>,
    /// As with a new one.
    pub types: Option<Vec<String>>,
    /// As with a new one.
    pub description: Option<String>,
    /// False switches it off. True switches it on again, also one that was disabled because it failed.
    pub enabled: Option<bool>,
}

/// An endpoint.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookBody {
    /// Stable.
    pub id: Uuid,
    /// Where notices are posted.
    pub url: String,
    /// What it wants to be told.
    pub types: Vec<String>,
    /// For people.
    pub description: Option<String>,
    /// Whether it is told anything.
    pub enabled: bool,
    /// Since when it is not.
    pub disabled_at: Option<DateTime<Utc>>,
    /// Why it is not.
    pub disabled_reason: Option<String>,
    /// Since when every attempt has failed. After 5 days it is disabled.
    pub failing_since: Option<DateTime<Utc>>,
    /// When an attempt failed last.
    pub last_failure_at: Option<DateTime<Utc>>,
    /// What was answered then, or why nothing was.
    pub last_failure: Option<String>,
    /// Until when the former secret signs along.
    pub former_secret_until: Option<DateTime<Utc>>,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
    /// When it was changed last.
    pub updated_at: DateTime<Utc>,
    /// The latest that were given up, newest first; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recent_failures: Option<Vec<DeliveryBody>>,
}

/// An endpoint that was registered.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookCreated {
    /// As it is shown from now on.
    #[serde(flatten)]
    pub webhook: WebhookBody,
    /// Verifies signatures; shown this once.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    pub secret: String,
}

/// A new secret.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretBody {
    /// Verifies signatures; shown this once.
    pub secret: String,
    /// Until when the former secret signs along.
    pub former_until: Option<DateTime<Utc>>,
}

impl SecretBody {
    /// The one place where a secret is shown.
    pub fn of(secret: &SecretString) -> Self {
        Self { secret: secret.expose_secret().to_owned(), former_until: None }
    }
}

/// A tenant's endpoints.
#[derive(Serialize, ToSchema)]
pub struct WebhookList {
    /// Oldest first.
    pub webhooks: Vec<WebhookBody>,
}

/// How a notice fares.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryStatus {
    /// Being tried, or waiting for the next attempt.
    Waiting,
    /// The endpoint has it.
    Delivered,
    /// Given up; a redrive sends it once more.
    Failed,
}

/// A notice for an endpoint.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryBody {
    /// The header `webhook-id`.
    pub id: String,
    /// What it tells.
    #[serde(rename = "type")]
    #[schema(example = "message.delivered")]
    pub kind: String,
    /// How it fares.
    pub status: DeliveryStatus,
    /// So far; 8 at the most.
    pub attempts: i32,
    /// HTTP's, of the last answer.
    pub response_status: Option<i16>,
    /// The beginning of the last answer, at most 512 bytes, or why there was none.
    pub response: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// While it waits.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// When it was delivered or given up.
    pub settled_at: Option<DateTime<Utc>>,
}

/// A page of notices.
#[derive(Serialize, ToSchema)]
pub struct DeliveryPage {
    /// Newest first.
    pub deliveries: Vec<DeliveryBody>,
    /// For `before`, when there may be more.
    pub next: Option<String>,
}

/// A test on its way.
#[derive(Serialize, ToSchema)]
pub struct TestQueued {
    /// The header `webhook-id` of the notice.
    pub id: String,
}

/// Which notices to send once more: `id`, or `since`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RedriveBody {
    /// This one, delivered or failed.
    pub id: Option<String>,
    /// Those that failed and were made at this moment or later, 1,000 at once.
    pub since: Option<DateTime<Utc>>,
}

/// What was queued.
#[derive(Serialize, ToSchema)]
pub struct Redriven {
    /// How many. After 1,000 there may be more: ask again.
    pub redriven: u64,
}

impl From<Webhook> for WebhookBody {
    fn from(it: Webhook) -> Self {
        let (disabled_at, disabled_reason) = it.disabled.unzip();
        let (last_failure_at, last_failure) = it.last_failure.unzip();
        Self {
            id: it.id,
            url: it.url,
            types: it.types,
            description: it.description,
            enabled: disabled_at.is_none(),
            disabled_at,
            disabled_reason,
            failing_since: it.failing_since,
            last_failure_at,
            last_failure,
            former_secret_until: it.former_secret_until,
            created_at: it.created_at,
            updated_at: it.updated_at,
            recent_failures: None,
        }
    }
}

impl From<Delivery> for DeliveryBody {
    fn from(it: Delivery) -> Self {
        Self {
            id: it.notice_id,
            kind: it.kind,
            status: match it.state {
                State::Waiting => DeliveryStatus::Waiting,
                State::Delivered => DeliveryStatus::Delivered,
                State::Failed => DeliveryStatus::Failed,
            },
            attempts: it.attempts,
            response_status: it.response_status,
            response: it.response,
            created_at: it.created_at,
            next_attempt_at: it.next_attempt_at,
            settled_at: it.settled_at,
        }
    }
}

impl From<DeliveryStatus> for State {
    fn from(status: DeliveryStatus) -> Self {
        match status {
            DeliveryStatus::Waiting => State::Waiting,
            DeliveryStatus::Delivered => State::Delivered,
            DeliveryStatus::Failed => State::Failed,
        }
    }
}
