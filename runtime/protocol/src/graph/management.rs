//! What the Graph API says of access tokens, business accounts and numbers.
//!
//! In: JSON that [`super::json_answer`] has read. Out: plain structs; what is missing or of another type is absent.
//! Source: Meta's references of `debug_token`, of the WhatsApp Business Account and of the phone number node.

use serde_json::Value;

use crate::wire;

/// To send messages.
pub const MESSAGING: &str = "whatsapp_business_messaging";
/// To manage the account: numbers, templates, subscriptions.
pub const MANAGEMENT: &str = "whatsapp_business_management";

/// What a number is asked for.
pub const NUMBER_FIELDS: &str = "id,display_phone_number,verified_name,name_status,quality_rating,throughput,\
                                 messaging_limit_tier,code_verification_status,platform_type,status";
/// What a number's profile is asked for.
pub const PROFILE_FIELDS: &str = "about,address,description,email,profile_picture_url,vertical,websites";

/// What `debug_token` says of a token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenInfo {
    /// Whether it can be used.
    pub valid: bool,
    /// Why not, in Meta's words.
    pub reason: Option<String>,
    /// The app that it was made for.
    pub app_id: Option<String>,
    /// Seconds since 1970; absent when it does not expire.
    pub expires_at: Option<i64>,
    /// Seconds since 1970; absent when that does not expire.
    pub data_access_expires_at: Option<i64>,
    /// What it permits, sorted.
    pub scopes: Vec<String>,
    /// The accounts that a scope is limited to; a scope that is absent is not limited.
    targets: Vec<(String, Vec<String>)>,
}

impl TokenInfo {
    /// A token that Meta does not take.
    pub fn invalid(reason: String) -> Self {
        Self { reason: Some(reason), ..Self::default() }
    }

    /// Reads `{"data": {...}}`; nothing when it does not say whether the token is valid.
    pub fn read(answer: &Value) -> Option<Self> {
        let data = answer.get("data")?;
        let valid = data.get("is_valid")?.as_bool()?;
        let message = data.pointer("/error/message").and_then(Value::as_str).map(|text| clean(text, 1000));
        let reason = (!valid).then(|| message.unwrap_or_else(|| "Meta says that it is not valid".to_owned()));
        let mut scopes = texts(data.get("scopes"));
        scopes.sort();
        let granular = data.get("granular_scopes").and_then(Value::as_array);
        let target = |item: &Value| {
            let ids = texts(item.get("target_ids"));
            item.get("scope").and_then(Value::as_str).map(|scope| (scope.to_owned(), ids))
        };
        let targets = granular.into_iter().flatten().filter_map(target).filter(|(_, ids)| !ids.is_empty()).collect();
        // 0 stands for never.
        let moment = |name: &str| {
            data.get(name).and_then(Value::as_i64).filter(|seconds| (1..=wire::MAX_SECONDS).contains(seconds))
        };
        let (expires_at, data_access_expires_at) = (moment("expires_at"), moment("data_access_expires_at"));
        let app_id = data.get("app_id").and_then(id);
        Some(Self { valid, reason, app_id, expires_at, data_access_expires_at, scopes, targets })
    }

    /// Whether it permits this for the account.
    pub fn permits(&self, scope: &str, account: &str) -> bool {
        let limit = self.targets.iter().find(|(name, _)| name == scope);
        self.scopes.iter().any(|name| name == scope)
            && limit.is_none_or(|(_, ids)| ids.iter().any(|one| one == account))
    }
}

/// A number as Meta knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Number {
    /// Meta's id of it.
    pub id: String,
    /// As people write it.
    pub display_phone_number: Option<String>,
    /// The name that users see, as Meta has verified it.
    pub verified_name: Option<String>,
    /// How far that has come: `APPROVED`, `PENDING_REVIEW`, `DECLINED`, ...
    pub name_status: Option<String>,
    /// `GREEN`, `YELLOW`, `RED` or `UNKNOWN`.
    pub quality_rating: Option<String>,
    /// `STANDARD`, `HIGH` or `NOT_APPLICABLE`.
    pub throughput: Option<String>,
    /// How many users may be written to within a day, `TIER_1K` for example.
    pub messaging_limit_tier: Option<String>,
    /// Whether the number itself is verified.
    pub code_verification_status: Option<String>,
    /// `CLOUD_API`, `ON_PREMISE` or `NOT_APPLICABLE`.
    pub platform_type: Option<String>,
    /// `CONNECTED`, `FLAGGED`, `RESTRICTED`, ...
    pub status: Option<String>,
}

