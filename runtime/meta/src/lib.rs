//! Requests of Meta's Graph API besides messages: files and templates.
//!
//! In: a number's token and what to ask. Out: what Meta says, or a [`Failure`] whose class says what to do next. None of
//! these requests does harm when it is repeated, so there is no doubt to wait for: a lost answer is
//! [`Class::Transient`].
//!
//! Source: Meta's Cloud API reference (Media) and Business Management API reference (Message templates).

pub mod media;
pub mod templates;

use std::sync::Arc;
use std::time::Duration;

use hoopoe_outcalls::guard::{Rules, System, resolver};
use hoopoe_protocol::graph;
pub use hoopoe_protocol::graph::{Class, Failure};
use reqwest::{Client, ClientBuilder, Method, Proxy, RequestBuilder, Response};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use url::Url;

/// Most bytes of an answer that are read: a page of templates may have some hundred thousand.
const LONGEST_ANSWER: usize = 8 << 20;
/// Longest pause within a file.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Where and how to call.
#[derive(Debug, Clone)]
pub struct Settings {
    /// For example `https://graph.facebook.com`.
    pub base_url: String,
    /// For example `v23.0`.
    pub version: String,
    /// To establish a connection.
    pub connect_timeout: Duration,
    /// For a whole request, but for files.
    pub timeout: Duration,
    /// `http://user:password@host:port`; when absent, what the environment says.
    pub proxy: Option<SecretString>,
    /// Files may be in the host's own network. For development.
    pub allow_private: bool,
    /// Hosts that files are fetched from, each with all below it, in small letters: the token goes there. The place of
    /// the Graph API itself is one of them in any case.
    pub media_hosts: Vec<String>,
}

/// Why it could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// TLS or the proxy cannot be set up.
    #[error("the HTTP client cannot be built: {0}")]
    Client(#[from] reqwest::Error),
    /// The base is no URL.
    #[error("the address of the Graph API cannot be used: {0}")]
    Address(#[from] url::ParseError),
}

/// Calls the Graph API. Cheap to clone.
#[derive(Clone)]
pub struct Graph {
    http: Client,
    /// For files: names that lead into the host's network are refused where the connection is made.
    guarded: Client,
    rules: Arc<Rules>,
    media_hosts: Arc<[String]>,
    base: Url,
    version: String,
    timeout: Duration,
}

impl Graph {
    /// Builds the clients; nothing is connected yet.
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        let rules = Arc::new(Rules::of_places(false, settings.allow_private));
        let guarded = builder(settings)?.dns_resolver(resolver(rules.clone(), Arc::new(System)));
        Ok(Self {
            http: builder(settings)?.build()?,
            guarded: guarded.build()?,
            rules,
            media_hosts: settings.media_hosts.clone().into(),
            base: Url::parse(&settings.base_url)?,
            version: settings.version.clone(),
            timeout: settings.timeout,
        })
    }

    /// The URL of a node, or of an edge of it, with these parameters.
    fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push(&self.version).extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    async fn ask(&self, method: Method, url: Url, token: &SecretString) -> Result<Map<String, Value>, Failure> {
        read(self.http.request(method, url).timeout(self.timeout), token).await
    }
}

/// Sends the request and reads the JSON of its answer.
async fn read(request: RequestBuilder, token: &SecretString) -> Result<Map<String, Value>, Failure> {
    let response = send(request, token).await?;
    let (status, body) = whole(response).await?;
    let certain = |failure: Failure| match failure.class {
        Class::Ambiguous => Failure { class: Class::Transient, ..failure },
        _ => failure,
    };
    // Some of Meta's words have the token in them.
    graph::json_answer(status, &body).map_err(|failure| certain(failure).hiding(token.expose_secret()))
}

async fn send(request: RequestBuilder, token: &SecretString) -> Result<Response, Failure> {
    request.bearer_auth(token.expose_secret()).send().await.map_err(lost)
}

/// Status and body of an answer; of a long one its beginning.
async fn whole(mut response: Response) -> Result<(u16, Vec<u8>), Failure> {
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(lost)? {
        body.extend_from_slice(&chunk);
        if body.len() > LONGEST_ANSWER {
            break;
        }
    }
    Ok((status, body))
}

fn lost(error: reqwest::Error) -> Failure {
    let error = error.without_url();
    let mut message = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        message = format!("{message}: {cause}");
        source = cause.source();
    }
    failure(Class::Transient, message)
}

fn failure(class: Class, message: impl Into<String>) -> Failure {
    Failure { class, http_status: None, code: None, subcode: None, message: message.into() }
}

/// A text of an answer; digits where Meta writes a number.
fn text(answer: &Map<String, Value>, name: &str) -> Option<String> {
    match answer.get(name)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn builder(settings: &Settings) -> Result<ClientBuilder, reqwest::Error> {
    let builder = Client::builder()
        .connect_timeout(settings.connect_timeout)
        .read_timeout(READ_TIMEOUT)
        // Elsewhere would be past the guard, with the token.
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .tcp_nodelay(true);
    match &settings.proxy {
        Some(proxy) => Ok(builder.proxy(Proxy::all(proxy.expose_secret())?)),
        None => Ok(builder),
    }
}
