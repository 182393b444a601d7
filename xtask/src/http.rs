//! A small client for JSON over HTTP on this machine.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use ureq::Agent;

/// Nothing that is asked here takes long; the simulator answers an inbound message once the runtime took it.
const LIMIT: Duration = Duration::from_secs(10);

/// Talks to one server, with one key.
pub struct Client {
    agent: Agent,
    base: String,
    key: Option<String>,
}

/// An answer of any status.
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body; a text where it is no JSON.
    pub body: Value,
}

impl Answer {
    /// The body, when the status is one of success.
    pub fn succeeded(self, what: &str) -> Result<Value> {
        if (200..300).contains(&self.status) {
            Ok(self.body)
        } else {
            bail!("{what}: answered {} {}", self.status, self.body)
        }
    }
}

impl Client {
    /// A client for the server at `base`, such as `http://127.0.0.1:3000`.
    pub fn new(base: &str, key: Option<&str>) -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(LIMIT))
            // The servers are on this machine, whatever the user's proxy.
            .proxy(None)
            .build()
            .new_agent();
        Self { agent, base: base.to_owned(), key: key.map(str::to_owned) }
    }

    /// GET.
    pub fn get(&self, path: &str) -> Result<Answer> {
        let mut request = self.agent.get(format!("{}{path}", self.base));
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        answer(request.call()).with_context(|| format!("GET {}{path}", self.base))
    }

    /// POST.
    pub fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        let mut request = self.agent.post(format!("{}{path}", self.base));
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        answer(request.send_json(body)).with_context(|| format!("POST {}{path}", self.base))
    }
}

fn answer(response: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Answer> {
    let mut response = response?;
    let text = response.body_mut().read_to_string()?;
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Ok(Answer { status: response.status().as_u16(), body })
}