impl Number {
    /// Reads a number; nothing without an id.
    pub fn read(item: &Value) -> Option<Self> {
        let text = |name: &str| item.get(name).and_then(Value::as_str).map(|text| clean(text, 300));
        Some(Self {
            id: item.get("id").and_then(id)?,
            display_phone_number: text("display_phone_number"),
            verified_name: text("verified_name"),
            name_status: text("name_status"),
            quality_rating: text("quality_rating"),
            throughput: item.pointer("/throughput/level").and_then(Value::as_str).map(|text| clean(text, 300)),
            messaging_limit_tier: text("messaging_limit_tier"),
            code_verification_status: text("code_verification_status"),
            platform_type: text("platform_type"),
            status: text("status"),
        })
    }
}

/// What users see of a number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// The line under the name.
    pub about: Option<String>,
    /// Where the business is.
    pub address: Option<String>,
    /// What it does.
    pub description: Option<String>,
    /// Its mail.
    pub email: Option<String>,
    /// Its picture.
    pub profile_picture_url: Option<String>,
    /// Its industry.
    pub vertical: Option<String>,
    /// Its websites.
    pub websites: Vec<String>,
}

impl Profile {
    /// Reads `{"data": [{...}]}`; empty when there is none.
    pub fn read(answer: &Value) -> Self {
        let item = answer.pointer("/data/0").unwrap_or(&Value::Null);
        let text = |name: &str| item.get(name).and_then(Value::as_str).map(|text| clean(text, 2000));
        Self {
            about: text("about"),
            address: text("address"),
            description: text("description"),
            email: text("email"),
            profile_picture_url: text("profile_picture_url"),
            vertical: text("vertical"),
            websites: texts(item.get("websites")),
        }
    }
}

/// An id: text, or a number.
fn id(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(clean(text, wire::MAX_ID)),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn texts(list: Option<&Value>) -> Vec<String> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(id).collect()
}

fn clean(text: &str, most: usize) -> String {
    wire::without_nul(wire::clip(text, most))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_token_is_read_as_meta_describes_it() {
        let never = json!({ "data": { "app_id": "670843887433847", "type": "SYSTEM_USER", "is_valid": true,
            "expires_at": 0, "data_access_expires_at": 0, "scopes": [MESSAGING, MANAGEMENT],
            "granular_scopes": [{ "scope": MANAGEMENT, "target_ids": ["102"] }, { "scope": MESSAGING }] } });
        let info = TokenInfo::read(&never).expect("a token");
        assert!(info.valid && info.reason.is_none() && info.expires_at.is_none());
        assert_eq!(info.data_access_expires_at, None);
        assert_eq!((info.app_id.as_deref(), &info.scopes[0][..]), (Some("670843887433847"), MANAGEMENT));
        for (scope, account, permitted) in [
            (MANAGEMENT, "102", true),
            (MANAGEMENT, "103", false),
            (MESSAGING, "103", true),
            ("ads_management", "102", false),
        ] {
            assert_eq!(info.permits(scope, account), permitted, "{scope} of {account}");
        }

        let expired = json!({ "data": { "app_id": 670_843_887, "is_valid": false, "expires_at": 1_767_225_600,
            "error": { "code": 190, "message": "Session has expired", "subcode": 463 }, "scopes": [] } });
        let info = TokenInfo::read(&expired).expect("a token");
        assert_eq!((info.valid, info.reason.as_deref()), (false, Some("Session has expired")));
        assert_eq!((info.expires_at, info.app_id.as_deref()), (Some(1_767_225_600), Some("670843887")));
    }

    #[test]
    fn what_says_nothing_of_a_token_is_none() {
        for answer in [json!({}), json!({ "data": [] }), json!({ "data": { "is_valid": "yes" } }), json!([1])] {
            assert_eq!(TokenInfo::read(&answer), None, "{answer}");
        }
        let odd = json!({ "data": { "is_valid": true, "expires_at": "soon", "scopes": { "a": 1 }, "app_id": "" } });
        assert_eq!(TokenInfo::read(&odd), Some(TokenInfo { valid: true, ..TokenInfo::default() }));
    }

    #[test]
    fn a_number_and_its_profile_are_read() {
        let number = json!({ "id": "106", "display_phone_number": "+1 650-555-0000", "verified_name": "Acme\u{0}",
            "quality_rating": "GREEN", "throughput": { "level": "STANDARD" }, "status": 7 });
        let number = Number::read(&number).expect("a number");
        assert_eq!(number.verified_name.as_deref(), Some("Acme\u{fffd}"));
        assert_eq!((number.throughput.as_deref(), number.status), (Some("STANDARD"), None));
        assert_eq!(Number::read(&json!({ "verified_name": "Acme" })), None);

        let profile = Profile::read(&json!({ "data": [{ "about": "Open", "websites": ["https://acme.example", 1] }] }));
        assert_eq!((profile.about.as_deref(), profile.websites.len()), (Some("Open"), 2));
        assert_eq!(Profile::read(&json!({ "data": [] })), Profile::default());
    }
}
