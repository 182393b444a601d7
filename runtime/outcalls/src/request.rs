//! A flow's request: what it may look like, and how it is kept until the call is made.
//!
//! Pure. Whether the host may be called is not decided here but when the call is made: allowlists can change in
//! between, and names can come to mean other addresses.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use reqwest::header::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::secrets;

/// Methods that a flow may use.
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
/// Longest URL, in bytes.
const LONGEST_URL: usize = 8 << 10;
/// Most headers.
const MOST_HEADERS: usize = 32;
/// Names and values of all headers together, in bytes, before secrets are put in.
const LARGEST_HEADERS: usize = 16 << 10;
/// Largest body, in bytes.
const LARGEST_BODY: usize = 256 << 10;
/// Longest time for the whole call, in milliseconds.
pub(crate) const LONGEST_TIMEOUT: u32 = 30_000;
/// Headers that belong to the connection or are written by the host.
const REFUSED_HEADERS: [&str; 13] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// An HTTP request of a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// GET, HEAD, POST, PUT, PATCH or DELETE, in any case.
    pub method: String,
    /// `https`, or `http` where the operator lets it be; at most 8 KiB, without user and password. A fragment is left
    /// out.
    pub url: String,
    /// Names and values: at most 32 and 16 KiB, visible ASCII. `{{secret:NAME}}` in a value stands for a secret.
    pub headers: Vec<(String, String)>,
    /// At most 256 KiB.
    pub body: Vec<u8>,
    /// For the whole call, in milliseconds: at least 1; more than 30,000 is taken for 30,000.
    pub timeout_ms: u32,
}

/// How a request is kept.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: String,
    timeout_ms: u32,
}

impl Request {
    /// Checks the request's form and gives it as the JSON text that is kept until the call: method, url, headers, body
    /// (base64) and timeoutMs. An error begins with the field that is wrong: `headers[2]: ...`.
    pub fn encode(&self) -> Result<String, String> {
        let method = self.method.to_ascii_uppercase();
        if !METHODS.contains(&method.as_str()) {
            return Err(format!(
                "method: {:?} cannot be used; give one of {}",
                short(&self.method),
                METHODS.join(", ")
            ));
        }
        let url = check_url(&self.url)?;
        check_headers(&self.headers)?;
        if self.body.len() > LARGEST_BODY {
            return Err(format!("body: it has {} bytes; at most {LARGEST_BODY} are sent", self.body.len()));
        }
        if self.timeout_ms == 0 {
            return Err(format!("timeout-ms: it is 0; give 1 to {LONGEST_TIMEOUT}"));
        }
        let kept = Kept {
            method,
            url: url.into(),
            headers: self.headers.clone(),
            body: BASE64.encode(&self.body),
            timeout_ms: self.timeout_ms.min(LONGEST_TIMEOUT),
        };
        serde_json::to_string(&kept).map_err(|error| error.to_string())
    }

    /// Reads what [`Request::encode`] wrote. The form is checked again: a row may come from another version.
    pub(crate) fn decode(text: &str) -> Result<Self, String> {
        let kept: Kept = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let body = BASE64.decode(kept.body).map_err(|error| format!("body: {error}"))?;
        let Kept { method, url, headers, timeout_ms, .. } = kept;
        let request = Self { method, url, headers, body, timeout_ms: timeout_ms.clamp(1, LONGEST_TIMEOUT) };
        request.encode()?;
        Ok(request)
    }
}

