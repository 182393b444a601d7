//! What items tell besides messages and statuses: preferences of contacts, and facts of numbers and accounts.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use hoopoe_protocol::envelope::{InboundHead, Item, ItemKind};
use hoopoe_protocol::field::{self, Field};
use hoopoe_protocol::message::{self, Content};
use hoopoe_store::channel_facts::Fact;
use hoopoe_store::consent::{Wish, Words};
use hoopoe_store::contacts::Party;
use hoopoe_store::identity::Renamed;
use hoopoe_store::journal::What;
use hoopoe_store::routes::Route;
use serde_json::{Value, json};

use crate::arrivals::moment;
use crate::templates;

/// Fields of an account that are about one of its numbers, and name it as people write it.
const OF_NUMBERS: [&str; 3] = ["phone_number_quality_update", "phone_number_name_update", "security"];

/// Fields about an account as a whole, beside those about its templates.
const OF_ACCOUNTS: [&str; 4] =
    ["account_alerts", "account_review_update", "account_update", "business_capability_update"];

/// Longest type of alert that has a fact of its own: Meta's have some forty letters, and it stands in an index.
const LONGEST_ALERT: usize = 64;

/// Whether an item concerns everybody who has numbers in its account. What is not known to do so may be about a person,
/// and is for one tenant at the most.
pub(crate) fn is_of_account(item: &Item) -> bool {
    let ItemKind::Other { kind } = &item.kind else { return false };
    OF_ACCOUNTS.contains(&kind.as_str()) || templates::is_about_one(kind)
}

/// The number that an item of an account is about: digits.
pub(crate) fn number(item: &Item) -> Option<String> {
    if !OF_NUMBERS.contains(&item.field.as_str()) {
        return None;
    }
    let displayed = match field::parse(&item.field, &item.raw) {
        Field::NumberQuality(it) => it.display_phone_number,
        Field::NumberName(it) => it.display_phone_number,
        Field::Security(it) => it.display_phone_number,
        _ => None,
    };
    let digits: String = displayed?.chars().filter(char::is_ascii_digit).collect();
    (!digits.is_empty()).then_some(digits)
}

/// Whether a message is one of the words by which people opt out of marketing or come back: a text, or a button whose
/// text or payload is one.
pub(crate) fn wish(kind: &str, preview: Option<&str>, raw: &str, words: &Words) -> Option<Wish> {
    match kind {
        "text" | "interactive" => words.meaning(preview?),
        "button" => match message::parse(raw).content {
            Content::TemplateButton(button) => {
                button.payload.as_deref().and_then(|it| words.meaning(it)).or_else(|| words.meaning(&button.text))
            }
            _ => None,
        },
        _ => None,
    }
}

/// What a system message tells of its contact's ids.
pub(crate) fn renamed(head: &InboundHead, raw: &str) -> Option<Renamed> {
    if head.kind != "system" {
        return None;
    }
    let Content::System(notice) = message::parse(raw).content else { return None };
    let number = |id: &String| {
        let digits = id.trim_start_matches('+');
        (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.to_owned())
    };
    let wa_id = notice.wa_id.as_ref().and_then(number);
    let (wa_id, user_id, former) = match notice.kind.as_str() {
        "user_changed_number" | "customer_changed_number" => {
            (Some(wa_id?), notice.user_id.or_else(|| head.sender.user_id.clone()), head.sender.wa_id.clone()?)
        }
        "user_changed_user_id" => {
            let former = notice.previous_user_id.or_else(|| head.sender.user_id.clone())?;
            (wa_id.or_else(|| head.sender.wa_id.clone()), Some(notice.user_id?), former)
        }
        _ => return None,
    };
    let is_same = wa_id.as_ref() == Some(&former) || user_id.as_ref() == Some(&former);
    Some(Renamed { wa_id, user_id, former: vec![former] }).filter(|_| !is_same)
}

/// What an item of this kind tells, and when. Of templates nothing: they are not a channel's.
pub(crate) fn read(kind: &str, raw: &str, route: &Route, told_at: DateTime<Utc>) -> Option<(What, DateTime<Utc>)> {
    let (kind, of_account, value) = match field::parse(kind, raw) {
        Field::Preference(it) => {
            let wish = match it.value.as_str() {
                "stop" => Wish::OptOut,
                "resume" => Wish::OptIn,
                _ => return None,
            };
            let party = Party {
                tenant_id: route.tenant_id,
                channel_id: route.channel_id,
                wa_id: it.person.wa_id,
                user_id: it.person.user_id,
            };
            let at = moment(it.timestamp).map_or(told_at, |at| at.min(told_at));
            return (it.category == "marketing_messages").then_some((What::Preference(party, wish, it.detail), at));
        }
        Field::AccountUpdate(it) => fact("account", true, json!({ "event": it.event, "details": it.details })),
        Field::AccountReview(decision) => fact("review", true, json!({ "decision": decision })),
        Field::AccountAlert(it) => {
            let value = json!({
                "type": it.kind, "severity": it.severity, "status": it.status, "description": it.description,
                "entityType": it.entity_type, "entityId": it.entity_id,
            });
            (alert(&it.kind), true, value)
        }
        Field::Capability(it) => fact(
            "capability",
            true,
            json!({ "peoplePerNumber": it.people_per_number, "people": it.people, "numbers": it.numbers }),
        ),
        Field::NumberQuality(it) => {
            fact("quality", false, json!({ "event": it.event, "limit": it.current_limit, "formerLimit": it.old_limit }))
        }
        Field::NumberName(it) => {
            fact("name", false, json!({ "decision": it.decision, "name": it.name, "reason": it.reason }))
        }
        Field::Security(it) => fact("security", false, json!({ "event": it.event, "requester": it.requester })),
        Field::Error(it) => fact("error", false, json!({ "code": it.code, "title": it.title, "details": it.details })),
        _ => return None,
    };
    Some((What::Fact(Fact { kind, value: without_nul(value), told_at, of_account }), told_at))
}

