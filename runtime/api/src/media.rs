//! `/tenants/{id}/media`: files of messages. `/media/...`: their bytes, by signed links.

mod head;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use hoopoe_media::links::{Link, LinkError, is_plain};
use hoopoe_media::{NewUpload, UploadError};
use hoopoe_store::media::Media;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use self::head::{describe, range};
use crate::Api;
use crate::auth::ForTenant;
use crate::error::{
    ApiError, ErrorBody, bad_request, busy, forbidden, gone, invalid_field, not_found, too_long, too_many, unavailable,
    unsupported_type,
};

/// Longest name of a file, in characters (Meta's limit of documents).
const LONGEST_NAME: usize = 240;

/// A file.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MediaBody {
    /// Meta's id of a file that came in; of an upload the handle that messages are sent with.
    #[schema(example = "media_019b7a3c5e7f7d2a9c1b4e8f6a2d3c4b")]
    id: String,
    /// `inbound` or `upload`.
    origin: String,
    /// `pending`: not here yet; `stored`; `failed`: it will not come.
    state: String,
    /// Why it failed, or was not fetched so far.
    reason: Option<String>,
    /// Content type.
    mime_type: Option<String>,
    /// As its sender calls it.
    filename: Option<String>,
    /// In bytes.
    size: Option<i64>,
    /// Digest of the bytes, in hex.
    sha256: Option<String>,
    /// When its message came, or when it was uploaded.
    created_at: DateTime<Utc>,
    /// Since when its bytes are here.
    stored_at: Option<DateTime<Utc>>,
    /// Where its bytes are, without a key, for some minutes; only when they are here.
    url: Option<String>,
    /// When that link ends.
    url_expires_at: Option<DateTime<Utc>>,
}

/// About an upload.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct UploadQuery {
    /// What recipients see of documents, unless the message says another; 1 to 240 characters.
    filename: Option<String>,
}

/// The signature of a link.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LinkQuery {
    /// Unix seconds.
    expires: Option<i64>,
    /// As it was given.
    signature: Option<String>,
}

/// Upload a file to send messages with: the bytes, with their Content-Type. Send it as `{"image": {"id": "media_..."}}`, as
/// often and from as many numbers as you like. Meta's types and sizes: docs/media.md.
#[utoipa::path(post, path = "/tenants/{id}/media", tag = "media",
    params(("id" = Uuid, Path, description = "The tenant"), UploadQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"), security(("bearer" = [])),
    responses((status = 201, body = MediaBody),
        (status = 400, description = "Also code upload_stalled: the bytes did not come", body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 413, description = "More bytes than Meta takes of this type, or, with code media_quota, than the \
            tenant's files may have", body = ErrorBody),
        (status = 415, description = "Meta takes no such files", body = ErrorBody),
        (status = 429, description = "code too_many_uploads: as many of the tenant's uploads as may be are under way",
            body = ErrorBody),
        (status = 503, body = ErrorBody)))]
pub async fn upload(
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
    query: Result<Query<UploadQuery>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, axum::Json<MediaBody>), ApiError> {
    let Query(query) = query.map_err(|rejection| bad_request(rejection.body_text()))?;
    let filename = query.filename.map(checked_name).transpose()?;
    let mime_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("missing");
    let new = NewUpload { mime_type, filename: filename.as_deref(), length: length(&headers) };
    let id = api.media.upload(tenant_id, new, body.into_data_stream()).await?;
    let media = api.store.media(tenant_id, &id).await?.ok_or_else(|| no_media(&id))?;
    tracing::info!(tenant = %tenant_id, media = id, size = media.size, "file uploaded");
    Ok((StatusCode::CREATED, axum::Json(shown(&api, tenant_id, media))))
}

/// A file of a message that came in, or of an upload: how it fares and, once its bytes are here, a link to them.
#[utoipa::path(get, path = "/tenants/{id}/media/{mediaId}", tag = "media",
    params(("id" = Uuid, Path, description = "The tenant"),
        ("mediaId" = String, Path, description = "Meta's id, or that of an upload")),
    security(("bearer" = [])),
    responses((status = 200, body = MediaBody), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 503, body = ErrorBody)))]
pub async fn show(
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
    Path(ids): Path<(String, String)>,
) -> Result<axum::Json<MediaBody>, ApiError> {
    let id = ids.1;
    let media = api.store.media(tenant_id, &id).await?.ok_or_else(|| no_media(&id))?;
    Ok(axum::Json(shown(&api, tenant_id, media)))
}

/// Delete a file. Messages on their way that name an upload are given up.
#[utoipa::path(delete, path = "/tenants/{id}/media/{mediaId}", tag = "media",
    params(("id" = Uuid, Path, description = "The tenant"),
        ("mediaId" = String, Path, description = "Meta's id, or that of an upload")),
    security(("bearer" = [])),
    responses((status = 204), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 503, body = ErrorBody)))]
