//! `POST /tenants/{id}/send/batch`: many messages at once, each with its own result.

use std::collections::HashMap;
use std::fmt;

use axum::extract::State;
use hoopoe_store::messenger::Home;
use hoopoe_telemetry::trace::TraceContext;
use serde::de::{IgnoredAny, SeqAccess};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::Api;
use crate::auth::ForTenant;
use crate::error::{ApiError, ErrorBody, invalid_field};
use crate::json::{self, Json};
use crate::references::References;
use crate::send::{Accepted, Submitted, channel, submit};
use crate::send_body::SendBody;
use crate::trace::Sending;

/// Messages of one request.
const MOST: usize = 1_000;
/// Largest body, in bytes: a thousand of the longest texts in one alphabet, or of usual templates.
pub const LARGEST: usize = 8 * 1024 * 1024;
/// Behind all other sends of the tenant.
const BULK: i16 = 2;

/// Messages to send.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchBody {
    /// 1 to 1,000, each as for a single send.
    #[schema(value_type = Vec<SendBody>)]
    messages: Messages,
}

/// Messages as they came: each is understood, or not, by itself.
#[derive(Default)]
struct Messages {
    /// No more than [`MOST`]: what is too much anyway takes no memory.
    first: Vec<Box<RawValue>>,
    count: usize,
}

impl<'de> Deserialize<'de> for Messages {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Messages;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of messages")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Messages, A::Error> {
                let mut messages = Messages::default();
                while messages.count < MOST
                    && let Some(message) = list.next_element()?
                {
                    messages.first.push(message);
                    messages.count += 1;
                }
                while list.next_element::<IgnoredAny>()?.is_some() {
                    messages.count += 1;
                }
                Ok(messages)
            }
        }
        deserializer.deserialize_seq(Visitor)
    }
}

/// What became of the messages.
#[derive(Serialize, ToSchema)]
pub struct BatchResult {
    /// How many are queued.
    queued: usize,
    /// In the order of the request.
    results: Vec<ItemResult>,
}

/// What became of one message: what a single send would have been answered.
#[derive(Serialize, ToSchema)]
pub struct ItemResult {
    /// 202, 400, 409 or 503.
    status: u16,
    /// The queued message.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Accepted>,
    /// Why it is not queued.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorBody>,
}

/// Send up to 1,000 messages, in a body of up to 8 MiB. Each is queued or refused by itself; they come behind single sends and answers of flows.
#[utoipa::path(post, path = "/tenants/{id}/send/batch", tag = "messages", request_body = BatchBody,
    params(("id" = Uuid, Path, description = "The tenant")), security(("bearer" = [])),
    responses((status = 200, body = BatchResult), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 413, body = ErrorBody), (status = 415, body = ErrorBody),
        (status = 503, body = ErrorBody)))]
pub async fn send_batch(
    ForTenant(tenant_id): ForTenant,
    Sending(mut span): Sending,
    State(api): State<Api>,
    Json(body): Json<BatchBody, LARGEST>,
) -> Result<axum::Json<BatchResult>, ApiError> {
    let Messages { first: messages, count } = body.messages;
    if !(1..=MOST).contains(&count) {
        return Err(invalid_field("messages", format!("it has {count}; give it 1 to {MOST}")));
    }
    span.set("hoopoe.tenant.id", tenant_id);
    span.set_number("hoopoe.messages", count as i64);
    let mut channels: HashMap<Option<String>, Home> = HashMap::new();
    let mut references = References::default();
    let mut submitted = Vec::with_capacity(count);
    for message in messages {
        submitted.push(begin(&api, tenant_id, &message, (&mut channels, &mut references), span.context()).await);
    }
    let mut results = Vec::with_capacity(count);
    for one in submitted {
        let result = match one {
            Ok(submitted) => submitted.committed().await,
            Err(error) => Err(error),
        };
        results.push(match result {
            Ok(message) => ItemResult { status: 202, message: Some(message), error: None },
            Err(error) => {
                let (status, body) = error.into_parts();
                ItemResult { status: status.as_u16(), message: None, error: Some(body) }
            }
        });
    }
    let queued = results.iter().filter(|result| result.message.is_some()).count();
    Ok(axum::Json(BatchResult { queued, results }))
}

/// Looks each number, file and template up once. A message of the wrong form is refused as by a single send.
async fn begin(
    api: &Api,
    tenant_id: Uuid,
    message: &RawValue,
    (channels, references): (&mut HashMap<Option<String>, Home>, &mut References),
    trace: Option<TraceContext>,
) -> Result<Submitted, ApiError> {
    let message: SendBody = json::parse(message.get().as_bytes())?;
    let (mut address, payload) = message.checked(api.store.ambient.now())?;
    address.trace = trace;
    let home = match channels.get(&address.from) {
        Some(home) => home.clone(),
        None => {
            let found = channel(api, tenant_id, address.from.as_deref()).await?;
            channels.insert(address.from.clone(), found.clone());
            found
        }
    };
    address.marketing |= references.check(api, &home, &payload).await?;
    submit(api, &home, address, payload, BULK)
}