fn fact(kind: &'static str, of_account: bool, value: Value) -> (Cow<'static, str>, bool, Value) {
    (Cow::Borrowed(kind), of_account, value)
}

/// Alerts of one type are a kind of fact, which those of other types leave alone. What is no word of Meta's is no type.
fn alert(kind: &str) -> Cow<'static, str> {
    let is_word = kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_word && kind.len() <= LONGEST_ALERT { Cow::Owned(format!("alert:{kind}")) } else { Cow::Borrowed("alert") }
}

/// Postgres cannot store NUL; what Meta does not say is left out.
fn without_nul(value: Value) -> Value {
    match value {
        Value::Object(object) => object
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name, without_nul(value)))
            .collect(),
        Value::String(text) if text.contains('\0') => Value::String(text.replace('\0', "\u{fffd}")),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use hoopoe_protocol::envelope::{self, ItemKind};

    use super::*;

    fn head(message: &Value) -> (InboundHead, String) {
        let value = json!({ "metadata": { "phone_number_id": "1" }, "messages": [message] });
        let body = json!({ "object": "whatsapp_business_account",
            "entry": [{ "id": "2", "changes": [{ "field": "messages", "value": value }] }] });
        let item = envelope::parse(body.to_string().as_bytes()).expect("an envelope").remove(0);
        let ItemKind::Message(head) = item.kind else { panic!("no message") };
        (head, item.raw)
    }

    #[test]
    fn system_messages_tell_of_new_ids() {
        let told = |wa_id: Option<&str>, user_id: Option<&str>, former: &str| {
            let (wa_id, user_id) = (wa_id.map(str::to_owned), user_id.map(str::to_owned));
            Some(Renamed { wa_id, user_id, former: vec![former.to_owned()] })
        };
        for (system, from_user, expected) in [
            (json!({ "type": "user_changed_number", "wa_id": "491" }), None, told(Some("491"), None, "161")),
            (
                json!({ "type": "user_changed_number", "wa_id": "+491" }),
                Some("US.1"),
                told(Some("491"), Some("US.1"), "161"),
            ),
            (json!({ "type": "user_changed_number", "wa_id": "161" }), None, None),
            (json!({ "type": "user_changed_number", "wa_id": "soon" }), None, None),
            (json!({ "type": "user_changed_number" }), None, None),
            (
                json!({ "type": "user_changed_user_id", "user_id": "US.2", "previous_user_id": "US.1" }),
                None,
                told(Some("161"), Some("US.2"), "US.1"),
            ),
            (
                json!({ "type": "user_changed_user_id", "user_id": "US.2" }),
                Some("US.1"),
                told(Some("161"), Some("US.2"), "US.1"),
            ),
            (json!({ "type": "user_changed_user_id", "user_id": "US.2" }), None, None),
            (json!({ "type": "customer_identity_changed", "wa_id": "491" }), None, None),
        ] {
            let mut message = json!({ "id": "m", "from": "161", "timestamp": "1", "type": "system", "system": system });
            if let Some(user) = from_user {
                message["from_user_id"] = json!(user);
            }
            let (head, raw) = head(&message);
            assert_eq!(renamed(&head, &raw), expected, "{raw}");
        }
    }

    #[test]
    fn an_alert_is_a_fact_by_its_type_and_what_concerns_an_account_is_known() {
        let long = "X".repeat(LONGEST_ALERT + 1);
        for (kind, expected) in
            [("OBA_APPROVED", "alert:OBA_APPROVED"), ("a b", "alert"), ("Ä", "alert"), (long.as_str(), "alert")]
        {
            assert_eq!(alert(kind), expected);
        }
        for (field, expected) in [
            ("account_update", true),
            ("message_template_status_update", true),
            ("template_category_update", true),
            ("phone_number_quality_update", false),
            ("user_preferences", false),
            ("messages", false),
            ("something_new", false),
        ] {
            let body = json!({ "object": "whatsapp_business_account",
                "entry": [{ "id": "2", "changes": [{ "field": field, "value": { "event": "X" } }] }] });
            let items = envelope::parse(body.to_string().as_bytes()).expect("an envelope");
            assert_eq!(is_of_account(&items[0]), expected, "{field}");
        }
    }

    #[test]
    fn words_stand_in_texts_and_on_buttons() {
        let words = Words::of(None, None);
        for (message, expected) in [
            (json!({ "type": "text", "text": { "body": "Stop" } }), Some(Wish::OptOut)),
            (
                json!({ "type": "button", "button": { "text": "No more offers", "payload": "STOP" } }),
                Some(Wish::OptOut),
            ),
            (json!({ "type": "button", "button": { "text": "Stop promotions" } }), Some(Wish::OptOut)),
            (json!({ "type": "button", "button": { "text": "Yes", "payload": "1" } }), None),
            (
                json!({ "type": "interactive", "interactive": { "type": "button_reply",
                    "button_reply": { "id": "1", "title": "START" } } }),
                Some(Wish::OptIn),
            ),
            (json!({ "type": "image", "image": { "id": "1", "caption": "stop" } }), None),
        ] {
            let mut message = message;
            message["id"] = json!("m");
            message["from"] = json!("161");
            let (head, raw) = head(&message);
            assert_eq!(wish(&head.kind, head.preview.as_deref(), &raw, &words), expected, "{raw}");
        }
    }
}
