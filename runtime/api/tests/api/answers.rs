//! What answers look like.

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{RequestBuilder, StatusCode};
use serde_json::Value;

/// An answer with its headers.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// JSON, or a text.
    pub body: Value,
}

pub async fn answer(request: RequestBuilder) -> Answer {
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let text = answer.text().await.unwrap();
    Answer { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
}

impl Answer {
    /// Asserts that this is an error of this status, in the one form of all errors, that says these words.
    #[track_caller]
    pub fn refuses(&self, label: &str, status: u16, words: &[&str]) {
        let Self { body, headers, .. } = self;
        assert_eq!(self.status, status, "{label}: {body}");
        let reason = StatusCode::from_u16(status).unwrap().canonical_reason().unwrap();
        assert_eq!(body["error"], reason, "{label}: {body}");
        assert_eq!(headers[CONTENT_TYPE], "application/json", "{label}");
        let message = body["message"].as_str().unwrap_or_else(|| panic!("{label}: no message in {body}"));
        for word in words {
            assert!(message.contains(word), "{label}: no {word:?} in {message:?}");
        }
        let known = ["error", "message", "code", "details"];
        assert!(body.as_object().unwrap().keys().all(|key| known.contains(&key.as_str())), "{label}: {body}");
    }

    /// Asserts that this is a 400 that names this field, to people and to programs, and says these words.
    #[track_caller]
    pub fn refuses_field(&self, label: &str, field: &str, words: &[&str]) {
        self.refuses(label, 400, words);
        assert_eq!(self.body["code"], "invalid_field", "{label}: {}", self.body);
        assert_eq!(self.body["details"]["field"], field, "{label}: {}", self.body);
        let message = self.body["message"].as_str().unwrap();
        assert!(message.starts_with(&format!("{field}: ")), "{label}: {message:?} does not begin with {field:?}");
    }
}
