//! Failures that Meta reports of messages that it had taken, where they are the number's: an account that does not pay, a
//! number that is restricted. Meta takes everything then, and each message fails; so the channel is suspended, as it is when
//! a request is refused for the same reason.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use hoopoe_protocol::graph::{Class, classify};
use hoopoe_shared::Shared;
use hoopoe_shared::forget::{Cache, Forget};
use hoopoe_store::Store;
use hoopoe_store::journal::Progress;
use serde_json::Value;
use uuid::Uuid;

/// An older status says how it was: Meta repeats webhooks for days.
const FRESH: TimeDelta = TimeDelta::minutes(10);
/// What was said of a number is not heard again for so long: each message of a mailing says the same.
const HEARD: Duration = Duration::from_secs(5);

/// Numbers of which such a failure was reported, and when.
#[derive(Default)]
pub(crate) struct Reported(Mutex<HashMap<Uuid, Instant>>);

impl Reported {
    /// Suspends the channel of a message that failed for its sake. A failure to do so is logged: the next message tells
    /// the same.
    pub(crate) async fn follow(&self, store: &Store, shared: &Shared, status: &Progress, now: DateTime<Utc>) {
        let Some(reason) = reason(status).filter(|_| now - status.item.occurred_at <= FRESH) else { return };
        let (tenant_id, channel_id) = (status.item.tenant_id, status.item.channel_id);
        if !self.is_new(channel_id) {
            return;
        }
        tracing::warn!(tenant = %tenant_id, channel = %channel_id, reason, "a channel is suspended");
        match store.suspend_channel(tenant_id, channel_id, None, &reason).await {
            Ok(()) => shared.forget(Forget::One(Cache::Channels, tenant_id.to_string())),
            Err(error) => tracing::warn!(tenant = %tenant_id, %error, "could not mark a channel as suspended"),
        }
    }

    fn is_new(&self, channel_id: Uuid) -> bool {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.retain(|_, at| at.elapsed() < HEARD);
        let is_new = !heard.contains_key(&channel_id);
        heard.entry(channel_id).or_insert_with(Instant::now);
        is_new
    }
}

/// Meta's code, of a status that says why.
pub(crate) fn code(status: &Progress) -> Option<i64> {
    error(status)?["code"].as_i64()
}

/// Why the number is to be suspended.
fn reason(status: &Progress) -> Option<String> {
    let error = error(status).filter(|_| status.status == "failed")?;
    let code = error["code"].as_i64()?;
    let message = error["message"].as_str().unwrap_or_default();
    (classify(400, Some(code)) == Class::SuspendChannel)
        .then(|| format!("(#{code}) {message} (reported of a message that Meta had taken)"))
}

fn error(status: &Progress) -> Option<Value> {
    serde_json::from_str(status.error.as_deref()?).ok()
}
