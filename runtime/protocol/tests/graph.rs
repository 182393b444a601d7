//! The Graph API's requests, its answers, and what each error means.
#![allow(missing_docs, clippy::unwrap_used)]

use hoopoe_protocol::{
    graph::{
        Accepted, Class, Recipient, answer, classify, hide, is_read_mark, json_answer, mark_read_body, messages_url,
        read_answer, request_body, secret_answer,
    },
    outbound::typed::{Message, Read},
};
use serde_json::{Value, json};

#[test]
fn error_codes() {
    let table: [(Class, &[i64]); 6] = [
        (Class::PausePair, &[131056]),
        (Class::PauseNumber, &[4, 613, 80007, 130429, 131057]),
        (Class::Transient, &[1, 2, 131000, 131016, 131053]),
        (
            Class::Permanent,
            &[
                100, 131008, 131009, 131026, 131047, 131049, 131050, 131051, 131062, 132000, 132001, 132005, 132007,
                132008, 132012,
            ],
        ),
        (Class::SuspendTemplate, &[132015, 132016]),
        (Class::SuspendChannel, &[0, 3, 10, 190, 200, 250, 299, 368, 131031, 131042, 131045, 131048]),
    ];
    for (class, codes) in table {
        for code in codes {
            for http_status in [200, 400, 401, 403, 429, 500] {
                assert_eq!(classify(http_status, Some(*code)), class, "code {code} with HTTP {http_status}");
            }
        }
    }
}

#[test]
fn http_status_decides_without_a_known_code() {
    // With an unknown code it is Meta's word; without one it may be a gateway's, which stands there for a while.
    let table = [
        (429, Class::PauseNumber, Class::PauseNumber),
        (500, Class::Transient, Class::Transient),
        (503, Class::Transient, Class::Transient),
        (400, Class::Permanent, Class::Transient),
        (403, Class::Permanent, Class::Transient),
        (408, Class::Permanent, Class::Transient),
        (302, Class::Permanent, Class::Transient),
    ];
    for (http_status, with_code, without) in table {
        assert_eq!(classify(http_status, None), without, "{http_status}");
        assert_eq!(classify(http_status, Some(987_654)), with_code, "{http_status} with an unknown code");
    }
}

