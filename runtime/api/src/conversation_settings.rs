//! `/tenants/{id}/conversation-settings`: Meta's window, and the words by which people opt out.

use axum::extract::State;
use hoopoe_protocol::outbound::typed::{Message, Template};
use hoopoe_shared::forget::{Cache, Forget};
use hoopoe_store::consent::{START_ANSWER, STOP_ANSWER, normalise};
use hoopoe_store::conversation_settings::{ConversationSettings, OutsideWindow};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::Api;
use crate::auth::ForTenant;
use crate::error::{ApiError, ErrorBody, invalid_field, tenant_not_found};
use crate::json::Json;

/// Most words of a list, and the longest, in characters.
const WORDS: usize = 200;
const LONGEST_WORD: usize = 40;
/// Longest debounce, in seconds.
const LONGEST_DEBOUNCE: i16 = 60;
/// Longest answer, in characters: that of a text.
const LONGEST_ANSWER: usize = 4096;

/// How a tenant's conversations are kept within Meta's rules.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SettingsBody {
    /// What becomes of a free-form message when the contact wrote more than 24 hours ago.
    outside_window: WindowBody,
    /// How people opt out of marketing.
    opt_out: OptOutBody,
    /// Messages of a contact that come within so many seconds of the first reach the flow as one event; 0: each by itself.
    debounce_seconds: i16,
}

/// What becomes of free-form messages outside of the window.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WindowBody {
    /// `refuse` (the default), `pass` or `template`.
    policy: &'static str,
    /// What goes out in their place, as for `POST /tenants/{id}/send`.
    #[schema(value_type = Option<Object>)]
    template: Option<Value>,
}

/// How people opt out of marketing, and what they are answered.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OptOutBody {
    /// The tenant's own words; null: STOP and its translations.
    stop_words: Option<Vec<String>>,
    /// The tenant's own words; null: START and its translations.
    start_words: Option<Vec<String>>,
    /// What an opt-out is answered; empty: nothing.
    stop_answer: String,
    /// What an opt-in is answered; empty: nothing.
    start_answer: String,
}

/// What changes; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SettingsUpdate {
    outside_window: Option<WindowUpdate>,
    opt_out: Option<OptOutUpdate>,
    /// 0 to 60.
    debounce_seconds: Option<i16>,
}

/// The whole choice.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct WindowUpdate {
    /// `refuse`: answered 409 (`outside_window`). `pass`: for Meta to judge. `template`: `template` goes out in its place.
    #[schema(example = "template")]
    policy: String,
    /// Needed with `template`: an approved template without values that change.
    #[serde(default)]
    #[schema(example = json!({"name": "we_have_an_answer", "language": {"code": "en"}}))]
    template: Option<Template>,
}

/// All of it: what is absent or null is the default.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct OptOutUpdate {
    /// At most 200 words of at most 40 characters; none: nobody opts out by a word.
    #[serde(default)]
    #[schema(example = json!(["stop", "no more offers"]))]
    stop_words: Option<Vec<String>>,
    /// The same for those who come back.
    #[serde(default)]
    start_words: Option<Vec<String>>,
    /// At most 4096 characters; empty: no answer.
    #[serde(default)]
    stop_answer: Option<String>,
    /// At most 4096 characters; empty: no answer.
    #[serde(default)]
    start_answer: Option<String>,
}

/// How the tenant's conversations are kept within Meta's rules.
#[utoipa::path(get, path = "/tenants/{id}/conversation-settings", tag = "conversations",
    params(("id" = Uuid, Path, description = "The tenant")), security(("bearer" = [])),
    responses((status = 200, body = SettingsBody), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 503, body = ErrorBody)))]
pub async fn show(
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
) -> Result<axum::Json<SettingsBody>, ApiError> {
    Ok(axum::Json(current(&api, tenant_id).await?.into()))
}

