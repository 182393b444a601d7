//! One HTTP request over a guarded connection, within bounds.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::{HeaderMap, RETRY_AFTER, USER_AGENT};
use reqwest::{Method, Response};
use url::Url;

use crate::guard::{Guarded, Lookup, Refused, Rules};

/// To find the name and establish a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the beginning of a body that nobody depends on is waited for.
const BODY_PATIENCE: Duration = Duration::from_secs(1);
/// Connections to one server that wait for the next request, and for how long: shorter than servers usually keep them.
const MOST_IDLE: usize = 8;
const LONGEST_IDLE: Duration = Duration::from_secs(4);
/// Largest body of an answer, in bytes.
const LARGEST_BODY: usize = 1 << 20;
/// Names and values of all headers of an answer, in bytes.
const LARGEST_HEADERS: usize = 64 << 10;
/// Most headers of an answer.
const MOST_HEADERS: usize = 100;
/// Who calls, unless the plugin says something else.
const AGENT: &str = concat!("hoopoe/", env!("CARGO_PKG_VERSION"));

/// A request, ready to be sent.
pub struct Ready {
    /// How.
    pub method: Method,
    /// Where to; it has been checked.
    pub url: Url,
    /// With what.
    pub headers: HeaderMap,
    /// What; nothing when empty.
    pub body: Vec<u8>,
}

/// What the server said.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP's.
    pub status: u16,
    /// In order; names in lower case.
    pub headers: Vec<(String, String)>,
    /// As far as it was read.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// The first word of the error that the flow is given.
    pub code: &'static str,
    /// The rest of it. Without secrets.
    pub message: String,
    /// Nothing of the request was sent, and another try may fare better.
    pub unsent: bool,
}

impl Failure {
    /// After which another try may fare no better.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), unsent: false }
    }
}

impl From<Refused> for Failure {
    fn from(Refused(why): Refused) -> Self {
        Self::new("refused", why)
    }
}

impl Answer {
    /// How long the server asks to wait before the next try (RFC 9110, 10.2.3): seconds, or a date.
    pub fn retry_after(&self, now: DateTime<Utc>) -> Option<TimeDelta> {
        let (_, value) = self.headers.iter().find(|(name, _)| name == RETRY_AFTER.as_str())?;
        let value = value.trim();
        match value.parse::<u32>() {
            Ok(seconds) => Some(TimeDelta::seconds(seconds.into())),
            Err(_) => Some((DateTime::parse_from_rfc2822(value).ok()?.to_utc() - now).max(TimeDelta::zero())),
        }
    }
}

/// Sends requests. Nothing is kept between two of them: no cookie and, unless asked for, no connection.
pub struct Client {
    http: reqwest::Client,
}

impl Client {
    /// A connection of its own for each request.
    pub fn new(rules: Arc<Rules>, lookup: Arc<dyn Lookup>) -> Result<Self, reqwest::Error> {
        Self::build(rules, lookup, |builder| builder.pool_max_idle_per_host(0))
    }

    /// Connections are used again within some seconds: for many requests to few servers, none of which carries anything
    /// that another must not. The address of each was checked when it was made.
    pub fn with_kept_connections(rules: Arc<Rules>, lookup: Arc<dyn Lookup>) -> Result<Self, reqwest::Error> {
        Self::build(rules, lookup, |builder| builder.pool_max_idle_per_host(MOST_IDLE).pool_idle_timeout(LONGEST_IDLE))
    }

    fn build(
        rules: Arc<Rules>,
        lookup: Arc<dyn Lookup>,
        connections: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
    ) -> Result<Self, reqwest::Error> {
        let builder = reqwest::Client::builder()
            .dns_resolver(Guarded { rules, lookup })
            .connect_timeout(CONNECT_TIMEOUT)
            // Elsewhere would be past the guard: the redirect is the answer.
            .redirect(reqwest::redirect::Policy::none())
            // A call is repeated by its verdict alone, never behind our back.
            .retry(reqwest::retry::never())
            // A proxy of the environment would do the lookups.
            .no_proxy()
            .referer(false)
            // Bodies as they are: what is small on the wire stays small.
            .no_gzip()
            .no_brotli()
            .no_deflate()
            .no_zstd()
            .http1_only()
            .http1_max_headers(MOST_HEADERS);
        Ok(Self { http: connections(builder).build()? })
    }

