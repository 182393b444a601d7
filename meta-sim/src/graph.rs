//! The Graph API: `POST /{version}/{phone_number_id}/messages`.
//!
//! In: a send or a "message was read". Out: Meta's answer, or the fault that the script holds for it.

use std::{sync::Arc, time::Duration, time::Instant};

use axum::{
    Json,
    body::Bytes,
    extract::{ConnectInfo, Path, State as Shared},
    http::{HeaderMap, StatusCode, header::AUTHORIZATION},
    response::{Html, IntoResponse, Response},
};
use serde_json::{Value, json};

use crate::{
    check::{self, Refusal, Request, Send, direct},
    direct::Platform,
    fault::Fault,
    ledger::{Accepted, MarkedRead},
    line::Line,
    state::State,
    statuses::{Progress, is_number},
};

pub(crate) async fn messages(
    Shared(state): Shared<Arc<State>>,
    Path((_version, phone_number_id)): Path<(String, String)>,
    ConnectInfo(line): ConnectInfo<Line>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    state.count(|stats| stats.requests += 1);
    let latency = state.option(|options| options.latency);
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let Some(token) = token(&state, &headers) else {
        state.count(|stats| stats.refused += 1);
        return no_token();
    };
    let body: Value = match serde_json::from_slice(&body) {
        Ok(body) => body,
        Err(reason) => return refuse(&state, &Refusal::invalid(format!("The body is not JSON: {reason}"))),
    };
    if direct::is_one(&body) {
        return send_direct(state, phone_number_id, token, body, &line).await;
    }
    match check::request(&body) {
        Err(refusal) => refuse(&state, &refusal),
        Ok(Request::MarkRead { message_id, typing }) => {
            state.mark_read(MarkedRead { phone_number_id, message_id, typing });
            Json(json!({ "success": true })).into_response()
        }
        Ok(Request::Send(send)) => {
            let refers = state.files().check(&phone_number_id, &body);
            if let Err(refusal) = refers.and_then(|()| state.templates().check(&body["template"])) {
                return refuse(&state, &refusal);
            }
            let fault = state.script().take(&send.to);
            let sender = Sender { state, phone_number_id, token, body };
            match fault {
                None => sender.accept(&send, None),
                Some(fault) => sender.fail(&send, fault, &line).await,
            }
        }
    }
}

/// A send on Messenger or Instagram. An account of Instagram sends by its page, or by the one that the token names.
async fn send_direct(state: Arc<State>, node: String, token: String, body: Value, line: &Line) -> Response {
    let home = |person: &str| {
        let may =
            |(platform, home): &&(Platform, String)| *platform == Platform::Instagram || *home == node || node == "me";
        // The latest first; a page before an account that sends by any page.
        let people = state.people();
        let homes = people.get(person)?;
        homes.iter().rev().find(|(_, home)| *home == node).or_else(|| homes.iter().rev().find(may)).cloned()
    };
    match direct::request(&body, home) {
        Err(refusal) => refuse(&state, &refusal),
        Ok(direct::Request::Action { person, action }) => {
            let typing = action == "typing_on";
            state.mark_read(MarkedRead { phone_number_id: node, message_id: action, typing });
            Json(json!({ "recipient_id": person })).into_response()
        }
        Ok(direct::Request::Send(send)) => {
            let fault = state.script().take(&send.to);
            let sender = Sender { state, phone_number_id: node, token, body };
            match fault {
                None => sender.accept(&send, None),
                Some(fault) => sender.fail(&send, fault, line).await,
            }
        }
    }
}

/// The bearer token, when it is one that is taken.
pub(crate) fn token(state: &State, headers: &HeaderMap) -> Option<String> {
    bearer(headers).filter(|token| state.takes(token))
}

/// The bearer token, whether it is taken or not.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<String> {
    Some(headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?.trim().to_owned())
}

/// Meta's answer to a token that is not taken.
pub(crate) fn no_token() -> Response {
    error(401, 190, "Invalid OAuth access token - Cannot parse access token", None)
}

struct Sender {
    state: Arc<State>,
    phone_number_id: String,
    token: String,
    body: Value,
}

