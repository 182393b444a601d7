//! What can go wrong with plugins, as answers.

use hoopoe_plugins::{ActivateError, Error, UploadError, Violation};
use hoopoe_sandbox::load;
use hoopoe_store::plugins::ChangeError;
use serde_json::{Value, json};

use crate::error::{ApiError, bad_request, conflict, invalid_field, not_found, too_large, too_many, unavailable};

impl From<ChangeError> for ApiError {
    fn from(error: ChangeError) -> Self {
        let text = error.to_string();
        match error {
            ChangeError::NoPlugin(_) | ChangeError::NoVersion { .. } => not_found(text),
            ChangeError::OtherWorld { found, given, .. } => {
                conflict(text).with("other_world", json!({ "found": found, "given": given }))
            }
            ChangeError::NoCanary(_) => bad_request(text),
            ChangeError::TooMuch(_) => conflict(text).with("limit_reached", json!({})),
            ChangeError::InUse(_) => conflict(text).with("in_use", json!({})),
            ChangeError::NotActive(_) => conflict(text).with("not_active", json!({})),
            ChangeError::NothingBefore(_) => conflict(text).with("nothing_before", json!({})),
            ChangeError::ChangedMeanwhile => conflict(text).with("changed_meanwhile", json!({})),
            ChangeError::Store(error) => error.into(),
        }
    }
}

impl From<UploadError> for ApiError {
    fn from(error: UploadError) -> Self {
        let text = error.to_string();
        match error {
            UploadError::Name(_) => invalid_field("name", text),
            UploadError::Refused(load::Error::TooLarge { limit, .. }) => upload_too_large(limit),
            UploadError::Refused(load::Error::OwnUploads { waiting }) => {
                too_many(text).with("too_many_uploads", json!({ "waiting": waiting }))
            }
            UploadError::Refused(load::Error::Uploads { .. }) => unavailable(text),
            UploadError::Refused(error) if error.is_ours() => busy(&error),
            UploadError::Refused(error) => bad_request(text).with("plugin_refused", json!({ "reason": error.code() })),
            UploadError::Schema(_) => bad_request(text).with("plugin_refused", json!({ "reason": "config-schema" })),
            UploadError::Change(error) => error.into(),
        }
    }
}

impl From<ActivateError> for ApiError {
    fn from(error: ActivateError) -> Self {
        let text = error.to_string();
        match error {
            ActivateError::NoVersion(_) => not_found(text),
            ActivateError::Ambiguous { .. } => invalid_field("digest", text),
            ActivateError::Config { digest, violations } => {
                let advice = "give activate a config that fits, or set it before";
                let told = told(&violations);
                conflict(format!("{text}: {told}; {advice}")).with("config_invalid", listed(&digest, &violations))
            }
            ActivateError::Migration { version, tried, failed, conversation_id, reason } => {
                let advice = "the version that is active stays; mend migrate-state, or force it";
                let details = json!({
                    "version": version, "conversationId": conversation_id, "tried": tried, "failed": failed,
                    "reason": reason,
                });
                conflict(format!("{text}; {advice}")).with("migration_failed", details)
            }
            ActivateError::Plugin(error) => error.into(),
            ActivateError::Change(error) => error.into(),
        }
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::Missing(_) => not_found(text),
            Error::Load { source, .. } if source.is_ours() => busy(&source),
            Error::Load { source, .. } => conflict(text).with("plugin_refused", json!({ "reason": source.code() })),
            Error::Store(error) => error.into(),
        }
    }
}

/// 503: not the plugin is at fault, but the sandbox has no room now.
fn busy(error: &load::Error) -> ApiError {
    tracing::warn!(%error, "the sandbox cannot load a plugin now");
    hoopoe_store::Error::Overloaded.into()
}

/// 400 for a configuration that breaks its schema.
pub fn config_invalid(digest: &str, violations: &[Violation]) -> ApiError {
    bad_request(format!("config: {}", told(violations))).with("config_invalid", listed(digest, violations))
}

/// 413 for a component.
pub fn upload_too_large(limit: usize) -> ApiError {
    let advice = "build with the release profile, opt-level = \"s\" and strip = true, and embed no data";
    too_large(limit).with("too_large", json!({ "limit": limit, "advice": advice }))
}

fn told(violations: &[Violation]) -> String {
    let one = |violation: &Violation| match violation.path.as_str() {
        "" => violation.message.clone(),
        path => format!("{path}: {}", violation.message),
    };
    let all: Vec<String> = violations.iter().take(3).map(one).collect();
    all.join("; ")
}

fn listed(digest: &str, violations: &[Violation]) -> Value {
    let one =
        |violation: &Violation| json!({ "path": violation.path, "rule": violation.rule, "message": violation.message });
    json!({ "digest": digest, "violations": violations.iter().map(one).collect::<Vec<_>>() })
}