    /// Sends the request, whose URL has been checked, for the sake of the answer's status, which has to come within
    /// `time`. Of the body only the first `most` bytes are read, as far as they come at once.
    pub async fn notify(&self, ready: Ready, time: Duration, most: usize) -> Result<Answer, Failure> {
        let begun = match tokio::time::timeout(time, self.begin(ready)).await {
            Ok(begun) => begun?,
            Err(_) => return Err(Failure::new("timeout", format!("no answer within {} ms", time.as_millis()))),
        };
        let (mut response, status, headers) = begun;
        let mut body = Vec::new();
        let read = async {
            while body.len() < most
                && let Ok(Some(chunk)) = response.chunk().await
            {
                body.extend_from_slice(&chunk);
            }
        };
        let _ = tokio::time::timeout(BODY_PATIENCE, read).await;
        body.truncate(most);
        Ok(Answer { status, headers, body })
    }

    /// Sends the request, whose URL has been checked, and reads the answer, all within `time`.
    pub async fn send(&self, ready: Ready, time: Duration) -> Result<Answer, Failure> {
        match tokio::time::timeout(time, self.exchange(ready)).await {
            Ok(answer) => answer,
            Err(_) => Err(Failure::new("timeout", format!("no whole answer within {} ms", time.as_millis()))),
        }
    }

    /// Sends the request and waits for the head of the answer.
    async fn begin(&self, ready: Ready) -> Result<(Response, u16, Vec<(String, String)>), Failure> {
        let Ready { method, url, mut headers, body } = ready;
        headers.entry(USER_AGENT).or_insert(reqwest::header::HeaderValue::from_static(AGENT));
        let request = self.http.request(method, url).headers(headers);
        // Without a body there is no `Content-Length: 0` on a GET either.
        let request = if body.is_empty() { request } else { request.body(body) };
        let response = request.send().await.map_err(failure)?;
        let status = response.status().as_u16();
        let headers = headers_of(&response)?;
        Ok((response, status, headers))
    }

    async fn exchange(&self, ready: Ready) -> Result<Answer, Failure> {
        let (mut response, status, headers) = self.begin(ready).await?;
        let large = || Failure::new("too-large", format!("the body has more than {LARGEST_BODY} bytes"));
        if response.content_length().is_some_and(|length| length > LARGEST_BODY as u64) {
            return Err(large());
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failure)? {
            if body.len() + chunk.len() > LARGEST_BODY {
                return Err(large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers, body })
    }
}

fn headers_of(response: &Response) -> Result<Vec<(String, String)>, Failure> {
    let headers: Vec<(String, String)> = response
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let size: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if size > LARGEST_HEADERS {
        return Err(Failure::new("too-large", format!("the headers have more than {LARGEST_HEADERS} bytes")));
    }
    Ok(headers)
}

/// What went wrong, told by the causes that the HTTP client gives.
fn failure(error: reqwest::Error) -> Failure {
    // The flow knows the URL; logs need not.
    let error = error.without_url();
    let mut message = String::new();
    let mut cause = error.source();
    while let Some(next) = cause {
        if let Some(refused) = next.downcast_ref::<Refused>() {
            return refused.clone().into();
        }
        let text = next.to_string();
        // Wrappers often repeat what they wrap.
        if !message.ends_with(&text) {
            message = if message.is_empty() { text } else { format!("{message}: {text}") };
        }
        cause = next.source();
    }
    if error.is_connect() {
        let (code, message) = if error.is_timeout() {
            ("timeout", format!("no connection within {} s", CONNECT_TIMEOUT.as_secs()))
        } else {
            ("unreachable", message)
        };
        return Failure { code, message, unsent: true };
    }
    let code = if message.contains("message head is too large") { "too-large" } else { "broken" };
    Failure::new(code, message)
}

#[cfg(test)]
mod tests;
