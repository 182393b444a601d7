//! The calls of the Graph API that are no sends. Each may be repeated, but for the exchange of a code.

use std::time::Duration;

use hoopoe_protocol::graph::management::{NUMBER_FIELDS, Number, PROFILE_FIELDS, Profile, TokenInfo};
use hoopoe_protocol::graph::{Class, Failure, hide, json_answer, secret_answer};
use reqwest::{Client, Method, Proxy};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::Url;

use crate::App;

/// Most bytes of an answer that are read.
const LONGEST_ANSWER: usize = 1024 * 1024;
/// Numbers of an account that are looked through at the most: Meta allows some dozens.
const PAGES: usize = 20;
/// A token that Meta does not take.
const BAD_TOKEN: i64 = 190;

/// Where and how to call.
#[derive(Debug, Clone)]
pub struct Settings {
    /// For example `https://graph.facebook.com`.
    pub base_url: String,
    /// For example `v23.0`.
    pub version: String,
    /// To establish a connection.
    pub connect_timeout: Duration,
    /// For a whole request.
    pub timeout: Duration,
    /// `http://user:password@host:port`; when absent, what the environment says.
    pub proxy: Option<SecretString>,
}

/// Why the client cannot be built.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be built: {0}")]
pub struct ClientError(#[from] reqwest::Error);

pub(crate) struct Meta {
    client: Client,
    base: String,
}

impl Meta {
    pub fn new(settings: &Settings) -> Result<Self, ClientError> {
        let builder = Client::builder()
            .connect_timeout(settings.connect_timeout)
            .timeout(settings.timeout)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never());
        let builder = match &settings.proxy {
            Some(proxy) => builder.proxy(Proxy::all(proxy.expose_secret())?),
            None => builder,
        };
        let base = format!("{}/{}", settings.base_url.trim_end_matches('/'), settings.version);
        Ok(Self { client: builder.build()?, base })
    }

    /// Exchanges the code of Meta's dialog for a token of the business. Meta takes a code once.
    pub async fn exchange_code(&self, app: &App, code: &SecretString) -> Result<SecretString, Failure> {
        let parameters = [
            ("client_id", app.id.as_str()),
            ("client_secret", app.secret.expose_secret()),
            ("code", code.expose_secret()),
        ];
        let answer = self.ask(Method::GET, "oauth/access_token", &parameters, None, None).await;
        let answer = answer.and_then(|(status, body)| secret_answer(status, &body));
        let hiding = |failure: Failure| failure.hiding(app.secret.expose_secret()).hiding(code.expose_secret());
        let answer = answer.map_err(hiding)?;
        let token = answer.get("access_token").and_then(Value::as_str).filter(|token| !token.is_empty());
        token.map(|token| token.to_owned().into()).ok_or_else(|| unexpected("an exchange without access_token"))
    }

    /// What Meta says of a token: asked by the app when it is known, else, or when the token is another app's, by the
    /// token itself.
    pub async fn inspect(&self, token: &SecretString, app: Option<&App>) -> Result<TokenInfo, Failure> {
        if let Some(app) = app {
            let viewer = format!("{}|{}", app.id, app.secret.expose_secret());
            let looked = self.debug_token(token, &viewer.into()).await;
            match looked.map_err(|failure| failure.hiding(app.secret.expose_secret())) {
                Err(failure) if failure.class != Class::Transient && failure.class != Class::Ambiguous => {
                    tracing::debug!(reason = failure.message, "the app may not look at a token; it looks at itself");
                }
                other => return other,
            }
        }
        match self.debug_token(token, token).await {
            Err(failure) if failure.code == Some(BAD_TOKEN) => Ok(TokenInfo::invalid(failure.message)),
            other => other,
        }
    }

    async fn debug_token(&self, token: &SecretString, viewer: &SecretString) -> Result<TokenInfo, Failure> {
        let input = token.expose_secret();
        let answer = self.call(Method::GET, "debug_token", &[("input_token", input)], viewer, None).await;
        let answer = answer.map_err(|failure| failure.hiding(input))?;
        let info = TokenInfo::read(&answer);
        let mut info = info.ok_or_else(|| unexpected("debug_token does not say whether the token is valid"))?;
        info.reason = info.reason.map(|reason| hide(&reason, input));
        Ok(info)
    }

    /// The app gets the account's webhooks from now on. Once more changes nothing.
    pub async fn subscribe(&self, waba_id: &str, token: &SecretString) -> Result<(), Failure> {
        let answer = self.call(Method::POST, &format!("{waba_id}/subscribed_apps"), &[], token, None).await?;
        success(&answer)
    }

    /// Registers the number at the Cloud API and sets its PIN. Once more with the same PIN changes nothing.
    pub async fn register(&self, number: &str, pin: &SecretString, token: &SecretString) -> Result<(), Failure> {
        let body = json!({ "messaging_product": "whatsapp", "pin": pin.expose_secret() });
        let answer = self.call(Method::POST, &format!("{number}/register"), &[], token, Some(&body)).await?;
        success(&answer)
    }

    /// The account's number of this id, or none.
    pub async fn number_of_account(
        &self,
        waba_id: &str,
        number: &str,
        token: &SecretString,
    ) -> Result<Option<Number>, Failure> {
        let mut after: Option<String> = None;
        for _ in 0..PAGES {
            let mut parameters = vec![("fields", NUMBER_FIELDS), ("limit", "100")];
            if let Some(after) = &after {
                parameters.push(("after", after.as_str()));
            }
            let path = format!("{waba_id}/phone_numbers");
            let page = self.call(Method::GET, &path, &parameters, token, None).await?;
            let numbers = page.get("data").and_then(Value::as_array).into_iter().flatten();
            if let Some(found) = numbers.filter_map(Number::read).find(|found| found.id == number) {
                return Ok(Some(found));
            }
            // Meta names the next page only where there is one.
            let next = page.pointer("/paging/next").and(page.pointer("/paging/cursors/after"));
            after = match next.and_then(Value::as_str) {
                Some(next) => Some(next.to_owned()),
                None => return Ok(None),
            };
        }
        Ok(None)
    }

    /// The number as Meta knows it.
    pub async fn number(&self, number: &str, token: &SecretString) -> Result<Number, Failure> {
        let answer = self.call(Method::GET, number, &[("fields", NUMBER_FIELDS)], token, None).await?;
        Number::read(&answer).ok_or_else(|| unexpected("a number without id"))
    }

    /// What users see of the number.
    pub async fn profile(&self, number: &str, token: &SecretString) -> Result<Profile, Failure> {
        let path = format!("{number}/whatsapp_business_profile");
        let answer = self.call(Method::GET, &path, &[("fields", PROFILE_FIELDS)], token, None).await?;
        Ok(Profile::read(&answer))
    }

    /// The JSON of an answer. What Meta says is wrong does not have the token in it.
    async fn call(
        &self,
        method: Method,
        path: &str,
        parameters: &[(&str, &str)],
        token: &SecretString,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let answer = self.ask(method, path, parameters, Some(token), body).await;
        let answer = answer.and_then(|(status, body)| json_answer(status, &body));
        answer.map(Value::Object).map_err(|failure| failure.hiding(token.expose_secret()))
    }

    /// HTTP status and body of an answer.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        parameters: &[(&str, &str)],
        token: Option<&SecretString>,
        body: Option<&Value>,
    ) -> Result<(u16, Vec<u8>), Failure> {
        let url = format!("{}/{path}", self.base);
        let url = if parameters.is_empty() { Url::parse(&url) } else { Url::parse_with_params(&url, parameters) };
        let mut request = self.client.request(method, url.map_err(|error| unexpected(&error.to_string()))?);
        if let Some(token) = token {
            request = request.bearer_auth(token.expose_secret());
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let mut response = request.send().await.map_err(unanswered)?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unanswered)? {
            body.extend_from_slice(&chunk);
            if body.len() > LONGEST_ANSWER {
                return Err(unexpected("the answer is too large"));
            }
        }
        Ok((status, body))
    }
}

fn success(answer: &Value) -> Result<(), Failure> {
    match answer.get("success") {
        Some(Value::Bool(true)) => Ok(()),
        _ => Err(unexpected("an answer that does not say success")),
    }
}

fn unanswered(error: reqwest::Error) -> Failure {
    let class = if error.is_connect() || error.is_builder() { Class::Transient } else { Class::Ambiguous };
    // The URL holds secrets.
    let error = error.without_url();
    let mut message = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        message = format!("{message}: {cause}");
        source = cause.source();
    }
    Failure { class, http_status: None, code: None, subcode: None, message }
}

fn unexpected(what: &str) -> Failure {
    let message = what.to_owned();
    Failure { class: Class::Ambiguous, http_status: None, code: None, subcode: None, message }
}