fn check_url(text: &str) -> Result<Url, String> {
    if text.len() > LONGEST_URL {
        return Err(format!("url: it has {} bytes; at most {LONGEST_URL} are allowed", text.len()));
    }
    if text.contains(secrets::OPEN) {
        return Err("url: a secret cannot stand in it, since servers write URLs to their logs; \
                    put it into a header"
            .to_owned());
    }
    let mut url = Url::parse(text).map_err(|error| format!("url: {:?} is no absolute URL: {error}", short(text)))?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(format!("url: its scheme is {}; https is meant", url.scheme()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("url: it has a user or a password in it; put an Authorization header in their place".to_owned());
    }
    if url.port() == Some(0) {
        return Err("url: 0 is no port".to_owned());
    }
    url.set_fragment(None);
    Ok(url)
}

fn check_headers(headers: &[(String, String)]) -> Result<(), String> {
    if headers.len() > MOST_HEADERS {
        return Err(format!("headers: there are {}; at most {MOST_HEADERS} are sent", headers.len()));
    }
    let size: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if size > LARGEST_HEADERS {
        return Err(format!("headers: they have {size} bytes; at most {LARGEST_HEADERS} are sent"));
    }
    headers.iter().enumerate().try_for_each(|(place, (name, value))| {
        check_header(name, value).map_err(|error| format!("headers[{place}]: {error}"))
    })
}

fn check_header(name: &str, value: &str) -> Result<(), String> {
    let parsed = HeaderName::from_bytes(name.as_bytes());
    let parsed = parsed.map_err(|_| format!("{:?} is no name of a header", short(name)))?;
    if REFUSED_HEADERS.contains(&parsed.as_str()) {
        return Err(format!("{parsed} is written by the host; leave it out"));
    }
    if !value.is_ascii() || HeaderValue::from_str(value).is_err() {
        return Err(format!("the value of {parsed} has characters other than visible ASCII"));
    }
    secrets::pieces(value).map(drop).map_err(|error| format!("the value of {parsed}: {error}"))
}

/// The beginning of a text, for messages.
fn short(text: &str) -> String {
    text.chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        Request {
            method: "post".to_owned(),
            url: "https://API.example.com/orders?id=7#part".to_owned(),
            headers: vec![("Authorization".to_owned(), "Bearer {{secret:API_KEY}}".to_owned())],
            body: vec![0, 159, 146, 150],
            timeout_ms: 60_000,
        }
    }

    #[test]
    fn what_is_kept_comes_back() {
        let text = request().encode().expect("it is fine");
        let kept: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let expected = serde_json::json!({
            "method": "POST", "url": "https://api.example.com/orders?id=7",
            "headers": [["Authorization", "Bearer {{secret:API_KEY}}"]], "body": "AJ+Slg==", "timeoutMs": 30_000
        });
        assert_eq!(kept, expected);
        let decoded = Request::decode(&text).expect("it is fine");
        assert_eq!((decoded.method.as_str(), decoded.body.len(), decoded.timeout_ms), ("POST", 4, 30_000));
        assert_eq!(decoded.encode().as_ref(), Ok(&text));
        for broken in ["", "{}", &text.replace("POST", "TRACE"), &text.replace("AJ+Slg==", "%"), &text.replace('[', "")]
        {
            assert!(Request::decode(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn wrong_requests_are_told_what_is_wrong() {
        let header = |name: &str, value: &str| Request { headers: vec![(name.into(), value.into())], ..request() };
        let url = |url: &str| Request { url: url.to_owned(), ..request() };
        let long = "x".repeat(LONGEST_URL);
        let cases = [
            (Request { method: "TRACE".to_owned(), ..request() }, "method: \"TRACE\""),
            (Request { method: "CONNECT".to_owned(), ..request() }, "method: \"CONNECT\""),
            (Request { method: "GET /x HTTP/1.1\r\n".to_owned(), ..request() }, "method: "),
            (url(""), "url: \"\" is no absolute URL"),
            (url("/orders"), "url: \"/orders\""),
            (url("https://"), "url: "),
            (url("https://user:word@example.com/"), "url: it has a user"),
            (url("https://user@example.com/"), "url: it has a user"),
            (url("https://:word@example.com/"), "url: it has a user"),
            (url("ftp://example.com/"), "url: its scheme is ftp"),
            (url("file:///etc/passwd"), "url: its scheme is file"),
            (url("gopher://example.com/"), "url: its scheme is gopher"),
            (url("https://example.com:0/"), "url: 0 is no port"),
            (url("https://exa mple.com/"), "url: "),
            (url("https://example.com/?key={{secret:API_KEY}}"), "url: a secret cannot stand"),
            (url(&format!("https://example.com/{long}")), "url: it has"),
            (header("Host", "other.example"), "headers[0]: host is written by the host"),
            (header("TRANSFER-ENCODING", "chunked"), "headers[0]: transfer-encoding"),
            (header("Content-Length", "4"), "headers[0]: content-length"),
            (header("Proxy-Authorization", "x"), "headers[0]: proxy-authorization"),
            (header("Connection", "close"), "headers[0]: connection"),
            (header("Upgrade", "h2c"), "headers[0]: upgrade"),
            (header("a b", "x"), "headers[0]: \"a b\" is no name"),
            (header("", "x"), "headers[0]: \"\" is no name"),
            (header("x:y", "x"), "headers[0]: \"x:y\" is no name"),
            (header("X-A", "a\r\nHost: b"), "headers[0]: the value of x-a has"),
            (header("X-A", "\u{e9}"), "headers[0]: the value of x-a has"),
            (header("X-A", "\0"), "headers[0]: the value of x-a has"),
            (header("X-A", "{{secret:}}"), "headers[0]: the value of x-a: \"{{secret:\""),
            (header("X-A", &long.repeat(3)), "headers: they have"),
            (Request { headers: vec![("a".into(), "b".into()); 33], ..request() }, "headers: there are 33"),
            (Request { body: vec![0; LARGEST_BODY + 1], ..request() }, "body: it has 262145 bytes"),
            (Request { timeout_ms: 0, ..request() }, "timeout-ms: "),
        ];
        for (request, expected) in cases {
            let error = request.encode().err().unwrap_or_else(|| panic!("{expected}: taken"));
            assert!(error.starts_with(expected), "{error} instead of {expected}");
            assert!(error.len() < 400, "{error}");
        }
        let largest = Request { body: vec![0; LARGEST_BODY], headers: vec![("a".into(), "b".into()); 32], ..request() };
        assert!(largest.encode().is_ok());
    }
}
