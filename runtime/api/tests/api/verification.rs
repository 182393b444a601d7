//! `GET /whatsapp/webhook`: Meta verifies the address.

use hoopoe_testing::{VERIFY_TOKEN, World};
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;

use crate::answers::answer;

#[tokio::test]
async fn the_challenge_is_answered_to_who_knows_the_token() {
    let world = World::builder().roles("api").start().await;
    let ask = |query: &str| answer(world.api.request(Method::GET, &format!("/whatsapp/webhook{query}"), ""));
    let good = format!("hub.mode=subscribe&hub.verify_token={VERIFY_TOKEN}");

    // Any challenge comes back to the letter, as plain text.
    for (challenge, sent) in [("1158201444", "1158201444"), ("a-b_c.d~e", "a-b_c.d~e"), ("<b>ü&", "%3Cb%3E%C3%BC%26")]
    {
        let request = world.api.request(Method::GET, &format!("/whatsapp/webhook?{good}&hub.challenge={sent}"), "");
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200, "{challenge}");
        assert!(answer.headers()[CONTENT_TYPE].to_str().unwrap().starts_with("text/plain"), "{challenge}");
        assert_eq!(answer.text().await.unwrap(), challenge);
    }

    let refusals = [
        ("nothing", String::new()),
        ("a wrong token", "?hub.mode=subscribe&hub.verify_token=guess&hub.challenge=1".to_owned()),
        ("an empty token", "?hub.mode=subscribe&hub.verify_token=&hub.challenge=1".to_owned()),
        ("no token", "?hub.mode=subscribe&hub.challenge=1".to_owned()),
        ("a token cut short", format!("?{}&hub.challenge=1", &good[..good.len() - 1])),
        ("a token with more", format!("?{good}x&hub.challenge=1")),
        ("another mode", format!("?hub.mode=unsubscribe&hub.verify_token={VERIFY_TOKEN}&hub.challenge=1")),
        ("no mode", format!("?hub.verify_token={VERIFY_TOKEN}&hub.challenge=1")),
    ];
    for (label, query) in refusals {
        let answer = ask(&query).await;
        answer.refuses(label, 403, &["hub.mode", "VERIFY_TOKEN"]);
        assert!(!answer.body.to_string().contains(VERIFY_TOKEN), "{label}: the token is told: {}", answer.body);
    }
    ask(&format!("?{good}")).await.refuses("no challenge", 400, &["hub.challenge", "missing"]);
    ask(&format!("?{good}&{good}&hub.challenge=1")).await.refuses("everything twice", 400, &["hub."]);
    world.end().await;
}
