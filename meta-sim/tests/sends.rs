//! The Graph side: what is accepted, what is refused, which statuses come back.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::time::Duration;

use meta_sim::{MarkedRead, Options, Sim, StatusOrder};
use serde_json::{Value, json};
use support::{SOON, client, pair, post_message, text};

#[tokio::test]
async fn a_send_is_accepted_booked_and_followed_by_signed_statuses() {
    let (sim, inbox) = pair(Options::default()).await;
    let (status, answer) = post_message(&sim, &text("16505551234", "hello")).await.unwrap();
    assert_eq!(status, 200);
    let id = answer["messages"][0]["id"].as_str().unwrap();
    assert_eq!(answer["contacts"][0]["wa_id"], "16505551234");

    let accepted = sim.wait_for_accepted(1, SOON).await.unwrap();
    assert_eq!((accepted[0].wamid.as_str(), accepted[0].phone_number_id.as_str()), (id, "111"));
    assert_eq!((accepted[0].token.as_str(), accepted[0].text.as_deref()), ("token-1", Some("hello")));
    assert_eq!(accepted[0].callback_data.as_deref(), Some("our-16505551234"));
    assert_eq!((sim.times("16505551234", "hello"), sim.times("16505551234", "other")), (1, 0));

    sim.wait_for_statuses(3, SOON).await.unwrap();
    sim.wait_for_webhook_idle(SOON).await.unwrap();
    let expected: Vec<_> = ["sent", "delivered", "read"].map(|status| (id.to_owned(), status.to_owned())).to_vec();
    assert_eq!(inbox.statuses(), expected);
    let value = &inbox.posts()[0]["entry"][0]["changes"][0]["value"];
    assert_eq!(value["metadata"]["phone_number_id"], "111");
    assert_eq!(value["statuses"][0]["biz_opaque_callback_data"], "our-16505551234");
    assert_eq!(value["statuses"][0]["recipient_id"], "16505551234");
    sim.stop().await;
}

#[tokio::test]
async fn a_user_id_is_a_recipient() {
    let (sim, inbox) = pair(Options { statuses: vec!["sent".to_owned()], ..Options::default() }).await;
    let body =
        json!({ "messaging_product": "whatsapp", "recipient": "US.1349", "type": "text", "text": { "body": "x" } });
    let (status, answer) = post_message(&sim, &body).await.unwrap();
    assert_eq!((status, answer["contacts"][0]["user_id"].as_str()), (200, Some("US.1349")));
    sim.wait_for_statuses(1, SOON).await.unwrap();
    let item = &inbox.posts()[0]["entry"][0]["changes"][0]["value"]["statuses"][0];
    assert_eq!((item["recipient_user_id"].as_str(), item.get("recipient_id")), (Some("US.1349"), None));
}

#[tokio::test]
async fn bodies_are_checked_as_by_meta() {
    let (sim, _inbox) = pair(Options { statuses: vec![], ..Options::default() }).await;
    let with = |name: &str, value: Value| {
        let mut body = text("16505551234", "hello");
        body[name] = value;
        body
    };
    let interactive = |body: &str, titles: &[&str]| {
        let buttons: Vec<_> =
            titles.iter().map(|title| json!({ "type": "reply", "reply": { "id": title, "title": title } })).collect();
        json!({ "messaging_product": "whatsapp", "to": "16505551234", "type": "interactive", "interactive":
            { "type": "button", "body": { "text": body }, "action": { "buttons": buttons } } })
    };
    let button = |sub_type: &str, parameters: Value| {
        let button = json!({ "type": "button", "sub_type": sub_type, "index": 0, "parameters": parameters });
        json!({ "messaging_product": "whatsapp", "to": "16505551234", "type": "template", "template":
            { "name": "t", "language": { "code": "en" }, "components": [button] } })
    };
    // Status, and Meta's code.
    let (good, invalid, missing, value) = ((200, 0), (400, 100), (400, 131_008), (400, 131_009));
    let cases = [
        ("good", text("+16505551234", "hello"), good),
        ("longest text", text("16505551234", &"ä".repeat(4096)), good),
        ("text too long", text("16505551234", &"ä".repeat(4097)), invalid),
        ("empty text", text("16505551234", ""), invalid),
        ("no product", with("messaging_product", Value::Null), missing),
        ("no recipient", with("to", Value::Null), missing),
        ("no number", with("to", json!("me")), invalid),
        ("other type", with("type", json!("image")), missing),
        ("a type to come", with("type", json!("hologram")), invalid),
        ("an unknown key", with("hologram", json!({})), invalid),
        ("an unknown key within", with("text", json!({ "body": "hello", "colour": "red" })), invalid),
        ("an answer", with("context", json!({ "message_id": "wamid.1" })), good),
        ("an answer to nothing", with("context", json!({})), missing),
        ("longest callback data", with("biz_opaque_callback_data", json!("x".repeat(512))), good),
        ("callback data too long", with("biz_opaque_callback_data", json!("x".repeat(513))), invalid),
        ("buttons", interactive("Choose", &["Yes", "No", "Maybe"]), good),
        ("too many buttons", interactive("Choose", &["1", "2", "3", "4"]), value),
        ("the same button twice", interactive("Choose", &["1", "1"]), value),
        ("long title", interactive("Choose", &["123456789012345678901"]), value),
        ("long body", interactive(&"x".repeat(1025), &["1"]), value),
        ("a template's button", button("quick_reply", json!([{ "type": "payload", "payload": "x" }])), good),
        ("a button without its value", button("quick_reply", json!([])), value),
        ("a form's button", button("FLOW", json!([])), good),
        ("a form's button with a text", button("flow", json!([{ "type": "text", "text": "x" }])), value),
        ("a button to come", button("hologram", json!([])), value),
        ("not an object", json!([]), invalid),
    ];
    let mut taken = 0;
    for (label, body, expected) in &cases {
        let (status, answer) = post_message(&sim, body).await.unwrap();
        let code = answer["error"]["code"].as_i64().unwrap_or_default();
        assert_eq!((status, code), *expected, "{label}: {answer}");
        taken += u64::from(status == 200);
    }
    assert_eq!((sim.accepted_count(), sim.refused_count()), (taken, cases.len() as u64 - taken));
    assert_eq!(sim.requests(), cases.len() as u64);
}

