//! Faults, as they are ordered.

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State as Shared};
use serde::Deserialize;
use serde_json::{Value, json};

use super::one;
use crate::{Fault, state::State};

/// A fault for the next `times` sends, of all or to one recipient.
#[derive(Deserialize)]
pub(super) struct FaultOrder {
    #[serde(flatten)]
    fault: FaultKind,
    to: Option<String>,
    #[serde(default = "one")]
    times: u32,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum FaultKind {
    GraphError {
        code: i64,
        http_status: Option<u16>,
        title: Option<String>,
        subcode: Option<i64>,
    },
    ServerError {
        http_status: Option<u16>,
    },
    TooManyRequests,
    Hang {
        ms: u64,
    },
    ResetAfterBody,
    ResetAfterBodyLost,
    AcceptThenHang {
        ms: u64,
    },
    #[serde(rename = "garbage_200")]
    Garbage200,
    AcceptThenFail {
        code: i64,
        title: Option<String>,
    },
}

impl From<FaultKind> for Fault {
    fn from(kind: FaultKind) -> Fault {
        match kind {
            FaultKind::GraphError { code, http_status, title, subcode } => match Fault::code(code) {
                Fault::GraphError { http_status: usual, title: usual_title, .. } if subcode.is_some() => {
                    Fault::Subcode {
                        http_status: http_status.unwrap_or(usual),
                        code,
                        subcode: subcode.unwrap_or_default(),
                        title: title.unwrap_or(usual_title),
                    }
                }
                Fault::GraphError { http_status: usual, title: usual_title, .. } => Fault::GraphError {
                    http_status: http_status.unwrap_or(usual),
                    code,
                    title: title.unwrap_or(usual_title),
                },
                other => other,
            },
            FaultKind::ServerError { http_status } => Fault::ServerError(http_status.unwrap_or(500)),
            FaultKind::TooManyRequests => Fault::TooManyRequests,
            FaultKind::Hang { ms } => Fault::Hang(Duration::from_millis(ms)),
            FaultKind::ResetAfterBody => Fault::ResetAfterBody,
            FaultKind::ResetAfterBodyLost => Fault::ResetAfterBodyLost,
            FaultKind::AcceptThenHang { ms } => Fault::AcceptThenHang(Duration::from_millis(ms)),
            FaultKind::Garbage200 => Fault::Garbage200,
            FaultKind::AcceptThenFail { code, title } => {
                Fault::AcceptThenFail { code, title: title.unwrap_or_else(|| "Message undeliverable".to_owned()) }
            }
        }
    }
}

pub(super) async fn add_fault(Shared(state): Shared<Arc<State>>, Json(order): Json<FaultOrder>) -> Json<Value> {
    state.script().push(order.to.as_deref(), order.fault.into(), order.times);
    Json(json!({ "ok": true }))
}

pub(super) async fn clear_faults(Shared(state): Shared<Arc<State>>) -> Json<Value> {
    state.script().clear();
    Json(json!({ "ok": true }))
}
