//! The call of Meta's Graph API, and what can be said about it afterwards.

use std::time::Duration;

use hoopoe_protocol::graph::{self, Failure, Recipient};
use hoopoe_store::deliveries::Delivery;
use reqwest::header::CONTENT_TYPE;
use secrecy::{ExposeSecret, SecretString};

use crate::connections::Connections;
use crate::senders::Sender;

/// Most bytes of an answer that are read; Meta's have some hundreds.
const LONGEST_ANSWER: usize = 64 * 1024;

/// Where and how to call.
#[derive(Debug, Clone)]
pub struct Settings {
    /// For example `https://graph.facebook.com`.
    pub base_url: String,
    /// For example `v23.0`.
    pub version: String,
    /// To establish a connection.
    pub connect_timeout: Duration,
    /// From the request, with its connection, to the first byte of the answer, and then between two parts of it.
    pub first_byte_timeout: Duration,
    /// For the whole request.
    pub timeout: Duration,
    /// Requests under way at once.
    pub concurrency: usize,
    /// `http://user:password@host:port`; when absent, what the environment's `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and
    /// `NO_PROXY` say.
    pub proxy: Option<SecretString>,
}

/// Why delivery could not start.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be built: {0}")]
pub struct Error(#[from] reqwest::Error);

#[cfg(test)]
impl Settings {
    pub(crate) fn of(base_url: &str) -> Self {
        let time = Duration::from_secs(5);
        Self {
            base_url: base_url.to_owned(),
            version: "v23.0".to_owned(),
            connect_timeout: time,
            first_byte_timeout: time,
            timeout: time,
            concurrency: 1,
            proxy: None,
        }
    }
}

pub(crate) struct Graph {
    pub(crate) connections: Connections,
    pub(crate) base_url: String,
    pub(crate) version: String,
}

impl Graph {
    pub(crate) fn new(settings: &Settings) -> Result<Self, Error> {
        let connections = Connections::new(settings)?;
        Ok(Self { connections, base_url: settings.base_url.clone(), version: settings.version.clone() })
    }

    /// Posts the message, with this payload in place of its own. Gives Meta's id of it; of a read mark, which has none,
    /// one that is made from ours.
    pub(crate) async fn send(&self, delivery: &Delivery, payload: &str, sender: &Sender) -> Result<String, Failure> {
        let sent = match sender.platform {
            Some(platform) => self.send_messenger(platform, delivery, sender).await,
            None => self.send_whatsapp(delivery, payload, sender).await,
        };
        // Meta's words are shown to the tenant, and some have the token in them.
        sent.map_err(|failure| failure.hiding(sender.token.expose_secret()))
    }

    async fn send_whatsapp(&self, delivery: &Delivery, payload: &str, sender: &Sender) -> Result<String, Failure> {
        let recipient = match (&delivery.wa_id, &delivery.user_id) {
            (Some(wa_id), _) => Recipient::WaId(wa_id.clone()),
            (None, Some(user_id)) => Recipient::UserId(user_id.clone()),
            (None, None) => return Err(broken("the contact has neither a WhatsApp id nor a user id")),
        };
        let payload: serde_json::Value = serde_json::from_str(payload)
            .map_err(|error| broken(&format!("the stored payload is not JSON: {error}")))?;
        let url = graph::messages_url(&self.base_url, &self.version, &sender.phone_number_id);
        let place = self.connections.place();
        let sent = place
            .client
            .post(url)
            .bearer_auth(sender.token.expose_secret())
            .header(CONTENT_TYPE, "application/json")
            .body(graph::request_body(&payload, &recipient, &delivery.message_id.to_string()))
            .send()
            .await;
        if !graph::is_read_mark(&payload) {
            let (status, body) = answer(sent).await?;
            return Ok(graph::answer(status, &body)?.message_id);
        }
        // To mark a message twice changes nothing, so there is no doubt to wait for.
        let certain = |failure: Failure| match failure.class {
            graph::Class::Ambiguous => Failure { class: graph::Class::Transient, ..failure },
            _ => failure,
        };
        let (status, body) = answer(sent).await.map_err(certain)?;
        graph::read_answer(status, &body).map_err(certain)?;
        Ok(format!("read.{}", delivery.message_id))
    }
}

/// HTTP status and body.
pub(crate) async fn answer(sent: Result<reqwest::Response, reqwest::Error>) -> Result<(u16, Vec<u8>), Failure> {
    let mut response = sent.map_err(unanswered)?;
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unanswered)? {
        body.extend_from_slice(&chunk);
        if body.len() > LONGEST_ANSWER {
            break;
        }
    }
    Ok((status, body))
}

/// No connection: Meta surely has nothing. Anything later: nobody knows.
fn unanswered(error: reqwest::Error) -> Failure {
    let class =
        if error.is_connect() || error.is_builder() { graph::Class::Transient } else { graph::Class::Ambiguous };
    // The URL names the number, not the token; still it adds nothing.
    let error = error.without_url();
    let mut message = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        message = format!("{message}: {cause}");
        source = cause.source();
    }
    Failure { class, http_status: None, code: None, subcode: None, message }
}

pub(crate) fn broken(reason: &str) -> Failure {
    let message = reason.to_owned();
    Failure { class: graph::Class::Permanent, http_status: None, code: None, subcode: None, message }
}
