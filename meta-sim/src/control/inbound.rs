//! What users do.

use std::sync::Arc;

use axum::{Json, extract::State as Shared};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Refused, one, refused};
use crate::{Direct, Inbound, InboundKind, Platform, sim, state::State};

/// Messages from a user. `batch` different messages go into one POST, and that POST is made `repeat` times.
#[derive(Deserialize)]
pub(super) struct InboundOrder {
    phone_number_id: String,
    #[serde(default = "default_from")]
    from: String,
    /// A text; or `kind`, the name of a sample; or `raw`, fields of the message.
    text: Option<String>,
    kind: Option<String>,
    raw: Option<Value>,
    id: Option<String>,
    name: Option<String>,
    #[serde(default = "one")]
    repeat: u32,
    #[serde(default = "one")]
    batch: u32,
}

fn default_from() -> String {
    "16505551234".to_owned()
}

pub(super) async fn inbound(
    Shared(state): Shared<Arc<State>>,
    Json(order): Json<InboundOrder>,
) -> Result<Json<Value>, Refused> {
    let kind = match (order.text, order.kind, order.raw) {
        (Some(text), _, _) => InboundKind::Text(text),
        (_, _, Some(fields)) => InboundKind::Raw(fields),
        (_, Some(name), _) => InboundKind::sample(&name).ok_or_else(|| {
            let names: Vec<_> = InboundKind::samples().into_iter().map(|(name, _)| name).collect();
            refused(format!("kind: {name:?} is not known; use one of {}", names.join(", ")))
        })?,
        _ => InboundKind::Text("hello".to_owned()),
    };
    if !(1..=10_000).contains(&order.batch) || !(1..=10_000).contains(&order.repeat) {
        return Err(refused("batch and repeat must be from 1 to 10000"));
    }
    let messages: Vec<Inbound> = (0..order.batch)
        .map(|_| Inbound::new(&order.phone_number_id, &order.from, kind.clone()))
        .map(|message| match &order.name {
            Some(name) => message.named(name),
            None => message,
        })
        .map(|message| match &order.id {
            Some(id) => message.id(id),
            None => message,
        })
        .collect();
    let ids: Vec<String> = messages.iter().map(|message| message.id.clone()).collect();
    let mut deliveries = Vec::new();
    for _ in 0..order.repeat {
        deliveries.push(sim::receive(&state, messages.clone()).await);
    }
    Ok(Json(json!({ "ids": ids, "deliveries": deliveries })))
}

/// A text, or any other event, of a person to a page or Instagram account.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DirectOrder {
    platform: Platform,
    home: String,
    from: String,
    text: Option<String>,
    event: Option<Value>,
    #[serde(default = "one")]
    repeat: u32,
}

pub(super) async fn direct(
    Shared(state): Shared<Arc<State>>,
    Json(order): Json<DirectOrder>,
) -> Result<Json<Value>, Refused> {
    if !(1..=10_000).contains(&order.repeat) {
        return Err(refused("repeat must be from 1 to 10000"));
    }
    let event = match order.event {
        Some(event) => Direct::new(order.platform, &order.home, &order.from, event),
        None => Direct::text(order.platform, &order.home, &order.from, order.text.as_deref().unwrap_or("hello")),
    };
    let mut deliveries = Vec::new();
    for _ in 0..order.repeat {
        deliveries.push(sim::receive_direct(&state, std::slice::from_ref(&event)).await);
    }
    Ok(Json(json!({ "id": event.id(), "deliveries": deliveries })))
}
