//! `POST /tenants/{id}/send/template`: one of the tenant's templates, with values for its variables.

use axum::extract::State;
use axum::http::StatusCode;
use hoopoe_plugins::{RenderError, Rendered};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::Api;
use crate::auth::ForTenant;
use crate::error::{ApiError, ErrorBody, bad_request, busy, invalid_field, tenant_not_found, unprocessable};
use crate::json::Json;
use crate::references::References;
use crate::send::{Accepted, Addressed, SINGLE, channel, submit};
use crate::send_at::{SendAt, checked_time};
use crate::templates::no_template;
use crate::trace::Sending;

/// A template to send.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SendTemplateBody {
    /// The recipient: a phone number with its country code, or Meta's business-scoped user id.
    #[schema(example = "+919012345678")]
    to: String,
    /// The template's key.
    #[serde(rename = "templateKey")]
    #[schema(example = "welcome_v1")]
    template_key: String,
    /// The language wanted; the closest one that the template has stands in (`en_GB`, `en`, the default language).
    #[serde(default)]
    #[schema(example = "en")]
    language: Option<String>,
    /// Values by name, or a list for positional variables. Texts, numbers, true and false. Values that no variable has
    /// are left out.
    #[serde(default)]
    #[schema(value_type = Option<Object>, example = json!({"first_name": "Sam"}))]
    variables: Option<Value>,
    /// Unique per tenant, 1 to 256 characters: a second request with the same key sends nothing.
    #[serde(default, alias = "idempotencyKey")]
    #[schema(example = "send:order:12345")]
    idempotency_key: Option<String>,
    /// The number to send from, by Meta's id; the tenant's default number when absent.
    #[serde(default)]
    from: Option<String>,
    /// Not before this moment, up to 90 days ahead: RFC 3339 with an offset, or Unix seconds. At once when absent.
    #[serde(default, alias = "sendAt")]
    #[schema(value_type = Option<SendAt>, example = "2026-03-01T09:00:00+05:30")]
    send_at: Option<Value>,
    /// It is marketing: refused (409, `opted_out`) for contacts that have opted out of that, and (400) on Messenger and
    /// Instagram, where opt-out is not known. A template whose `metadata.meta.category` is `MARKETING`, or of which Meta
    /// has told that, is so anyway.
    #[serde(default)]
    marketing: bool,
}

/// Send a template. It is rendered now, also with `send_at`, and queued when the answer comes; delivery follows in order
/// per contact.
#[utoipa::path(post, path = "/tenants/{id}/send/template", tag = "messages", request_body = SendTemplateBody,
    params(("id" = Uuid, Path, description = "The tenant")), security(("bearer" = [])),
    responses((status = 202, body = Accepted),
        (status = 400, description = "Variables are missing (missing_variables: details.missing names them), or the \
            rendered message is over Meta's limits", body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 404, description = "There is no such template (unknown_template)", body = ErrorBody),
        (status = 409, description = "idempotency_key_used: the key was used before, details.messageId names the \
            message; outside_window: it renders to a free-form message, and the contact wrote more than 24 hours ago; \
            opted_out: the contact wants no marketing",
            body = ErrorBody),
        (status = 413, body = ErrorBody), (status = 415, body = ErrorBody),
        (status = 422, description = "The tenant's own renderer failed (renderer_failed)", body = ErrorBody),
        (status = 503, body = ErrorBody)))]
pub async fn send_template(
    ForTenant(tenant_id): ForTenant,
    Sending(mut span): Sending,
    State(api): State<Api>,
    Json(body): Json<SendTemplateBody>,
) -> Result<(StatusCode, axum::Json<Accepted>), ApiError> {
    let variables = values(body.variables)?;
    span.set("hoopoe.tenant.id", tenant_id);
    let mut address = Addressed::check(&body.to, body.from, body.idempotency_key)?;
    address.trace = span.context();
    address.send_at = checked_time(body.send_at, api.store.ambient.now())?;
    let tenant = api.store.tenant(tenant_id).await?.ok_or_else(|| tenant_not_found(&tenant_id.to_string()))?;
    let (key, language) = (&body.template_key, body.language.as_deref());
    let now = api.store.ambient.now();
    let Rendered { content, marketing } =
        api.library.render((tenant_id, &tenant.name), key, language, &variables, now).await?;
    address.marketing = body.marketing || marketing;
    // Rendering has checked it already.
    let payload = content.payload(None).map_err(|invalid| bad_request(invalid.to_string()))?;
    let home = channel(&api, tenant_id, address.from.as_deref()).await?;
    address.marketing |= References::default().check(&api, &home, &payload).await?;
    let accepted = submit(&api, &home, address, payload, SINGLE)?.committed().await?;
    span.set("hoopoe.message.id", accepted.id);
    Ok((StatusCode::ACCEPTED, axum::Json(accepted)))
}

/// Names and values. The elements of a list have the names `1`, `2` and so on.
fn values(variables: Option<Value>) -> Result<Vec<(String, String)>, ApiError> {
    let text = |name: String, path: String, value: Value| match value {
        Value::String(text) => Ok((name, text)),
        Value::Number(number) => Ok((name, number.to_string())),
        Value::Bool(flag) => Ok((name, flag.to_string())),
        _ => Err(invalid_field(&path, "give it a text, a number, true or false")),
    };
    match variables {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Object(named)) => {
            // Null is no value: the variable's default counts.
            let given = named.into_iter().filter(|(_, value)| !value.is_null());
            given.map(|(name, value)| text(name.clone(), format!("variables.{name}"), value)).collect()
        }
        Some(Value::Array(list)) => list
            .into_iter()
            .enumerate()
            .map(|(place, value)| text((place + 1).to_string(), format!("variables[{place}]"), value))
            .collect(),
        Some(_) => Err(invalid_field("variables", "give an object of names and values, or a list of values")),
    }
}

impl From<RenderError> for ApiError {
    fn from(error: RenderError) -> Self {
        let text = error.to_string();
        if error.is_passing() && !matches!(error, RenderError::Store(_)) {
            return busy();
        }
        match error {
            RenderError::UnknownTemplate(key) => no_template(&key),
            RenderError::UnknownLanguage(reason) => invalid_field("language", reason),
            RenderError::MissingVariables { names, .. } => {
                bad_request(format!("variables: {text}")).with("missing_variables", json!({ "missing": names }))
            }
            RenderError::Invalid { template, .. } => {
                bad_request(text).with("invalid_template", json!({ "templateKey": template }))
            }
            RenderError::Failed { name, code, .. } => {
                unprocessable(text).with("renderer_failed", json!({ "renderer": name, "code": code }))
            }
            RenderError::Store(error) => error.into(),
        }
    }
}