pub async fn delete(
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
    Path(ids): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let id = ids.1;
    match api.media.delete(tenant_id, &id).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(no_media(&id)),
    }
}

/// The bytes of a file, by a link of `GET /tenants/{id}/media/{mediaId}`; a part of them when `Range` asks for one. It needs
/// no key but the link's signature.
#[utoipa::path(get, path = "/media/{tenant}/{media}", tag = "media",
    params(("tenant" = Uuid, Path, description = "The tenant"), ("media" = String, Path, description = "The file"),
        LinkQuery),
    responses((status = 200, description = "The file", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 206, description = "A part of it", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 403, description = "The link is not one of ours", body = ErrorBody),
        (status = 410, description = "The link has expired, or the file was removed", body = ErrorBody),
        (status = 416, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn file(
    State(api): State<Api>,
    Path(ids): Path<(String, String)>,
    query: Result<Query<LinkQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (tenant, id) = ids;
    let (Ok(Query(LinkQuery { expires: Some(expires), signature: Some(signature) })), Ok(tenant_id)) =
        (query, Uuid::parse_str(&tenant))
    else {
        return Err(LinkError::Forged.into());
    };
    api.media.links().check(tenant_id, &id, expires, &signature, api.store.ambient.now())?;
    let removed = || gone("the file was removed");
    let media = api.store.media(tenant_id, &id).await?.filter(|media| media.state == "stored").ok_or_else(removed)?;
    let size = media.size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
    let range = range(&headers, size)?;
    let bytes = api.media.files().get(tenant_id, &id, range.clone()).await.map_err(|error| {
        tracing::warn!(tenant = %tenant_id, media = id, %error, "a file cannot be read");
        unavailable("the file cannot be read at present; try again soon")
    })?;
    let body = Body::from_stream(bytes.ok_or_else(removed)?);
    let mut response = (StatusCode::OK, body).into_response();
    let length = range.as_ref().map_or(size, |range| range.end - range.start);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, length.into());
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    describe(headers, &media);
    if let Some(range) = range {
        let value = format!("bytes {}-{}/{size}", range.start, range.end - 1);
        headers.insert(header::CONTENT_RANGE, HeaderValue::from_str(&value).map_err(|_| busy())?);
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn checked_name(name: String) -> Result<String, ApiError> {
    let length = name.chars().count();
    if (1..=LONGEST_NAME).contains(&length) && !name.chars().any(char::is_control) {
        return Ok(name);
    }
    let expected = format!("it has {length} characters; give it 1 to {LONGEST_NAME}, none of them a control character");
    Err(invalid_field("filename", expected))
}

fn no_media(id: &str) -> ApiError {
    not_found(format!("the tenant has no file {id}; files are removed after MEDIA_RETENTION"))
}

fn shown(api: &Api, tenant_id: Uuid, media: Media) -> MediaBody {
    let here = media.state == "stored" && is_plain(&media.id);
    let link = here.then(|| api.media.links().link(tenant_id, &media.id, api.store.ambient.now()));
    let (url, url_expires_at) = link.map(|Link { url, expires_at }| (url, expires_at)).unzip();
    MediaBody {
        id: media.id,
        origin: media.origin,
        state: media.state,
        reason: media.reason,
        mime_type: media.mime_type,
        filename: media.filename,
        size: media.size,
        sha256: media.sha256.map(hex::encode),
        created_at: media.created_at,
        stored_at: media.stored_at,
        url,
        url_expires_at,
    }
}

impl From<LinkError> for ApiError {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Forged => forbidden(error.to_string()),
            LinkError::Expired => gone(error.to_string()),
        }
    }
}

impl From<UploadError> for ApiError {
    fn from(error: UploadError) -> Self {
        let text = error.to_string();
        match error {
            UploadError::Type(_) => unsupported_type(format!("Content-Type: {text}")),
            UploadError::TooLarge(_) => too_long(text),
            UploadError::Quota { used, allowed } => {
                too_long(text).with("media_quota", json!({ "used": used, "allowed": allowed }))
            }
            UploadError::TooMany(most) => too_many(text).with("too_many_uploads", json!({ "most": most })),
            UploadError::Stalled(pause) => {
                bad_request(text).with("upload_stalled", json!({ "seconds": pause.as_secs() }))
            }
            UploadError::Empty | UploadError::Body(_) => bad_request(text),
            UploadError::Place(error) => {
                tracing::error!(%error, "a file cannot be kept; is MEDIA_STORE there, and may it be written to?");
                unavailable("the file cannot be kept at present; try again soon")
            }
            UploadError::Store(error) => error.into(),
        }
    }
}
