//! `GET /tenants/{id}/live`: what happens to the tenant at this moment, on whatever process, as Server-Sent Events.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use hoopoe_shared::live::Seen;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use crate::Api;
use crate::auth::ForTenant;
use crate::error::{ApiError, ErrorBody, too_many, unavailable};

/// Who watches at one process, all tenants together; each keeps a connection and a queue.
const ALL: usize = 100;
/// Who watches one tenant there.
const EACH: usize = 20;
/// Between signs of life where nothing happens.
const QUIET: Duration = Duration::from_secs(15);

/// Watch what happens to the tenant at this moment, on whatever process: Server-Sent Events, until the caller or the
/// process ends. Nothing is kept: what happened before, or while nobody watched, is not told.
///
/// `event` is also the `type` in `data`: `event` (an item of a webhook was kept: `eventId`, `kind`, `conversationId`),
/// `run` (of a flow: `eventId`, `attempt`, `plugin`, `result`, `actions`, `conversationId`), `message` (a step in the
/// timeline of an outbound one: `messageId`, `status`), and `missed` (the watcher was too slow for `count` of them).
/// After 15 seconds without any comes a comment.
#[utoipa::path(get, path = "/tenants/{id}/live", tag = "events",
    params(("id" = Uuid, Path, description = "The tenant")), security(("bearer" = [])),
    responses((status = 200, description = "What happens", body = String, content_type = "text/event-stream"),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody), (status = 429, body = ErrorBody),
        (status = 503, body = ErrorBody)))]
pub async fn watch(ForTenant(tenant_id): ForTenant, State(api): State<Api>) -> Result<Response, ApiError> {
    let place = api.watchers.enter(tenant_id)?;
    let watch = api.shared.watch(tenant_id);
    let events = stream::unfold((watch, place), |(mut watch, place)| async move {
        let event = written(&watch.next().await);
        Some((Ok::<_, Infallible>(event), (watch, place)))
    });
    // A process that stops waits for its answers.
    let events = events.take_until(api.stop.clone().cancelled_owned());
    let answer = Sse::new(events).keep_alive(KeepAlive::new().interval(QUIET));
    // A proxy would collect events until there are enough of them.
    Ok(([("x-accel-buffering", "no")], answer).into_response())
}

#[derive(Deserialize)]
struct Typed<'a> {
    #[serde(rename = "type")]
    name: &'a str,
}

fn written(seen: &Seen) -> Event {
    match seen {
        Seen::Event(json) => {
            let name = serde_json::from_str(json).map_or("unknown", |Typed { name }| name);
            Event::default().event(name).data(json)
        }
        Seen::Missed(count) => {
            let missed = json!({ "type": "missed", "count": count });
            Event::default().event("missed").data(missed.to_string())
        }
    }
}

/// How many watch each tenant at this process. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watchers(Arc<Mutex<HashMap<Uuid, usize>>>);

/// One of them, until it is dropped.
#[derive(Debug)]
struct Place {
    of: Watchers,
    tenant_id: Uuid,
}

impl Watchers {
    fn enter(&self, tenant_id: Uuid) -> Result<Place, ApiError> {
        let mut tenants = self.tenants();
        if tenants.get(&tenant_id).is_some_and(|own| *own >= EACH) {
            return Err(too_many(format!("{EACH} already watch the tenant at this process; end one of them first")));
        }
        if tenants.values().sum::<usize>() >= ALL {
            return Err(unavailable(format!("{ALL} already watch at this process; try again later")));
        }
        *tenants.entry(tenant_id).or_default() += 1;
        Ok(Place { of: self.clone(), tenant_id })
    }

    fn tenants(&self) -> MutexGuard<'_, HashMap<Uuid, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut tenants = self.of.tenants();
        if let Some(own) = tenants.get_mut(&self.tenant_id) {
            *own -= 1;
            if *own == 0 {
                tenants.remove(&self.tenant_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_tenant_has_its_places_and_all_of_them_together_theirs() {
        let watchers = Watchers::default();
        let enter = |tenant| watchers.enter(Uuid::from_u128(tenant)).map_err(|error| error.into_parts().0.as_u16());
        let mut places: Vec<Place> = (0..EACH).map(|_| enter(0).unwrap()).collect();
        assert_eq!(enter(0).unwrap_err(), 429);
        places.extend((EACH..ALL).map(|number| enter(number as u128).unwrap()));
        assert_eq!(enter(1).unwrap_err(), 503);
        places.pop();
        places.push(enter(1).unwrap());
        drop(places);
        assert!(watchers.tenants().is_empty());
    }

    #[test]
    fn an_event_is_named_by_its_type() {
        let seen = [Seen::Event(r#"{"type":"run","eventId":1}"#.into()), Seen::Missed(3)];
        let written = seen.map(|seen| format!("{:?}", written(&seen)));
        assert!(written[0].contains(r"event: run\ndata: {"), "{}", written[0]);
        assert!(written[1].contains(r"event: missed\ndata: {"), "{}", written[1]);
    }
}
