//! Files: `POST /{version}/{phone_number_id}/media`, `GET` and `DELETE /{version}/{media_id}`, and the bytes behind the
//! address that the `GET` names.
//!
//! Uploads are checked as Meta does: all three parts, a type that is taken, its size. An id that was deleted, or has been
//! forgotten, is refused in sends; ids that the simulator never gave pass, so that tests may make them up.

use std::{collections::HashMap, sync::Arc, time::Instant};

use axum::{
    Json,
    body::Bytes,
    extract::{Path, Query, State as Shared},
    http::{
        HeaderMap, StatusCode,
        header::{CONTENT_TYPE, HOST},
    },
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{check::Refusal, graph, state::State};

/// Id and bytes of the file that samples of messages name.
pub(crate) const SAMPLE: &str = "1003383421387256";
pub(crate) const SAMPLE_BYTES: &[u8] = b"a sample of a file";

/// Largest upload, in bytes.
pub(crate) const LARGEST: usize = 101 * MIB;
const MIB: usize = 1024 * 1024;

/// Types that are taken, and how many bytes of each.
const TYPES: [(&str, usize); 18] = [
    ("audio/aac", 16 * MIB),
    ("audio/amr", 16 * MIB),
    ("audio/mp4", 16 * MIB),
    ("audio/mpeg", 16 * MIB),
    ("audio/ogg", 16 * MIB),
    ("application/msword", 100 * MIB),
    ("application/pdf", 100 * MIB),
    ("application/vnd.ms-excel", 100 * MIB),
    ("application/vnd.ms-powerpoint", 100 * MIB),
    ("application/vnd.openxmlformats-officedocument.presentationml.presentation", 100 * MIB),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", 100 * MIB),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", 100 * MIB),
    ("image/jpeg", 5 * MIB),
    ("image/png", 5 * MIB),
    ("image/webp", 500 * 1024),
    ("text/plain", 100 * MIB),
    ("video/3gpp", 16 * MIB),
    ("video/mp4", 16 * MIB),
];

/// A file at Meta.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Content type.
    pub mime_type: String,
    /// What it holds.
    pub bytes: Vec<u8>,
    /// The digest that Meta tells, in hex; another one than that of the bytes when a test says so.
    pub sha256: String,
    /// Where it is said to be, in place of the simulator.
    pub url: Option<String>,
    /// Which number it belongs to; none in particular when absent.
    pub phone_number_id: Option<String>,
}

impl File {
    /// A file of these bytes.
    pub fn new(mime_type: &str, bytes: impl Into<Vec<u8>>) -> File {
        let bytes = bytes.into();
        let sha256 = hex::encode(Sha256::digest(&bytes));
        File { mime_type: mime_type.to_owned(), bytes, sha256, url: None, phone_number_id: None }
    }
}

/// All files, and what was asked for.
#[derive(Default)]
pub(crate) struct Files {
    known: HashMap<String, File>,
    gone: Vec<String>,
    /// Addresses that were given, with the moment.
    places: HashMap<String, (String, Instant)>,
    uploads: Vec<String>,
    downloads: u64,
    /// Answers to the next downloads, in place of the bytes.
    faults: Vec<u16>,
}

impl Files {
    pub(crate) fn put(&mut self, id: &str, file: File) {
        self.gone.retain(|gone| gone != id);
        self.known.insert(id.to_owned(), file);
    }

    pub(crate) fn forget(&mut self, id: &str) {
        self.known.remove(id);
        self.gone.push(id.to_owned());
    }

    pub(crate) fn get(&self, id: &str) -> Option<File> {
        self.known.get(id).cloned().or_else(|| (id == SAMPLE).then(|| File::new("image/jpeg", SAMPLE_BYTES)))
    }

    pub(crate) fn uploads(&self) -> Vec<String> {
        self.uploads.clone()
    }

    pub(crate) fn downloads(&self) -> u64 {
        self.downloads
    }

    pub(crate) fn fail(&mut self, status: u16, times: usize) {
        self.faults.extend(std::iter::repeat_n(status, times));
    }

    /// What is wrong with a message that names a file of these.
    pub(crate) fn check(&self, phone_number_id: &str, content: &Value) -> Result<(), Refusal> {
        match content {
            Value::Array(list) => list.iter().try_for_each(|it| self.check(phone_number_id, it)),
            Value::Object(object) => object.iter().try_for_each(|(name, it)| {
                let is_file = ["image", "video", "audio", "document", "sticker"].contains(&name.as_str());
                let Some(id) = it["id"].as_str().filter(|_| is_file) else { return self.check(phone_number_id, it) };
                let others = |file: &File| file.phone_number_id.as_ref().is_some_and(|of| of != phone_number_id);
                let unknown = self.gone.iter().any(|gone| gone == id) || self.known.get(id).is_some_and(others);
                if !unknown && !id.starts_with("media_") {
                    return Ok(());
                }
                let details =
                    format!("Param {name}['id'] is not a valid whatsapp business account media attachment ID");
                Err(Refusal::invalid(details))
            }),
            _ => Ok(()),
        }
    }
}