/// Change how the tenant's conversations are kept within Meta's rules.
#[utoipa::path(put, path = "/tenants/{id}/conversation-settings", tag = "conversations", request_body = SettingsUpdate,
    params(("id" = Uuid, Path, description = "The tenant")), security(("bearer" = [])),
    responses((status = 200, body = SettingsBody), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn update(
    ForTenant(tenant_id): ForTenant,
    State(api): State<Api>,
    Json(update): Json<SettingsUpdate>,
) -> Result<axum::Json<SettingsBody>, ApiError> {
    let mut settings = current(&api, tenant_id).await?;
    if let Some(window) = update.outside_window {
        (settings.outside_window, settings.window_template) = window.checked()?;
    }
    if let Some(it) = update.opt_out {
        settings.stop_words = checked_words("optOut.stopWords", it.stop_words)?;
        settings.start_words = checked_words("optOut.startWords", it.start_words)?;
        let (stop, start) = (settings.stop_words.as_deref(), settings.start_words.as_deref());
        if let Some(word) = stop.unwrap_or_default().iter().find(|word| start.unwrap_or_default().contains(word)) {
            return Err(invalid_field(
                "optOut.startWords",
                format!("{word:?} is among stopWords; give it one meaning"),
            ));
        }
        settings.stop_answer = checked_answer("optOut.stopAnswer", it.stop_answer)?;
        settings.start_answer = checked_answer("optOut.startAnswer", it.start_answer)?;
    }
    if let Some(seconds) = update.debounce_seconds {
        if !(0..=LONGEST_DEBOUNCE).contains(&seconds) {
            return Err(invalid_field("debounceSeconds", format!("give it 0 to {LONGEST_DEBOUNCE}")));
        }
        settings.debounce_seconds = seconds;
    }
    api.store.set_conversation_settings(tenant_id, &settings).await?;
    // Words are remembered with the routes.
    api.shared.forget(Forget::All(Cache::Routes));
    tracing::info!(tenant = %tenant_id, window = settings.outside_window.name(), "conversation settings changed");
    Ok(axum::Json(settings.into()))
}

async fn current(api: &Api, tenant_id: Uuid) -> Result<ConversationSettings, ApiError> {
    let found = api.store.conversation_settings(tenant_id).await?;
    found.ok_or_else(|| tenant_not_found(&tenant_id.to_string()))
}

impl WindowUpdate {
    fn checked(self) -> Result<(OutsideWindow, Option<String>), ApiError> {
        let advice = || format!("it is {:?}; give one of refuse, pass, template", self.policy);
        let policy = OutsideWindow::of(&self.policy).ok_or_else(|| invalid_field("outsideWindow.policy", advice()))?;
        match (policy, self.template) {
            (OutsideWindow::Template, None) => {
                Err(invalid_field("outsideWindow.template", "it is needed with the policy template"))
            }
            (OutsideWindow::Template, Some(template)) => {
                let payload = Message::Template(template)
                    .payload(None)
                    .map_err(|invalid| invalid_field(&format!("outsideWindow.{}", invalid.field), invalid.message))?;
                Ok((policy, Some(payload.to_string())))
            }
            (_, None) => Ok((policy, None)),
            (_, Some(_)) => Err(invalid_field("outsideWindow.template", "it is for the policy template alone")),
        }
    }
}

fn checked_words(field: &str, words: Option<Vec<String>>) -> Result<Option<Vec<String>>, ApiError> {
    let Some(words) = words else { return Ok(None) };
    if words.len() > WORDS {
        return Err(invalid_field(field, format!("it has {} words; give it at most {WORDS}", words.len())));
    }
    let mut checked = Vec::with_capacity(words.len());
    for (place, word) in words.iter().enumerate() {
        let length = word.chars().count();
        let plain = normalise(word);
        if length > LONGEST_WORD || plain.is_empty() || plain.contains('\0') {
            let advice =
                format!("give it 1 to {LONGEST_WORD} characters, a letter or digit among them, none of them NUL");
            return Err(invalid_field(&format!("{field}[{place}]"), advice));
        }
        checked.push(plain);
    }
    checked.sort_unstable();
    checked.dedup();
    Ok(Some(checked))
}

fn checked_answer(field: &str, answer: Option<String>) -> Result<Option<String>, ApiError> {
    let length = answer.as_deref().map_or(0, |answer| answer.chars().count());
    if length > LONGEST_ANSWER || answer.as_deref().is_some_and(|answer| answer.contains('\0')) {
        let advice = format!("it has {length} characters; give it at most {LONGEST_ANSWER}, none of them NUL");
        return Err(invalid_field(field, advice));
    }
    Ok(answer)
}

impl From<ConversationSettings> for SettingsBody {
    fn from(it: ConversationSettings) -> Self {
        let payload = it.window_template.and_then(|payload| serde_json::from_str::<Value>(&payload).ok());
        let template = payload.and_then(|mut payload| payload.get_mut("template").map(Value::take));
        Self {
            outside_window: WindowBody { policy: it.outside_window.name(), template },
            opt_out: OptOutBody {
                stop_words: it.stop_words,
                start_words: it.start_words,
                stop_answer: it.stop_answer.unwrap_or_else(|| STOP_ANSWER.to_owned()),
                start_answer: it.start_answer.unwrap_or_else(|| START_ANSWER.to_owned()),
            },
            debounce_seconds: it.debounce_seconds,
        }
    }
}
