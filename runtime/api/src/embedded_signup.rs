//! `POST /tenants/embedded-signup`: what Meta's Embedded Signup dialog gave becomes a tenant with a number.

use axum::extract::State;
use axum::http::StatusCode;
use hoopoe_onboarding::{Class, Error, SignupRequest};
use hoopoe_shared::forget::{Cache, Forget};
use hoopoe_store::signups::SignupError;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::Api;
use crate::auth::Admin;
use crate::error::{ApiError, ErrorBody, conflict, invalid_field, tenant_not_found, unavailable, unprocessable};
use crate::json::Json;
use crate::tenants::{TenantBody, checked_name, digits, optional_secret, phone_number_taken, secret};

/// Longest code, in bytes.
const LONGEST_CODE: usize = 4096;

/// What the dialog gave.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct EmbeddedSignup {
    /// The code (`authResponse.code`): good once and for some seconds.
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String)]
    code: SecretString,
    /// Meta's id of the business account (`waba_id`): 5 to 32 digits.
    waba_id: String,
    /// Meta's id of the number (`phone_number_id`): 5 to 32 digits.
    phone_number_id: String,
    /// Meta's id of the business (`business_id`): 5 to 32 digits.
    #[serde(default)]
    business_id: Option<String>,
    /// Name of the new tenant, 1 to 200 characters; not with `tenantId`.
    #[serde(default)]
    name: Option<String>,
    /// The tenant that gets a further number, or whose number gets a new token, in place of a new tenant.
    #[serde(default)]
    tenant_id: Option<Uuid>,
    /// PIN of the number's two-step verification: 6 digits. One is drawn when absent; a number that has one needs it.
    #[serde(default, deserialize_with = "optional_secret")]
    #[schema(value_type = Option<String>, example = "123456")]
    pin: Option<SecretString>,
    /// The number stays in the WhatsApp Business app (the dialog ended with FINISH_WHATSAPP_BUSINESS_APP_ONBOARDING): it
    /// is not registered, and sends 20 messages per second.
    #[serde(default)]
    coexistence: bool,
}

/// A tenant with the number that came aboard.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignedUpBody {
    /// The tenant.
    #[serde(flatten)]
    tenant: TenantBody,
    /// The API key of a tenant that was made; a repeat with the same code shows it again.
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key: Option<String>,
    /// The PIN that the number was registered with: whoever moves it to another provider needs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pin: Option<String>,
}

/// Make a tenant, or a further number of one, of what Meta's Embedded Signup dialog gave. Needs `MASTER_KEY`. The code is
/// exchanged for a token, which has to permit the account; the number is looked for in it; the app is subscribed to its
/// webhooks; the number is registered; tenant and channel are stored. Each step is done once: after a failure the same
/// request goes on where it stopped.
#[utoipa::path(post, path = "/tenants/embedded-signup", tag = "tenants", request_body = EmbeddedSignup,
    security(("bearer" = [])),
    responses((status = 201, body = SignedUpBody),
        (status = 200, description = "All was done before", body = SignedUpBody), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 404, description = "No such tenant", body = ErrorBody),
        (status = 409, description = "phone_number_taken; signup_under_way; not_configured: APP_ID is not set",
            body = ErrorBody),
        (status = 422, description = "signup_failed: Meta refuses details.step", body = ErrorBody),
        (status = 503, description = "signup_failed: details.step did not get through; send the same again",
            body = ErrorBody)))]
pub async fn sign_up(
    _: Admin,
    State(api): State<Api>,
    Json(body): Json<EmbeddedSignup>,
) -> Result<(StatusCode, axum::Json<SignedUpBody>), ApiError> {
    let request = body.checked()?;
    if let Some(tenant_id) = request.tenant_id
        && api.store.tenant(tenant_id).await?.is_none()
    {
        return Err(tenant_not_found(&tenant_id.to_string()));
    }
    let done = api.onboarding.sign_up(&request).await?;
    api.forget_routes();
    api.shared.forget(Forget::One(Cache::Channels, done.tenant_id.to_string()));
    api.store.wakes.delivery.notify_one();
    let tenant = api.store.tenant(done.tenant_id).await?;
    let tenant = tenant.ok_or_else(|| tenant_not_found(&done.tenant_id.to_string()))?;
    let open = |secret: SecretString| secret.expose_secret().to_owned();
    let body = SignedUpBody { tenant: tenant.into(), api_key: done.api_key.map(open), pin: done.pin.map(open) };
    Ok((if done.is_new { StatusCode::CREATED } else { StatusCode::OK }, axum::Json(body)))
}

impl EmbeddedSignup {
    fn checked(self) -> Result<SignupRequest, ApiError> {
        let code = self.code.expose_secret();
        if code.is_empty() || code.len() > LONGEST_CODE || !code.bytes().all(|byte| byte.is_ascii_graphic()) {
            let expected = format!("give it the dialog's code: 1 to {LONGEST_CODE} visible ASCII characters");
            return Err(invalid_field("code", expected));
        }
        digits("wabaId", &self.waba_id)?;
        digits("phoneNumberId", &self.phone_number_id)?;
        if let Some(business_id) = &self.business_id {
            digits("businessId", business_id)?;
        }
        let pin = self.pin.as_ref().map(ExposeSecret::expose_secret);
        if pin.is_some_and(|pin| pin.len() != 6 || !pin.bytes().all(|byte| byte.is_ascii_digit())) {
            return Err(invalid_field("pin", "give it 6 digits"));
        }
        let name = match (&self.name, self.tenant_id) {
            (Some(name), None) => checked_name(name)?,
            (None, Some(_)) => String::new(),
            (Some(_), Some(_)) => return Err(invalid_field("name", "the tenant of tenantId has one; leave it out")),
            (None, None) => return Err(invalid_field("name", "it is missing; name the new tenant, or give tenantId")),
        };
        Ok(SignupRequest {
            code: self.code,
            waba_id: self.waba_id,
            phone_number_id: self.phone_number_id,
            business_id: self.business_id,
            name,
            tenant_id: self.tenant_id,
            pin: self.pin,
            coexistence: self.coexistence,
        })
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::NotConfigured => conflict(text).with("not_configured", json!({})),
            Error::Meta(step, failure) => {
                let details = json!({ "step": step.as_str(), "metaCode": failure.code });
                let passing = matches!(failure.class, Class::Transient | Class::Ambiguous | Class::PauseNumber);
                let answer = if passing { unavailable(text) } else { unprocessable(text) };
                answer.with("signup_failed", details)
            }
            Error::Refused(step, _) => unprocessable(text).with("signup_failed", json!({ "step": step.as_str() })),
            Error::TooLong(_) => unavailable(text).with("signup_failed", json!({})),
            Error::Signup(SignupError::PhoneNumberTaken(number)) => phone_number_taken(&number),
            Error::Signup(SignupError::UnderWay(number)) => {
                conflict(format!("{text}; wait for its answer, or send the same again in some minutes"))
                    .with("signup_under_way", json!({ "phoneNumberId": number }))
            }
            Error::Signup(SignupError::Store(error)) => error.into(),
            Error::Secret(error) => {
                tracing::error!(%error, "a secret of a signup cannot be opened");
                unavailable("a sealed secret cannot be opened; the log says why")
            }
        }
    }
}