pub(crate) async fn upload(
    Shared(state): Shared<Arc<State>>,
    Path((_version, phone_number_id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if graph::token(&state, &headers).is_none() {
        return graph::no_token();
    }
    let (mime_type, bytes) = match parts(&headers, &body) {
        Ok(read) => read,
        Err(details) => return graph::error(400, 100, "Invalid parameter", Some(&details)),
    };
    let mut file = File::new(&mime_type, bytes);
    file.phone_number_id = Some(phone_number_id);
    let mut files = state.files();
    let id = format!("7{:015}", files.uploads.len() as u64 + crate::state::now_ms() * 1000);
    files.uploads.push(id.clone());
    files.put(&id, file);
    Json(json!({ "id": id })).into_response()
}

/// Type and bytes of an upload (RFC 7578), or what Meta would say is wrong.
fn parts(headers: &HeaderMap, body: &[u8]) -> Result<(String, Vec<u8>), String> {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let boundary = kind.strip_prefix("multipart/form-data; boundary=").ok_or("The body must be multipart/form-data")?;
    let mut fields: HashMap<String, (String, &[u8])> = HashMap::new();
    let delimiter = format!("\r\n--{boundary}").into_bytes();
    let mut rest = body.strip_prefix(&delimiter[2..]).ok_or("The body does not begin with its boundary")?;
    while let Some(part) = rest.strip_prefix(b"\r\n") {
        let end = find(part, &delimiter).ok_or("A part does not end")?;
        let (part, behind) = (&part[..end], &part[end + delimiter.len()..]);
        let head = find(part, b"\r\n\r\n").ok_or("A part has no head")?;
        let words = String::from_utf8_lossy(&part[..head]).into_owned();
        let name = words.split("name=\"").nth(1).and_then(|it| it.split('"').next()).ok_or("A part has no name")?;
        fields.insert(name.to_owned(), (words.clone(), &part[head + 4..]));
        rest = behind;
    }
    if rest != b"--\r\n" {
        return Err("The body does not end with its boundary".to_owned());
    }
    let text = |name: &str| fields.get(name).map(|(_, value)| String::from_utf8_lossy(value).into_owned());
    if text("messaging_product").as_deref() != Some("whatsapp") {
        return Err("(#100) The parameter messaging_product is required".to_owned());
    }
    let said = text("type").ok_or("The parameter type is required")?;
    let (head, bytes) = fields.get("file").ok_or("The parameter file is required")?;
    if !head.contains("filename=\"") || !head.contains(&format!("Content-Type: {said}")) {
        return Err("Param file must have a filename and the type of the parameter type".to_owned());
    }
    let (_, most) = TYPES.iter().find(|(known, _)| *known == said).ok_or_else(|| {
        let types: Vec<&str> = TYPES.iter().map(|(known, _)| *known).collect();
        format!(
            "Param file must be a file with one of the following types: {}. Received file of type '{said}'.",
            types.join(", ")
        )
    })?;
    match bytes.len() {
        0 => Err("Param file is empty".to_owned()),
        size if size > *most => Err(format!("Param file has {size} bytes; the limit of {said} is {most}")),
        _ => Ok((said, bytes.to_vec())),
    }
}

fn find(text: &[u8], word: &[u8]) -> Option<usize> {
    text.windows(word.len()).position(|window| window == word)
}

pub(crate) async fn place(
    Shared(state): Shared<Arc<State>>,
    Path((_version, id)): Path<(String, String)>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    if graph::token(&state, &headers).is_none() {
        return graph::no_token();
    }
    let mut files = state.files();
    let asked = query.get("phone_number_id");
    let found = files.get(&id).filter(|file| file.phone_number_id.is_none() || file.phone_number_id.as_ref() == asked);
    let Some(file) = found else { return unknown(&id) };
    let key = format!("{id}-{}", files.places.len());
    files.places.insert(key.clone(), (id.clone(), Instant::now()));
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let url = file.url.unwrap_or_else(|| format!("http://{host}/_media/{key}"));
    Json(json!({ "messaging_product": "whatsapp", "url": url, "mime_type": file.mime_type, "sha256": file.sha256,
        "file_size": file.bytes.len(), "id": id }))
    .into_response()
}

pub(crate) async fn bytes(Shared(state): Shared<Arc<State>>, Path(key): Path<String>, headers: HeaderMap) -> Response {
    if graph::token(&state, &headers).is_none() {
        return graph::no_token();
    }
    let life = state.option(|options| options.media_url_life);
    let mut files = state.files();
    files.downloads += 1;
    if !files.faults.is_empty() {
        let status = files.faults.remove(0);
        return (StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), "no").into_response();
    }
    let file = files.places.get(&key).filter(|(_, since)| since.elapsed() < life).and_then(|(id, _)| files.get(id));
    match file {
        Some(file) => ([(CONTENT_TYPE, file.mime_type)], file.bytes).into_response(),
        None => (StatusCode::NOT_FOUND, "URL signature expired").into_response(),
    }
}

pub(crate) async fn delete(
    Shared(state): Shared<Arc<State>>,
    Path((_version, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    if graph::token(&state, &headers).is_none() {
        return graph::no_token();
    }
    let mut files = state.files();
    if files.get(&id).is_none() {
        return unknown(&id);
    }
    files.forget(&id);
    Json(json!({ "success": true })).into_response()
}

fn unknown(id: &str) -> Response {
    let title = format!(
        "Unsupported get request. Object with ID '{id}' does not exist, cannot be loaded due to missing permissions, or \
         does not support this operation"
    );
    graph::error(400, 100, &title, None)
}