impl Sender {
    /// Books the message, queues its statuses and answers well.
    fn accept(self, send: &Send, failure: Option<(i64, String)>) -> Response {
        let seq = self.state.ledger().next_seq();
        let prefix = if send.direct.is_some() { "m_OUT" } else { "wamid.OUT" };
        let wamid = format!("{prefix}{}.{seq}", self.state.run);
        let (order, statuses, delay) =
            self.state.option(|options| (options.status_order, options.statuses.clone(), options.status_delay));
        let statuses = if failure.is_some() { vec!["failed".to_owned()] } else { order.arrange(&statuses, seq) };
        let heard = Arc::default();
        let progress = statuses
            .into_iter()
            .filter(|status| send.direct.as_ref().is_none_or(|sent| sent.tells(status)))
            .map(|status| Progress {
                due: tokio::time::Instant::now() + delay,
                phone_number_id: self.phone_number_id.clone(),
                wamid: wamid.clone(),
                to: send.to.clone(),
                callback_data: send.callback_data.clone(),
                direct: send.direct.clone(),
                error: (status == "failed")
                    .then(|| failure.clone().unwrap_or((131026, "Message undeliverable".to_owned()))),
                status,
                heard: Arc::clone(&heard),
            })
            .collect();
        let accepted = Accepted {
            seq,
            wamid: wamid.clone(),
            phone_number_id: self.phone_number_id,
            to: send.to.clone(),
            callback_data: send.callback_data.clone(),
            token: self.token,
            body: self.body,
            text: send.text.clone(),
            at: Instant::now(),
            heard,
        };
        self.state.accept(accepted, progress);
        if send.direct.is_some() {
            return Json(json!({ "recipient_id": send.to, "message_id": wamid })).into_response();
        }
        let mut contact = json!({ "input": send.to });
        contact[if is_number(&send.to) { "wa_id" } else { "user_id" }] = json!(send.to);
        Json(json!({ "messaging_product": "whatsapp", "contacts": [contact], "messages": [{ "id": wamid }] }))
            .into_response()
    }

    async fn fail(self, send: &Send, fault: Fault, line: &Line) -> Response {
        let state = self.state.clone();
        let refuse = || state.count(|stats| stats.refused += 1);
        match fault {
            Fault::GraphError { http_status, code, title } => {
                refuse();
                error(http_status, code, &title, Some("Failed on request of the simulator's script"))
            }
            Fault::Subcode { http_status, code, subcode, title } => {
                refuse();
                error_with(http_status, (code, Some(subcode)), &title, None)
            }
            Fault::ServerError(status) => {
                refuse();
                (status_code(status), Html("<html><body>Sorry, something went wrong.</body></html>")).into_response()
            }
            Fault::TooManyRequests => {
                refuse();
                (StatusCode::TOO_MANY_REQUESTS, "Too Many Requests").into_response()
            }
            Fault::Hang(time) => {
                refuse();
                pause(&state, time).await;
                line.cut();
                StatusCode::GATEWAY_TIMEOUT.into_response()
            }
            Fault::ResetAfterBodyLost => {
                refuse();
                line.cut();
                StatusCode::BAD_GATEWAY.into_response()
            }
            Fault::ResetAfterBody => {
                let answer = self.accept(send, None);
                line.cut();
                answer
            }
            Fault::AcceptThenHang(time) => {
                let answer = self.accept(send, None);
                pause(&state, time).await;
                answer
            }
            Fault::Garbage200 => {
                self.accept(send, None);
                Html("<html><body>200 and nothing to read").into_response()
            }
            Fault::AcceptThenFail { code, title } => self.accept(send, Some((code, title))),
        }
    }
}

/// Waits, but no longer than the simulator lives.
async fn pause(state: &State, time: Duration) {
    tokio::select! {
        () = tokio::time::sleep(time) => {}
        () = state.stopping.cancelled() => {}
    }
}

fn refuse(state: &State, refusal: &Refusal) -> Response {
    state.count(|stats| stats.refused += 1);
    error_with(400, (refusal.code, refusal.subcode), refusal.title, Some(&refusal.details))
}

/// Meta's shape of an error.
pub(crate) fn error(http_status: u16, code: i64, title: &str, details: Option<&str>) -> Response {
    error_with(http_status, (code, None), title, details)
}

fn error_with(http_status: u16, (code, subcode): (i64, Option<i64>), title: &str, details: Option<&str>) -> Response {
    let mut error = json!({
        "message": format!("(#{code}) {title}"),
        "type": "OAuthException",
        "code": code,
        "fbtrace_id": "AsimulatedTraceId",
    });
    if let Some(subcode) = subcode {
        error["error_subcode"] = json!(subcode);
    }
    if let Some(details) = details {
        error["error_data"] = json!({ "messaging_product": "whatsapp", "details": details });
    }
    (status_code(http_status), Json(json!({ "error": error }))).into_response()
}

pub(crate) fn status_code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