#[test]
fn accepted() {
    let body = json!({"messaging_product":"whatsapp","contacts":[{"input":"+1 650","wa_id":"1650"}],"messages":[{"id":"wamid.1"}]});
    let expected = Accepted { message_id: "wamid.1".to_owned(), wa_id: Some("1650".to_owned()) };
    assert_eq!(answer(200, body.to_string().as_bytes()), Ok(expected));
    let expected = Accepted { message_id: "wamid.2".to_owned(), wa_id: None };
    assert_eq!(answer(201, br#"{"messages":[{"id":"wamid.2","message_status":"accepted"}]}"#), Ok(expected));
}

#[test]
fn a_success_that_cannot_be_read_is_ambiguous() {
    for body in ["", "<html>ok</html>", "{}", r#"{"messages":[]}"#, r#"{"messages":[{"id":""}]}"#, r#"{"messages":7}"#]
    {
        let failure = answer(200, body.as_bytes()).unwrap_err();
        assert_eq!((failure.class, failure.http_status), (Class::Ambiguous, Some(200)), "{body}");
    }
    assert_eq!(answer(200, b"\xff\xfe\0").unwrap_err().class, Class::Ambiguous);
}

#[test]
fn a_failure_tells_the_whole_reason() {
    let body = json!({"error":{"message":"(#131047) Re-engagement message","type":"OAuthException","code":131047,
        "error_subcode":2494010,"error_data":{"messaging_product":"whatsapp","details":"More than 24 hours have passed"},
        "fbtrace_id":"Az8or2yhqkZfEZ-_4Qn_Bam"}});
    let failure = answer(400, body.to_string().as_bytes()).unwrap_err();
    assert_eq!((failure.class, failure.code, failure.subcode), (Class::Permanent, Some(131047), Some(2494010)));
    assert_eq!(
        failure.message,
        "(#131047) Re-engagement message: More than 24 hours have passed [HTTP 400, subcode 2494010, fbtrace_id Az8or2yhqkZfEZ-_4Qn_Bam]"
    );
    let cases: [(u16, &str, Class, Option<i64>); 6] = [
        (401, r#"{"error":{"message":"Error validating access token","code":190}}"#, Class::SuspendChannel, Some(190)),
        (200, r#"{"error":{"code":"131056","message":"pair"}}"#, Class::PausePair, Some(131056)),
        (500, r#"{"error":{}}"#, Class::Transient, None),
        (502, "<html>bad gateway</html>", Class::Transient, None),
        (404, "", Class::Transient, None),
        (429, "slow down", Class::PauseNumber, None),
    ];
    for (http_status, body, class, code) in cases {
        let failure = answer(http_status, body.as_bytes()).unwrap_err();
        assert_eq!((failure.class, failure.code), (class, code), "{body}");
        assert!(failure.to_string().contains(&format!("HTTP {http_status}")), "{failure}");
    }
}

#[test]
fn requests() {
    for base in ["https://graph.facebook.com", "https://graph.facebook.com/"] {
        assert_eq!(messages_url(base, "v24.0", "106"), "https://graph.facebook.com/v24.0/106/messages");
    }
    let payload = json!({"type":"text","text":{"body":"hi","preview_url":false},"context":{"message_id":"wamid.0"}});
    let body = |to| serde_json::from_str::<Value>(&request_body(&payload, &to, "our-id")).unwrap();
    let expected = json!({"messaging_product":"whatsapp","recipient_type":"individual","to":"1650","type":"text",
        "text":{"body":"hi","preview_url":false},"context":{"message_id":"wamid.0"},"biz_opaque_callback_data":"our-id"});
    assert_eq!(body(Recipient::WaId("1650".to_owned())), expected);
    let nameless = body(Recipient::UserId("US.1".to_owned()));
    assert_eq!((nameless.get("to"), nameless["recipient"].as_str()), (None, Some("US.1")));
    let read: Value = serde_json::from_str(&mark_read_body("wamid.1", true)).unwrap();
    assert_eq!(
        read,
        json!({"messaging_product":"whatsapp","status":"read","message_id":"wamid.1","typing_indicator":{"type":"text"}})
    );
    assert!(!mark_read_body("wamid.1", false).contains("typing"));
}

#[test]
fn a_read_mark_is_a_request_of_its_own() {
    let mark = Message::Read(Read { message_id: "wamid.1".to_owned(), typing: true }).payload(None).unwrap();
    assert!(is_read_mark(&mark) && !is_read_mark(&json!({"type":"text","text":{"body":"read"}})));
    let body = request_body(&mark, &Recipient::WaId("1650".to_owned()), "our-id");
    assert_eq!(
        serde_json::from_str::<Value>(&body).unwrap(),
        serde_json::from_str::<Value>(&mark_read_body("wamid.1", true)).unwrap()
    );

    assert_eq!(read_answer(200, br#"{"success":true}"#), Ok(()));
    let cases: [(u16, &[u8], Class); 4] = [
        (200, br#"{"success":false}"#, Class::Ambiguous),
        (200, b"<html>", Class::Ambiguous),
        (400, br#"{"error":{"code":100,"message":"Invalid parameter"}}"#, Class::Permanent),
        (503, b"", Class::Transient),
    ];
    for (status, body, class) in cases {
        assert_eq!(read_answer(status, body).unwrap_err().class, class, "{}", String::from_utf8_lossy(body));
    }
}

#[test]
fn the_answer_to_another_call_is_an_object_or_a_failure() {
    let data = json_answer(200, br#"{"data":{"is_valid":true}}"#).unwrap();
    assert_eq!(Value::Object(data), json!({ "data": { "is_valid": true } }));
    let cases: [(u16, &[u8], Class, Option<i64>); 5] = [
        (401, br#"{"error":{"code":190,"message":"Session has expired"}}"#, Class::SuspendChannel, Some(190)),
        (200, br#"{"error":{"code":2,"message":"Service"}}"#, Class::Transient, Some(2)),
        (200, b"[1]", Class::Ambiguous, None),
        (503, br#"{"half":"#, Class::Transient, None),
        (404, br#"{"data":{}}"#, Class::Transient, None),
    ];
    for (status, body, class, code) in cases {
        let failure = json_answer(status, body).unwrap_err();
        assert_eq!((failure.class, failure.code), (class, code), "{}", String::from_utf8_lossy(body));
    }
}

#[test]
fn a_success_that_brings_a_secret_is_not_quoted() {
    let token = secret_answer(200, br#"{"access_token":"EAA-new-token"}"#).unwrap();
    assert_eq!(token["access_token"], "EAA-new-token");
    for body in [r#"{"access_token":"EAA-new-token"#, r#"["EAA-new-token"]"#, "access_token=EAA-new-token"] {
        let failure = secret_answer(200, body.as_bytes()).unwrap_err();
        assert_eq!(failure.class, Class::Ambiguous, "{body}");
        assert!(!failure.message.contains("EAA-new"), "{failure}");
    }
    // What is no success brings none, and its words help.
    let failure = secret_answer(503, b"Sorry, something went wrong").unwrap_err();
    assert!(failure.message.contains("Sorry"), "{failure}");
    let failure = secret_answer(400, br#"{"error":{"code":100,"message":"Invalid code"}}"#).unwrap_err();
    assert!(failure.message.contains("Invalid code"), "{failure}");
}

#[test]
fn a_secret_that_meta_repeats_is_hidden() {
    const TOKEN: &str = "EAAGm0PX4ZCpsBAKZC-long-and-secret";
    let cases = [
        (format!("Malformed access token {TOKEN}"), "Malformed access token [token]"),
        (format!("{TOKEN}, and again: {TOKEN}."), "[token], and again: [token]."),
        // The message was cut within it.
        (format!("Malformed access token {}…", &TOKEN[..25]), "Malformed access token [token]…"),
        ("Error validating access token".to_owned(), "Error validating access token"),
    ];
    for (text, expected) in cases {
        assert_eq!(hide(&text, TOKEN), expected, "{text}");
    }
    assert_eq!(hide("Ünlesbar: Schlüsselwörter!", "Schlüsselwörter"), "Ünlesbar: [token]!");
    for none in ["", "token"] {
        assert_eq!(hide("the access token", none), "the access token");
    }
    let body = format!(r#"{{"error":{{"code":190,"message":"Malformed access token {TOKEN}"}}}}"#);
    let failure = answer(401, body.as_bytes()).unwrap_err().hiding(TOKEN);
    assert_eq!((failure.code, failure.message.contains("(#190) Malformed access token [token]")), (Some(190), true));
}
