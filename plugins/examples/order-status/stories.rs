//! Conversations, played natively by this crate's tests and compiled by those of `hoopoe-harness`.

use hoopoe_sdk::HttpAnswer;
use hoopoe_sdk::testing::{Chat, Runner, json};
use hoopoe_sdk::time::{MINUTE, SECOND};

/// All of them.
pub fn stories<R: Runner>() -> Vec<fn(Chat<R>)> {
    vec![
        an_order_is_found,
        an_unknown_number,
        a_slow_shop,
        a_shop_that_is_down,
        a_contact_who_leaves,
        an_answer_that_got_lost,
    ]
}

fn configured<R: Runner>(chat: Chat<R>) -> Chat<R> {
    chat.config(&json!({"baseUrl": "https://shop.example.com/api", "timeoutMs": 2500}))
}

fn an_order_is_found<R: Runner>(chat: Chat<R>) {
    let mut chat = configured(chat);
    let run = chat.says("where is my order 10234?");
    let request = run.expect_reply("One moment...").expect_request("order");
    assert_eq!((request.method.as_str(), request.url.as_str()), ("GET", "https://shop.example.com/api/orders/10234"));
    assert_eq!(request.timeout_ms, 2500);
    let key = ("authorization".to_owned(), "Bearer {{secret:API_KEY}}".to_owned());
    assert!(request.headers.contains(&key), "{:?}", request.headers);
    chat.says("hello?").expect_reply("I am still looking for order 10234.");
    let order = json!({"status": "on its way", "eta": "5 January", "trackingUrl": "https://track.example.com/1"});
    chat.answers("order", 200, order)
        .expect_reply("Order 10234 is on its way. It should arrive on 5 January.\nhttps://track.example.com/1");

    chat.says("and 10235").expect_request("order");
    chat.answers("order", 200, json!({"status": "packed"})).expect_reply("Order 10235 is packed.");
    chat.advance(60 * MINUTE).expect_silence();
}

fn an_unknown_number<R: Runner>(chat: Chat<R>) {
    let mut chat = configured(chat);
    chat.says("hi").expect_reply("Which order is it? Please send me its number.");
    chat.says("the blue one").expect_reply("The number has 4 to 12 digits; it is in the e-mail of your order.");
    chat.says("99999").expect_request("order");
    chat.answers("order", 404, json!({}))
        .expect_reply("I cannot find an order 99999. Please look at the number again.");
    chat.says("10234").expect_reply("One moment...").expect_request("order");
    chat.answers("order", 200, json!({"status": "packed"})).expect_reply("Order 10234 is packed.");
}

fn a_slow_shop<R: Runner>(chat: Chat<R>) {
    let mut chat = configured(chat);
    chat.says("10234").expect_request("order");
    chat.responds("order", Err("timeout: no answer in 2500 ms".to_owned()))
        .expect_reply("This takes longer than usual. I will try again.");
    let again = chat.advance(20 * SECOND);
    again.expect_replies(&[]);
    assert_eq!(again[0].expect_request("order").url, "https://shop.example.com/api/orders/10234");
    chat.answers("order", 200, json!({"status": "packed"})).expect_reply("Order 10234 is packed.");
}

fn a_shop_that_is_down<R: Runner>(chat: Chat<R>) {
    let mut chat = configured(chat);
    let down = || Ok(HttpAnswer { status: 503, headers: Vec::new(), body: b"<html>".to_vec() });
    chat.says("10234").expect_request("order");
    chat.responds("order", down()).expect_reply("This takes longer than usual. I will try again.");
    chat.advance(20 * SECOND)[0].expect_request("order");
    assert_eq!(chat.responds("order", down()).replies(), [""; 0]);
    chat.advance(20 * SECOND)[0].expect_request("order");
    let run = chat.responds("order", down());
    run.expect_reply("I cannot reach our shop right now. A colleague will write to you.");
    assert_eq!(run.expect_hand_off(), "order 10234: the shop answered with status 503");
    chat.says("hello?").expect_silence();
    chat.released().says("hello?").expect_reply("Which order is it? Please send me its number.");
}

fn a_contact_who_leaves<R: Runner>(chat: Chat<R>) {
    let mut chat = configured(chat);
    chat.says("hi").expect_reply("Which order is it? Please send me its number.");
    chat.advance(29 * MINUTE).expect_silence();
    chat.advance(MINUTE).expect_reply("Write again when you have the number.");
    chat.says("hi").expect_reply("Which order is it? Please send me its number.");
}

fn an_answer_that_got_lost<R: Runner>(chat: Chat<R>) {
    let mut chat = configured(chat);
    chat.says("10234").expect_request("order");
    chat.advance(2 * MINUTE).expect_silence();
    chat.says("10234").expect_reply("One moment...").expect_request("order");
}