#[tokio::test]
async fn a_token_is_needed() {
    let any = Sim::start(Options::default()).await.unwrap();
    let one =
        Sim::start(Options { access_tokens: Some(vec!["right".to_owned()]), ..Options::default() }).await.unwrap();
    let cases = [
        (&any, None, 401),
        (&any, Some("Bearer "), 401),
        (&any, Some("Basic abc"), 401),
        (&any, Some("Bearer anything"), 200),
        (&one, Some("Bearer wrong"), 401),
        (&one, Some("Bearer right"), 200),
    ];
    for (sim, header, expected) in cases {
        let mut request = client().post(format!("{}/v24.0/111/messages", sim.url())).json(&text("16505551234", "hi"));
        if let Some(header) = header {
            request = request.header("authorization", header);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), expected, "{header:?}");
        if expected == 401 {
            assert_eq!(answer.json::<Value>().await.unwrap()["error"]["code"], 190);
        }
    }
}

#[tokio::test]
async fn a_read_mark_is_no_message() {
    let (sim, _inbox) = pair(Options::default()).await;
    let body = json!({ "messaging_product": "whatsapp", "status": "read", "message_id": "wamid.1",
        "typing_indicator": { "type": "text" } });
    assert_eq!(post_message(&sim, &body).await.unwrap(), (200, json!({ "success": true })));
    let expected = MarkedRead { phone_number_id: "111".to_owned(), message_id: "wamid.1".to_owned(), typing: true };
    assert_eq!((sim.marked_read(), sim.accepted_count()), (vec![expected], 0));
}

#[tokio::test]
async fn statuses_are_retried_repeated_and_reordered_on_demand() {
    let options = Options { status_order: StatusOrder::Reversed, status_repeats: 1, ..Options::default() };
    let (sim, inbox) = pair(options).await;
    inbox.answers.lock().unwrap().extend([500, 503]);
    post_message(&sim, &text("16505551234", "hello")).await.unwrap();
    sim.wait_for_webhook_idle(SOON).await.unwrap();
    post_message(&sim, &text("16505551234", "a second message goes after the repeats of the first")).await.unwrap();
    sim.wait_for_statuses(6, SOON).await.unwrap();
    let words: Vec<_> = inbox.statuses().into_iter().map(|(_, status)| status).collect();
    assert_eq!(&words[..6], ["read", "delivered", "sent", "read", "delivered", "sent"]);
    assert_eq!(sim.stats().statuses_lost, 0);
    let times = sim.status_times();
    assert!(times.len() == 6 && times[0] >= Duration::from_millis(150), "pauses between attempts count: {times:?}");
}

#[tokio::test]
async fn a_message_is_heard_of_when_its_first_status_is_acknowledged() {
    let (sim, inbox) = pair(Options { status_batch: 1, ..Options::default() }).await;
    inbox.answers.lock().unwrap().extend([503, 200, 503]);
    post_message(&sim, &text("16505551234", "hello")).await.unwrap();
    sim.wait_for_webhook_idle(SOON).await.unwrap();
    let (accepted, times) = (sim.accepted(), sim.status_times());
    let heard = accepted[0].heard.get().unwrap().duration_since(accepted[0].at);
    assert!(heard >= Duration::from_millis(50), "a refusal does not count: {heard:?}");
    assert!(heard < times[1], "the second status does not count: {heard:?} and {times:?}");
}

#[tokio::test]
async fn statuses_are_given_up_after_the_last_retry() {
    let (sim, inbox) = pair(Options { webhook_retries: 1, ..Options::default() }).await;
    inbox.answers.lock().unwrap().extend([500, 500]);
    post_message(&sim, &text("16505551234", "hello")).await.unwrap();
    sim.wait_for_webhook_idle(SOON).await.unwrap();
    let stats = sim.stats();
    assert_eq!((stats.statuses_lost, stats.statuses_acknowledged, stats.status_posts), (3, 0, 2));
    assert_eq!(sim.accepted()[0].heard.get(), None);
}

#[tokio::test]
async fn counts_go_on_where_records_end() {
    let (sim, _inbox) = pair(Options { keep: 2, statuses: vec![], ..Options::default() }).await;
    for _ in 0..5 {
        post_message(&sim, &text("16505551234", "again")).await.unwrap();
    }
    assert_eq!((sim.accepted().len(), sim.accepted_count(), sim.times("16505551234", "again")), (2, 5, 5));
    let ids: Vec<_> = sim.accepted().into_iter().map(|message| message.wamid).collect();
    sim.reset();
    assert_eq!((sim.accepted_count(), sim.times("16505551234", "again")), (0, 0));
    post_message(&sim, &text("16505551234", "after")).await.unwrap();
    assert!(!ids.contains(&sim.accepted()[0].wamid), "ids stay unique over a reset");
    let timeout = sim.wait_for_accepted(2, Duration::ZERO).await.unwrap_err();
    assert_eq!((timeout.wanted, timeout.came), (2, 1));
}
