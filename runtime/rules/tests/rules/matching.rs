//! Conditions: what they hold for, and what not.

use serde_json::{Value, json};

use crate::{Chat, one};

fn matches(condition: &Value, sends: impl FnOnce(&mut Chat) -> hoopoe_rules::Outcome) -> bool {
    let mut set = one(condition.clone(), json!({ "type": "stop" }));
    let hours = json!({
        "office": { "timezone": "Europe/Berlin", "open": [{ "days": ["thu"], "from": "09:00", "to": "17:00" }] },
        "night": { "timezone": "UTC", "open": [{ "days": ["thu"], "from": "22:00", "to": "23:00" }] },
    });
    set["businessHours"] = hours;
    set["defaultLanguage"] = "pt-br".into();
    !sends(&mut Chat::new(&set)).matched.is_empty()
}

#[test]
fn words_of_a_text() {
    let cases = [
        (json!({ "contains": "hi" }), "this", true),
        (json!({ "contains": ["hello", "hi"] }), "Well, HELLO there", true),
        (json!({ "contains": ["hello", "hi"] }), "good day", false),
        (json!({ "contains": "hi", "words": true }), "this", false),
        (json!({ "contains": "hi", "words": true }), "oh, hi!", true),
        (json!({ "contains": "hi", "words": true }), "HI", true),
        (json!({ "contains": "hi", "words": true }), "this is hi", true),
        (json!({ "contains": "é", "words": true }), "café é", true),
        (json!({ "contains": "a b" }), "x a b x", true),
        (json!({ "contains": "Hi", "fold": "none" }), "hi", false),
        (json!({ "contains": "Hi", "fold": "none" }), "oh, Hi", true),
        (json!({ "contains": "ÄRGER" }), "so ein Ärger", true),
        (json!({ "contains": "cafe" }), "Café", false),
        (json!({ "contains": "cafe", "fold": "case_and_accents" }), "das Café", true),
        (json!({ "contains": "Café", "fold": "case_and_accents" }), "das cafe", true),
        (json!({ "contains": "strasse", "fold": "case_and_accents" }), "Hauptstraße 1", true),
        (json!({ "exact": "hello" }), " Hello\n", true),
        (json!({ "exact": "hello" }), "hello there", false),
        (json!({ "exact": ["a", " B "] }), "b", true),
        (json!({ "starts_with": "order" }), " Order 7", true),
        (json!({ "starts_with": "order" }), "my order", false),
        (json!({ "starts_with": ["my", "order"] }), "my order", true),
        (json!({ "regex": r"^\d{4}$" }), "4711", true),
        (json!({ "regex": r"^\d{4}$" }), "47111", false),
        (json!({ "regex": [r"^x", r"y$"] }), "xx y", true),
        (json!({ "regex": "ORDER" }), "order", true),
        (json!({ "regex": "ORDER", "fold": "none" }), "order", false),
        (json!({ "regex": "cafes?", "fold": "case_and_accents" }), "Cafés", true),
    ];
    for (condition, text, expected) in cases {
        assert_eq!(matches(&condition, |chat| chat.says(text)), expected, "{condition} on {text:?}");
    }
}

#[test]
fn only_the_beginning_of_a_long_text_is_looked_at() {
    let text = format!("{}needle", "é".repeat(1018));
    for words in [true, false] {
        let condition = json!({ "contains": "needle", "words": words });
        assert_eq!(matches(&condition, |chat| chat.says(&text)), !words, "letters stand before it");
        assert!(!matches(&condition, |chat| chat.says(&format!("é{text}"))));
    }
}

#[test]
fn phrases_of_every_length_are_found_everywhere() {
    for length in 1..20 {
        let phrase: String = ('a'..='z').take(length).collect();
        for before in ["", "x", "x é "] {
            for behind in ["", "y", " ö"] {
                let text = format!("{before}{phrase}{behind}");
                let condition = json!({ "contains": phrase });
                assert!(matches(&condition, |chat| chat.says(&text)), "{phrase} in {text}");
                let condition = json!({ "contains": phrase, "words": true });
                let is_word = !before.ends_with('x') && !behind.starts_with('y');
                assert_eq!(matches(&condition, |chat| chat.says(&text)), is_word, "{phrase} in {text}");
            }
        }
        let shorter: String = phrase.chars().skip(1).collect();
        assert!(!matches(&json!({ "contains": phrase }), |chat| chat.says(&shorter)));
    }
}

