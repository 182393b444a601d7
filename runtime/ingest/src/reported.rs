//! What statuses tell beside the progress of their messages. Meta takes a message, and reports it as failed where that is
//! not the message's fault: an account that does not pay, a number that is restricted, a template that is paused. So would
//! be those behind it: number or template is suspended, as it is when a request is refused for the same reason. A number
//! of which Meta takes everything goes on when a status tells that a message got through.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use hoopoe_protocol::graph::{Class, classify};
use hoopoe_shared::Shared;
use hoopoe_shared::forget::{Cache, Forget};
use hoopoe_store::journal::Progress;
use hoopoe_store::{Error, Store};
use hoopoe_telemetry::metrics;
use hoopoe_telemetry::metrics::labels::{Suspended, SuspendedBy};
use serde_json::Value;
use uuid::Uuid;

use crate::routes::Targets;

/// An older status says how it was: Meta repeats webhooks for days.
const FRESH: TimeDelta = TimeDelta::minutes(10);
/// What was said of a number is not heard again for so long: each message of a mailing says the same.
const HEARD: Duration = Duration::from_secs(5);
/// Statuses of messages that got through.
const THROUGH: [&str; 4] = ["sent", "delivered", "read", "played"];

/// Numbers of which such a failure was reported, by what is to be suspended, and when.
#[derive(Default)]
pub(crate) struct Reported(Mutex<HashMap<(Uuid, Class), Instant>>);

/// The channels among these that a status has suspended: nearly always none.
pub(crate) fn suspended(routes: &[Targets]) -> HashSet<Uuid> {
    let routes = routes.iter().flat_map(|targets| targets.iter());
    routes.filter(|route| route.suspended_by_status).map(|route| route.channel_id).collect()
}

impl Reported {
    /// Suspends what a message failed for, or lets its channel go on that is among the `suspended`. A failure to do so is
    /// logged: the next message tells the same.
    pub(crate) async fn follow(
        &self,
        (store, shared): (&Store, &Shared),
        status: &Progress,
        suspended: &mut HashSet<Uuid>,
        now: DateTime<Utc>,
    ) {
        let (tenant_id, channel_id) = (status.item.tenant_id, status.item.channel_id);
        let done = match reason(status) {
            Some((class, reason)) => {
                if now - status.item.occurred_at > FRESH || !self.is_new(channel_id, class) {
                    return;
                }
                suspend(store, status, class, reason).await
            }
            None if suspended.contains(&channel_id) && THROUGH.contains(&status.status.as_str()) => {
                resume(store, status, suspended).await
            }
            None => return,
        };
        match done {
            Ok(true) => {
                shared.forget(Forget::One(Cache::Channels, tenant_id.to_string()));
                // For what waits for a channel that goes on.
                store.wakes.delivery.notify_one();
            }
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(tenant = %tenant_id, channel = %channel_id, %error, "could not follow a status");
            }
        }
    }

    fn is_new(&self, channel_id: Uuid, class: Class) -> bool {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.retain(|_, at| at.elapsed() < HEARD);
        let is_new = !heard.contains_key(&(channel_id, class));
        heard.entry((channel_id, class)).or_insert_with(Instant::now);
        is_new
    }
}

/// Gives whether there was something to suspend.
async fn suspend(store: &Store, status: &Progress, class: Class, reason: String) -> Result<bool, Error> {
    let (tenant_id, channel_id) = (status.item.tenant_id, status.item.channel_id);
    if class == Class::SuspendChannel {
        tracing::warn!(tenant = %tenant_id, channel = %channel_id, reason, "a channel is suspended");
        metrics().suspensions.of(Suspended::Channel, SuspendedBy::Status).inc();
        store.suspend_channel(tenant_id, channel_id, None, &reason).await?;
        return Ok(true);
    }
    let Some(suspension) = store.reported_template(status, reason).await? else { return Ok(false) };
    tracing::warn!(tenant = %tenant_id, waba_id = suspension.waba_id, template = suspension.name,
        language = suspension.language, reason = suspension.reason, "a template is suspended");
    metrics().suspensions.of(Suspended::Template, SuspendedBy::Status).inc();
    store.suspend_template(tenant_id, &suspension).await?;
    Ok(true)
}

/// Gives whether the channel goes on with this status.
async fn resume(store: &Store, status: &Progress, suspended: &mut HashSet<Uuid>) -> Result<bool, Error> {
    let resumes = store.resume_reported_channel(status).await?;
    if resumes {
        let (tenant_id, channel_id) = (status.item.tenant_id, status.item.channel_id);
        tracing::info!(tenant = %tenant_id, channel = %channel_id, "a channel works again");
        suspended.remove(&channel_id);
    }
    Ok(resumes)
}

/// Meta's code, of a status that says why.
pub(crate) fn code(status: &Progress) -> Option<i64> {
    error(status)?["code"].as_i64()
}

/// What is to be suspended, number or template, and why.
fn reason(status: &Progress) -> Option<(Class, String)> {
    let error = error(status).filter(|_| status.status == "failed")?;
    let code = error["code"].as_i64()?;
    let message = error["message"].as_str().unwrap_or_default();
    let class = classify(400, Some(code));
    matches!(class, Class::SuspendChannel | Class::SuspendTemplate)
        .then(|| (class, format!("(#{code}) {message} (reported of a message that Meta had taken)")))
}

fn error(status: &Progress) -> Option<Value> {
    serde_json::from_str(status.error.as_deref()?).ok()
}
