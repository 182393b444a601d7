//! Signed webhooks, posted to the runtime over connections that are kept.

use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::CONTENT_TYPE;
use serde::Serialize;
use sha2::Sha256;

/// How the runtime answered a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// HTTP status; 0 when there was no answer, and then `body` is the reason.
    pub status: u16,
    /// Time until the whole answer was there.
    #[serde(rename = "latency_ms", serialize_with = "as_millis")]
    pub latency: Duration,
    /// The answer's body.
    pub body: String,
}

impl Delivery {
    /// True when Meta would count the webhook as delivered.
    pub fn is_acknowledged(&self) -> bool {
        self.status == 200
    }
}

fn as_millis<S: serde::Serializer>(latency: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(latency.as_secs_f64() * 1000.0)
}

/// The value of `X-Hub-Signature-256` for a body.
pub fn sign(app_secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(app_secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

/// Posts webhooks.
pub(crate) struct Poster(reqwest::Client);

impl Poster {
    /// Fails only when the HTTP client cannot be built.
    pub(crate) fn new() -> reqwest::Result<Poster> {
        // The client wants a provider even for plain HTTP; somebody else may have installed one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .no_proxy()
            .http1_only()
            .tls_certs_only([])
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(20))
            .build()?;
        Ok(Poster(client))
    }

    pub(crate) async fn post(&self, url: Option<&str>, body: Vec<u8>, signature: Option<&str>) -> Delivery {
        let start = Instant::now();
        let Some(url) = url else {
            return Delivery { status: 0, latency: Duration::ZERO, body: "no webhook URL is set".to_owned() };
        };
        let mut request = self.0.post(url).header(CONTENT_TYPE, "application/json").body(body);
        if let Some(signature) = signature {
            request = request.header("X-Hub-Signature-256", signature);
        }
        let answer = async {
            let answer = request.send().await?;
            let status = answer.status().as_u16();
            Ok::<_, reqwest::Error>((status, answer.text().await?))
        };
        let (status, body) = answer.await.unwrap_or_else(|error| (0, format!("{error:?}")));
        Delivery { status, latency: start.elapsed(), body }
    }
}
