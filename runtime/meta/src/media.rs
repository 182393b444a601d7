//! Files at Meta: where one is, its bytes, and how one gets there.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use hoopoe_protocol::{graph, media};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::{Body, Method};
use secrecy::SecretString;
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

    /// The bytes of a file. Its address is https and public, or at the place of the Graph API itself; else it is refused
    /// ([`Class::Permanent`]), because the token goes along.
    pub async fn media_bytes(
        &self,
        token: &SecretString,
        url: &Url,
    ) -> Result<impl Stream<Item = Result<Bytes, Failure>> + Send + use<>, Failure> {
        let client = if url.origin() == self.base.origin() {
            &self.http
        } else {
            let refused = |why: hoopoe_outcalls::guard::Refused| {
                failure(Class::Permanent, format!("Meta's address of the file is refused: {why}"))
            };
            self.rules.check_place(url).map_err(refused)?;
            &self.guarded
        };
        let response = send(client.get(url.clone()).timeout(LONGEST), token).await?;
        if !response.status().is_success() {
            let (status, body) = whole(response).await?;
            let said = graph::json_answer(status, &body).err();
            // The address may be old: another one is asked for with the next attempt.
            let class = match status {
                404 | 410 => Class::Transient,
                _ => graph::classify(status, said.as_ref().and_then(|failure| failure.code)),
            };
            let message = said.map_or_else(|| format!("HTTP {status}"), |failure| failure.message);
            return Err(Failure { http_status: Some(status), ..failure(class, message) });
        }
        Ok(response.bytes_stream().map(|chunk| chunk.map_err(lost)))
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
    fn a_name_cannot_end_its_header() {
        let (before, after) = frame("image/png", Some("a\"; x=\"\r\nContent-Type: text/html\r\n\r\n"), "b");
        assert_eq!(before.matches("Content-Type:").count(), 2);
        assert_eq!(before.matches("\r\nContent-Type:").count(), 1, "{before}");
        assert!(before.contains("filename=\"a; x=Content-Type: text/html\"\r\n"), "{before}");
        assert_eq!(after, "\r\n--b--\r\n");
        assert!(frame("image/png", Some("\""), "b").0.contains("filename=\"file\""));
    }
}
