//! JSON over HTTP, blocking: what the API's and the simulator's clients share.

use std::io::{BufRead, BufReader};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use ureq::Agent;
use ureq::http::Response;
use ureq::tls::{RootCerts, TlsConfig};

use crate::Error;

/// A host that does not take the connection within this is not there.
const CONNECT: Duration = Duration::from_secs(5);
/// Longest for a whole request: an upload waits for its turn and is compiled before it is answered.
const WHOLE: Duration = Duration::from_secs(600);
/// Longest answer, in bytes: replays and lists of runs.
const LARGEST: u64 = 64 * 1024 * 1024;

/// A client for any host. Hosts on this machine are reached directly, others by the proxy of the environment.
pub fn agent(url: &str) -> Agent {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::PlatformVerifier)
        .unversioned_rustls_crypto_provider(provider)
        .build();
    let mut config = Agent::config_builder()
        .http_status_as_error(false)
        // A key is for the host that was named.
        .max_redirects(0)
        .tls_config(tls)
        .user_agent(concat!("hoopoe/", env!("CARGO_PKG_VERSION")))
        .timeout_connect(Some(CONNECT))
        .timeout_global(Some(WHOLE));
    if is_local(url) {
        config = config.proxy(None);
    }
    config.build().new_agent()
}

fn is_local(url: &str) -> bool {
    let host = url.split("://").nth(1).unwrap_or_default();
    let end = host.find(['/', '?']).unwrap_or(host.len());
    let host = &host[..end];
    ["localhost", "127.", "[::1]"].iter().any(|local| host.starts_with(local))
}

/// The body of a good answer, or what it says is wrong. A body that is not JSON comes as a text.
pub fn answer(url: &str, response: Result<Response<ureq::Body>, ureq::Error>) -> Result<(u16, Value), Error> {
    let unreachable = |error: ureq::Error| {
        Error::Unreachable(format!("{url} does not answer: {error}; does it run? (`cargo xtask dev` starts one)"))
    };
    let mut response = response.map_err(unreachable)?;
    let status = response.status().as_u16();
    let text = response.body_mut().with_config().limit(LARGEST).read_to_string().map_err(unreachable)?;
    let body = match text.is_empty() {
        // 204.
        true => Value::Null,
        false => serde_json::from_str(&text).unwrap_or(Value::String(text)),
    };
    if (200..300).contains(&status) { Ok((status, body)) } else { Err(refused(status, &body)) }
}

/// The lines of a good answer as they come, or what it says is wrong. The last one is an error when it broke off.
pub fn lines(
    url: &str,
    response: Result<Response<ureq::Body>, ureq::Error>,
) -> Result<impl Iterator<Item = Result<String, Error>>, Error> {
    let good = match response {
        Ok(good) if good.status().is_success() => good,
        bad => {
            let (status, body) = answer(url, bad)?;
            return Err(refused(status, &body));
        }
    };
    let broken = format!("the connection to {url} broke");
    let lines = BufReader::new(good.into_body().into_reader()).lines();
    Ok(lines.map(move |line| line.map_err(|error| Error::Unreachable(format!("{broken}: {error}")))))
}

fn refused(status: u16, body: &Value) -> Error {
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    let message = text("message").or_else(|| text("error")).unwrap_or_else(|| match body {
        Value::String(text) if !text.trim().is_empty() => text.chars().take(300).collect(),
        _ => "the host did not say why".to_owned(),
    });
    let details = body.get("details").filter(|details| !details.is_null()).cloned();
    Error::Refused { status, message, code: text("code"), details }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn hosts_on_this_machine_are_known() {
        for (url, local) in [
            ("http://127.0.0.1:3000", true),
            ("http://localhost:3000/x", true),
            ("http://[::1]:3000", true),
            ("https://hoopoe.example.com", false),
            ("https://example.com/127.0.0.1", false),
            ("nonsense", false),
        ] {
            assert_eq!(is_local(url), local, "{url}");
        }
    }

    #[test]
    fn a_refusal_carries_the_servers_words() {
        let cases = [
            (json!({ "error": "Conflict", "message": "it is active" }), "it is active (answered 409)"),
            (json!({ "error": "Conflict" }), "Conflict (answered 409)"),
            (json!("a proxy's page"), "a proxy's page (answered 409)"),
            (json!(null), "the host did not say why (answered 409)"),
        ];
        for (body, expected) in cases {
            assert_eq!(refused(409, &body).to_string(), expected);
        }
    }
}
