//! Files at Meta: where one is, its bytes, and how one gets there.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use hoopoe_outcalls::guard::Refused;
use hoopoe_protocol::{graph, media};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::{Body, Client, Method};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::{Class, Failure, Graph, failure, lost, read, send, text, whole};

/// For a whole file, in either direction.
pub const LONGEST: Duration = Duration::from_secs(300);

/// Where a file is. The address lives for five minutes.
#[derive(Debug, Clone)]
pub struct Place {
    /// Its bytes, for who has the token.
    pub url: Url,
    /// Its content type.
    pub mime_type: Option<String>,
    /// The digest of its bytes.
    pub sha256: Option<[u8; 32]>,
    /// In bytes.
    pub size: Option<u64>,
}

/// Why there are no bytes of a file.
#[derive(Debug, thiserror::Error)]
pub enum NoBytes {
    /// Its address is elsewhere than files are fetched from. Nothing was asked there.
    #[error("Meta's address of the file is refused: {0} is none of MEDIA_HOSTS, and the token goes nowhere else")]
    Host(String),
    /// Asking for them failed.
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// A file to give to Meta.
pub struct Upload<S> {
    /// Without parameters.
    pub mime_type: String,
    /// What people may see; Meta wants one in any case.
    pub filename: Option<String>,
    /// In bytes: as many as `bytes` gives.
    pub size: u64,
    /// Separates the parts of the request; nothing that a file may hold by chance.
    pub boundary: String,
    /// Its content.
    pub bytes: S,
}

impl Graph {
    /// Asks where a file of this number is. [`Class::Permanent`] when Meta does not have it (any more).
    pub async fn media_place(&self, token: &SecretString, id: &str, phone_number_id: &str) -> Result<Place, Failure> {
        let url = self.url(&[id], &[("phone_number_id", phone_number_id)]);
        let answer = self.ask(Method::GET, url, token).await?;
        let url = text(&answer, "url").ok_or_else(|| failure(Class::Transient, "Meta's answer names no url"))?;
        let url = Url::parse(&url)
            .map_err(|error| failure(Class::Permanent, format!("Meta's answer names no usable url: {error}")))?;
        Ok(Place {
            url,
            mime_type: text(&answer, "mime_type"),
            sha256: text(&answer, "sha256").as_deref().and_then(media::digest),
            size: text(&answer, "file_size").and_then(|size| size.parse().ok()),
        })
    }

    /// The bytes of a file. Its address is at the place of the Graph API itself, or https, public and at one of the
    /// hosts of files: else it is refused, because the token goes along.
    pub async fn media_bytes(
        &self,
        token: &SecretString,
        url: &Url,
    ) -> Result<impl Stream<Item = Result<Bytes, Failure>> + Send + use<>, NoBytes> {
        let response = send(self.client_for(url)?.get(url.clone()).timeout(LONGEST), token).await?;
        if !response.status().is_success() {
            let (status, body) = whole(response).await?;
            let said = graph::json_answer(status, &body).err();
            let said = said.map(|failure| failure.hiding(token.expose_secret()));
            // The address may be old: another one is asked for with the next attempt.
            let class = match status {
                404 | 410 => Class::Transient,
                _ => graph::classify(status, said.as_ref().and_then(|failure| failure.code)),
            };
            let message = said.map_or_else(|| format!("HTTP {status}"), |failure| failure.message);
            return Err(Failure { http_status: Some(status), ..failure(class, message) }.into());
        }
        Ok(response.bytes_stream().map(|chunk| chunk.map_err(lost)))
    }

    /// The client for a file at this address. The guard of names alone would not do: a proxy looks them up by itself.
    fn client_for(&self, url: &Url) -> Result<&Client, NoBytes> {
        if url.origin() == self.base.origin() {
            return Ok(&self.http);
        }
        let refused = |why: Refused| {
            NoBytes::Failed(failure(Class::Permanent, format!("Meta's address of the file is refused: {why}")))
        };
        let host = self.rules.check_place(url).map_err(refused)?.to_string();
        if !is_among(&self.media_hosts, &host) {
            return Err(NoBytes::Host(host));
        }
        Ok(&self.guarded)
    }

    /// Gives a file to Meta for messages of this number. Gives Meta's id, good for 30 days.
    pub async fn upload_media<S, E>(
        &self,
        token: &SecretString,
        phone_number_id: &str,
        upload: Upload<S>,
    ) -> Result<String, Failure>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
    {
        let Upload { mime_type, filename, size, boundary, bytes } = upload;
        let (before, after) = frame(&mime_type, filename.as_deref(), &boundary);
        let length = before.len() as u64 + size + after.len() as u64;
        let edge = |text: String| stream::iter([Ok(Bytes::from(text))]);
        let body = edge(before).chain(bytes.map(|chunk| chunk.map_err(Into::into))).chain(edge(after));
        let body: Body = Body::wrap_stream(body);
        let request = self
            .http
            .post(self.url(&[phone_number_id, "media"], &[]))
            .timeout(LONGEST)
            .header(CONTENT_TYPE, format!("multipart/form-data; boundary={boundary}"))
            .header(CONTENT_LENGTH, length)
            .body(body);
        let answer = read(request, token).await?;
        text(&answer, "id").ok_or_else(|| failure(Class::Transient, "Meta's answer names no id"))
    }
}

/// Whether a host is one of these, or below one of them.
fn is_among(hosts: &[String], host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    hosts
        .iter()
        .any(|known| host.strip_suffix(known.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

/// What stands before and behind the file in the request (RFC 7578).
fn frame(mime_type: &str, filename: Option<&str>, boundary: &str) -> (String, String) {
    let field = |name: &str, value: &str| {
        format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    // What would end the parameter or the header is left out.
    let filename: String = filename.unwrap_or("file").chars().filter(|c| !c.is_control() && *c != '"').collect();
    let filename = if filename.is_empty() { "file" } else { &filename };
    let file = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{filename}\"\r\n\
         Content-Type: {mime_type}\r\n\r\n"
    );
    let before = field("messaging_product", "whatsapp") + &field("type", mime_type) + &file;
    (before, format!("\r\n--{boundary}--\r\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_known_by_their_end() {
        let hosts = ["fbcdn.net".to_owned(), "facebook.com".to_owned()];
        for (url, expected) in [
            ("https://fbcdn.net/1", true),
            ("https://Scontent.FRA3-1.fbcdn.NET/1", true),
            ("https://lookaside.facebook.com./1", true),
            ("https://evilfbcdn.net/1", false),
            ("https://fbcdn.net.evil.org/1", false),
            ("https://evil.org/fbcdn.net", false),
            ("https://net/1", false),
            ("https://93.184.215.14/1", false),
        ] {
            let url = Url::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
            assert_eq!(is_among(&hosts, &url.host().expect("a host").to_string()), expected, "{url}");
        }
    }

    #[test]
    fn a_name_cannot_end_its_header() {
        let (before, after) = frame("image/png", Some("a\"; x=\"\r\nContent-Type: text/html\r\n\r\n"), "b");
        assert_eq!(before.matches("Content-Type:").count(), 2);
        assert_eq!(before.matches("\r\nContent-Type:").count(), 1, "{before}");
        assert!(before.contains("filename=\"a; x=Content-Type: text/html\"\r\n"), "{before}");
        assert_eq!(after, "\r\n--b--\r\n");
        assert!(frame("image/png", Some("\""), "b").0.contains("filename=\"file\""));
    }
}