#[test]
fn combinations() {
    let cases = [
        (json!({ "contains": "a", "starts_with": "b" }), "ba", true),
        (json!({ "contains": "a", "starts_with": "b" }), "ab", false),
        (json!({ "all": [{ "contains": "a" }, { "contains": "b" }] }), "ab", true),
        (json!({ "all": [{ "contains": "a" }, { "contains": "b" }] }), "a", false),
        (json!({ "any": [{ "contains": "a" }, { "contains": "b" }] }), "b", true),
        (json!({ "any": [{ "contains": "a" }, { "contains": "b" }] }), "c", false),
        (json!({ "any": [{ "contains": "a", "starts_with": "x" }, { "contains": "b" }] }), "a", false),
        (json!({ "not": { "contains": "a" } }), "b", true),
        (json!({ "not": { "contains": "a" } }), "a", false),
        (json!({ "contains": "a", "not": { "contains": "b" } }), "ab", false),
        (json!({ "not": { "any": [{ "exact": "a" }, { "not": { "contains": "b" } }] } }), "b", true),
        (json!({ "not": { "contains": "a", "starts_with": "b" } }), "a", true),
        (json!({ "fold": "none", "any": [{ "exact": "A" }] }), "a", false),
        (json!({ "fold": "none", "any": [{ "exact": "A", "fold": "case" }] }), "a", true),
        (json!({ "words": true, "any": [{ "contains": "a" }] }), "ab", false),
    ];
    for (condition, text, expected) in cases {
        assert_eq!(matches(&condition, |chat| chat.says(text)), expected, "{condition} on {text:?}");
    }
}

#[test]
fn kinds_choices_and_captions() {
    type Message = (&'static str, Option<&'static str>, Option<(&'static str, &'static str)>);
    let button: Message = ("button_reply", Some("Yes"), Some(("yes", "Yes")));
    let row: Message = ("list_reply", Some("One"), Some(("1", "One")));
    let image: Message = ("image", Some("my receipt"), None);
    let silent: Message = ("location", None, None);
    let cases = [
        (json!({ "kind": "image" }), image, true),
        (json!({ "kind": ["video", "image"] }), image, true),
        (json!({ "kind": "text" }), image, false),
        (json!({ "contains": "receipt" }), image, true),
        (json!({ "contains": "receipt" }), silent, false),
        (json!({ "regex": "" .to_owned() + "." }), silent, false),
        (json!({ "not": { "contains": "receipt" } }), silent, true),
        (json!({ "reply_id": "yes" }), button, true),
        (json!({ "reply_id": ["no", "1"] }), row, true),
        (json!({ "reply_id": "Yes" }), button, false),
        (json!({ "reply_id": "yes" }), image, false),
        (json!({ "reply_id": "yes", "kind": "list_reply" }), button, false),
        (json!({ "exact": "yes" }), button, true),
        (json!({ "kind": "location" }), silent, true),
    ];
    for (condition, (kind, text, reply), expected) in cases {
        assert_eq!(matches(&condition, |chat| chat.sends(kind, text, reply)), expected, "{condition} on {kind}");
    }
}

#[test]
fn what_is_known_of_the_conversation() {
    fn with(tags: &[&str], variables: &[(&str, &str)]) -> impl FnOnce(&mut Chat) -> hoopoe_rules::Outcome {
        let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        move |chat| {
            chat.tags = tags;
            chat.state.variables = variables;
            chat.says("hi")
        }
    }
    assert!(matches(&json!({ "tags": "vip" }), with(&["new", "vip"], &[])));
    assert!(matches(&json!({ "tags": ["x", "new"] }), with(&["new", "vip"], &[])));
    assert!(!matches(&json!({ "tags": "VIP" }), with(&["new", "vip"], &[])));
    assert!(!matches(&json!({ "tags": "vip" }), with(&[], &[])));

    let cases = [
        ("the default", "pt", None, true),
        ("the default, exactly", "pt_BR", None, true),
        ("another country", "pt_PT", None, false),
        ("a set one", "en", Some("en"), true),
        ("a set one with a country", "en", Some("en-GB"), true),
        ("without the country asked for", "en_GB", Some("en"), false),
        ("of a list", "de", Some("DE"), true),
        ("no language at all falls back", "pt", Some("whatever you like"), true),
        ("not a prefix of letters", "en", Some("eng"), false),
    ];
    for (label, wanted, set, expected) in cases {
        let variables: Vec<_> = set.map(|set| ("language", set)).into_iter().collect();
        let condition = json!({ "language": ["xx", wanted] });
        assert_eq!(matches(&condition, with(&[], &variables)), expected, "{label}");
    }

    let plan = [("plan", "gold"), ("city", "")];
    assert!(matches(&json!({ "variables": { "plan": "gold" } }), with(&[], &plan)));
    assert!(matches(&json!({ "variables": { "plan": ["silver", "gold"] } }), with(&[], &plan)));
    assert!(matches(&json!({ "variables": { "plan": "gold", "other": null } }), with(&[], &plan)));
    assert!(!matches(&json!({ "variables": { "plan": "gold", "other": "x" } }), with(&[], &plan)));
    assert!(!matches(&json!({ "variables": { "plan": null } }), with(&[], &plan)));
    assert!(!matches(&json!({ "variables": { "plan": "Gold" } }), with(&[], &plan)));

    let at = |hour: i64| {
        move |chat: &mut Chat| {
            chat.now = chat.now.saturating_add_signed((hour - 12) * 3_600_000);
            chat.says("hi")
        }
    };
    assert!(matches(&json!({ "business_hours": "office" }), at(8)));
    assert!(!matches(&json!({ "business_hours": "office" }), at(7)));
    assert!(matches(&json!({ "not": { "business_hours": "office" } }), at(16)));
    assert!(matches(&json!({ "business_hours": ["office", "night"] }), at(22)));
    assert!(!matches(&json!({ "business_hours": ["office", "night"] }), at(20)));
}
