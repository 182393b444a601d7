//! Files in a folder and in a bucket: the same from outside. The bucket is a small S3 that takes what Amazon's reference
//! asks for and nothing else.

#![allow(missing_docs, clippy::unwrap_used)]

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, StreamExt};
use hoopoe_media::files::{Bucket, Files, Kept, Place, PutError};
use uuid::Uuid;

const TENANT: Uuid = Uuid::from_u128(7);
const LARGEST: u64 = 12 << 20;

#[derive(Default)]
struct S3 {
    objects: HashMap<String, Vec<u8>>,
    uploads: HashMap<String, BTreeMap<u32, Vec<u8>>>,
}

type Shared = Arc<Mutex<S3>>;

async fn serve(
    State(s3): State<Shared>,
    method: Method,
    uri: Uri,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let signed = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !signed.starts_with("AWS4-HMAC-SHA256 Credential=key-id/") || !uri.path().starts_with("/files/hoopoe/") {
        return StatusCode::FORBIDDEN.into_response();
    }
    let mut s3 = s3.lock().unwrap();
    let key = uri.path().to_owned();
    let part = query.get("partNumber").and_then(|part| part.parse().ok());
    match (method.as_str(), query.get("uploadId"), part) {
        ("POST", None, _) if query.contains_key("uploads") => {
            let id = format!("upload-{}", s3.uploads.len());
            s3.uploads.insert(id.clone(), BTreeMap::new());
            let answer =
                format!("<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>");
            answer.into_response()
        }
        ("PUT", Some(id), Some(part)) => {
            s3.uploads.get_mut(id).unwrap().insert(part, body.to_vec());
            [("etag", format!("\"part-{part}\""))].into_response()
        }
        ("POST", Some(id), None) => {
            let parts: Vec<Vec<u8>> = s3.uploads.remove(id).unwrap().into_values().collect();
            let (_, before) = parts.split_last().unwrap();
            assert!(before.iter().all(|part| part.len() >= 5 << 20), "a part is smaller than S3 takes");
            s3.objects.insert(key, parts.concat());
            "<CompleteMultipartUploadResult><ETag>\"whole\"</ETag></CompleteMultipartUploadResult>".into_response()
        }
        ("DELETE", Some(id), None) => {
            s3.uploads.remove(id);
            StatusCode::NO_CONTENT.into_response()
        }
        ("DELETE", None, None) => {
            s3.objects.remove(&key);
            StatusCode::NO_CONTENT.into_response()
        }
        ("GET", None, None) => match s3.objects.get(&key) {
            None => (StatusCode::NOT_FOUND, "<Error><Code>NoSuchKey</Code></Error>").into_response(),
            Some(object) => {
                let head = [("etag", "\"whole\""), ("last-modified", "Thu, 01 Jan 2026 00:00:00 GMT")];
                let range =
                    headers.get("range").and_then(|range| range.to_str().ok()?.strip_prefix("bytes=")?.split_once('-'));
                match range {
                    None => (head, object.clone()).into_response(),
                    Some((from, to)) => {
                        let (from, to): (usize, usize) = (from.parse().unwrap(), to.parse().unwrap());
                        let range = [("content-range", format!("bytes {from}-{to}/{}", object.len()))];
                        (StatusCode::PARTIAL_CONTENT, head, range, object[from..=to].to_vec()).into_response()
                    }
                }
            }
        },
        _ => StatusCode::NOT_IMPLEMENTED.into_response(),
    }
}

async fn bucket() -> (Files, Shared) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let s3 = Shared::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let routes = Router::new().fallback(serve).layer(axum::extract::DefaultBodyLimit::disable()).with_state(s3.clone());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let bucket = Bucket {
        name: "files".to_owned(),
        prefix: "hoopoe".to_owned(),
        endpoint: Some(endpoint),
        region: "eu-central-1".to_owned(),
        keys: Some(("key-id".to_owned(), "secret".to_owned().into())),
    };
    (Files::open(&Place::Bucket(bucket)).unwrap(), s3)
}

/// Pieces of a file as the network brings them; the last one may be a failure.
fn pieces(size: usize, fails: bool) -> impl futures_util::Stream<Item = Result<Bytes, &'static str>> {
    let whole: Vec<u8> = (0..size).map(|n| (n % 253) as u8).collect();
    let pieces: Vec<_> = whole.chunks(100_000).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    stream::iter(pieces.into_iter().chain(fails.then_some(Err("broken"))))
}

async fn read(files: &Files, id: &str, range: Option<std::ops::Range<u64>>) -> Option<Vec<u8>> {
    let bytes = files.get(TENANT, id, range).await.unwrap()?;
    Some(bytes.map(|chunk| chunk.unwrap().to_vec()).concat().await)
}

async fn behave(files: &Files) {
    for size in [0, 1, 99_999, 11 << 20] {
        let Kept { size: kept, sha256 } = files.put(TENANT, "a", pieces(size, false), LARGEST, &[]).await.unwrap();
        assert_eq!(kept, size as u64);
        let expected: Vec<u8> = (0..size).map(|n| (n % 253) as u8).collect();
        assert!(read(files, "a", None).await.unwrap() == expected, "{size}");
        assert_eq!(files.put(TENANT, "a", pieces(size, false), LARGEST, &[sha256]).await.unwrap().sha256, sha256);
    }
    assert_eq!(read(files, "a", Some(254..257)).await.unwrap(), [1, 2, 3]);
    // What fails leaves the file as it was, and no other behind.
    let altered = files.put(TENANT, "a", pieces(5, false), LARGEST, &[[0; 32]]).await;
    assert!(matches!(altered, Err(PutError::Altered { .. })), "{altered:?}");
    let large = files.put(TENANT, "b", pieces(13 << 20, false), LARGEST, &[]).await;
    assert!(matches!(large, Err(PutError::TooLarge(LARGEST))), "{large:?}");
    let broken = files.put(TENANT, "b", pieces(6 << 20, true), LARGEST, &[]).await;
    assert!(matches!(broken, Err(PutError::Source("broken"))), "{broken:?}");
    assert_eq!(read(files, "a", None).await.unwrap().len(), 11 << 20);
    assert!(read(files, "b", None).await.is_none());
    assert!(files.get(Uuid::from_u128(8), "a", None).await.unwrap().is_none(), "another tenant's");
    for _ in 0..2 {
        files.delete(TENANT, "a").await.unwrap();
        assert!(read(files, "a", None).await.is_none());
    }
}

#[tokio::test]
async fn a_folder_keeps_whole_files() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("not/there/yet");
    let files = Files::open(&Place::Folder(place.clone())).unwrap();
    assert!(!place.exists(), "nothing was written yet");
    // An id is no path.
    files.put(TENANT, "../../../escaped", pieces(3, false), LARGEST, &[]).await.unwrap();
    files.delete(TENANT, "../../../escaped").await.unwrap();
    behave(&files).await;
    let mut left = vec![folder.path().to_owned()];
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            assert!(path.is_dir(), "{} is left", path.display());
            left.push(path);
        }
    }
}

#[tokio::test]
async fn a_bucket_keeps_whole_files() {
    let (files, s3) = bucket().await;
    behave(&files).await;
    let s3 = s3.lock().unwrap();
    assert!(s3.objects.is_empty() && s3.uploads.is_empty(), "{:?} {:?}", s3.objects.keys(), s3.uploads.keys());
}
