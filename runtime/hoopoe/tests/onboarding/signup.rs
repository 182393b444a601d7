//! Embedded Signup, from the code of Meta's dialog to a message that is answered; and every step that can fail.

use hoopoe_testing::{APP_SECRET, Builder, MASTER_KEY, Tenant, World};
use meta_sim::{BusinessNumber, Fault, Grant};
use serde_json::{Value, json};

const APP: &str = "670843887433847";
const WABA: &str = "102290129340398";
const NUMBER: &str = "106540352242922";
const CONTACT: &str = "16505551234";

pub fn builder() -> Builder {
    World::builder().set("APP_ID", APP)
}

/// A business with a number went through the dialog.
pub fn dialog(world: &World, code: &str, token: &str) {
    world.sim.add_number(BusinessNumber::new(NUMBER, WABA));
    world.sim.offer_code(code, Grant::new(token).account(WABA));
}

pub fn request(code: &str, changes: Value) -> Value {
    let mut body = json!({ "code": code, "wabaId": WABA, "phoneNumberId": NUMBER, "businessId": "2729063490586005",
        "name": "Lucky Shrub" });
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            body.as_object_mut().unwrap().remove(name);
        } else {
            body[name] = value.clone();
        }
    }
    body
}

pub async fn sign_up(world: &World, body: &Value) -> (u16, Value) {
    world.api.post("/tenants/embedded-signup", MASTER_KEY, body).await
}

fn tenant(answer: &Value) -> Tenant {
    Tenant {
        id: answer["id"].as_str().unwrap().parse().unwrap(),
        name: answer["name"].as_str().unwrap().to_owned(),
        key: answer["apiKey"].as_str().unwrap().to_owned(),
        phone_number_id: NUMBER.to_owned(),
    }
}

#[tokio::test]
async fn a_dialog_becomes_a_tenant_that_sends_and_receives() {
    let world = builder().start().await;
    dialog(&world, "code-1", "EAA-business-token");
    let (status, answer) = sign_up(&world, &request("code-1", json!({}))).await;
    assert_eq!((status, &answer["name"]), (201, &"Lucky Shrub".into()), "{answer}");
    let channel = &answer["channels"][0];
    assert_eq!((&channel["phoneNumberId"], &channel["wabaId"]), (&NUMBER.into(), &WABA.into()), "{answer}");
    assert_eq!((&channel["displayPhoneNumber"], &channel["default"]), (&"+1 650-555-0000".into(), &true.into()));
    assert_eq!((&channel["token"]["valid"], &channel["token"]["appId"]), (&true.into(), &APP.into()), "{channel}");
    assert!(world.sim.is_subscribed(WABA, APP));
    let pin = answer["pin"].as_str().unwrap().to_owned();
    assert_eq!(world.sim.registrations(NUMBER), (1, Some(pin.clone())));

    let tenant = tenant(&answer);
    world.says(&tenant, CONTACT, "hello").await;
    world.api.send(&tenant, CONTACT, "by the API").await;
    world.idle().await;
    let accepted = world.sim.accepted();
    assert_eq!(accepted.len(), 2);
    assert!(accepted.iter().all(|sent| sent.token == "EAA-business-token" && sent.phone_number_id == NUMBER));

    // Once more the same: nothing is done, and who lost the answer has it again.
    let (status, again) = sign_up(&world, &request("code-1", json!({}))).await;
    assert_eq!((status, &again["id"]), (200, &answer["id"]), "{again}");
    assert_eq!((&again["apiKey"], &again["pin"]), (&answer["apiKey"], &answer["pin"]));
    for (call, times) in [("oauth", 1), ("subscribed_apps", 1), ("register", 1)] {
        assert_eq!(world.sim.calls(call), times, "{call}");
    }
    let counts = "select (select count(*) from tenants) * 100 + (select count(*) from channels) * 10
                       + (select count(*) from api_keys)";
    assert_eq!(world.db.count(counts).await, 111);

    // The secrets are sealed, and the code is nowhere.
    let all: String =
        sqlx::query_scalar("select string_agg(s::text, ' ') from signups s").fetch_one(&world.db.pool).await.unwrap();
    for secret in ["EAA-business-token", "code-1", &pin, APP_SECRET] {
        assert!(!all.contains(secret), "{secret}: {all}");
    }
    world.end().await;
}

#[tokio::test]
async fn each_step_that_fails_is_named_and_the_same_request_goes_on() {
    let world = builder().roles("api").start().await;
    dialog(&world, "code-1", "business-token");
    let body = request("code-1", json!({}));
    // In the order of the steps; after each failure the next attempt comes one step further.
    let failures = [
        ("oauth", Fault::ServerError(503), 503, "exchange_code"),
        ("debug_token", Fault::code(4), 503, "check_token"),
        ("phone_numbers", Fault::code(2), 503, "find_number"),
        ("subscribed_apps", Fault::code(200), 422, "subscribe_app"),
        ("register", Fault::code(133_016), 422, "register_number"),
    ];
    for (call, fault, expected, step) in failures {
        // The app's look at a token and the token's own are two.
        let times = if call == "debug_token" { 2 } else { 1 };
        world.sim.fail_call(call, fault, times);
        let (status, answer) = sign_up(&world, &body).await;
        assert_eq!((status, &answer["code"]), (expected, &"signup_failed".into()), "{call}: {answer}");
        assert_eq!(answer["details"]["step"], step, "{answer}");
        assert!(answer["message"].as_str().unwrap().starts_with(step), "{answer}");
        assert_eq!(world.db.count("select count(*) from tenants").await, 0, "{call}: a tenant before its time");
        world.sim.clear_faults();
    }
    let (status, answer) = sign_up(&world, &body).await;
    assert_eq!(status, 201, "{answer}");
    for (call, times) in [("oauth", 2), ("subscribed_apps", 2), ("register", 2)] {
        assert_eq!(world.sim.calls(call), times, "{call}: once in vain, once for good");
    }
    world.end().await;
}

#[tokio::test]
async fn an_answer_that_is_lost_costs_nothing_but_a_repeat() {
    let world = builder().roles("api").start().await;
    dialog(&world, "code-1", "business-token");
    let body = request("code-1", json!({}));
    for call in ["subscribed_apps", "register"] {
        // Meta does it, and nobody hears.
        world.sim.fail_call(call, Fault::ResetAfterBody, 1);
        let (status, answer) = sign_up(&world, &body).await;
        assert_eq!((status, &answer["code"]), (503, &"signup_failed".into()), "{call}: {answer}");
    }
    let (registrations, pin) = world.sim.registrations(NUMBER);
    assert_eq!(registrations, 1);
    let (status, answer) = sign_up(&world, &body).await;
    assert_eq!((status, answer["pin"].as_str()), (201, pin.as_deref()), "the PIN is the same: {answer}");
    assert_eq!(world.sim.registrations(NUMBER), (2, pin));
    assert_eq!(world.sim.calls("oauth"), 1, "the code was exchanged once");
    world.end().await;
}

#[tokio::test]
async fn what_the_dialog_does_not_prove_is_refused() {
    let world = builder().roles("api").start().await;
    world.sim.add_number(BusinessNumber::new(NUMBER, WABA));
    world.sim.add_number(BusinessNumber::new("106540352242955", "102290129340355"));
    world.sim.add_app("670843887433999", "another-secret");
    let offers = [
        ("of-other-account", Grant::new("t1").account("102290129340355")),
        ("without-messaging", Grant::new("t2").account(WABA).scopes(&["whatsapp_business_management"])),
        ("of-other-app", Grant::new("t3").account(WABA).of_app("670843887433999")),
        ("of-both-accounts", Grant::new("t4").account(WABA).account("102290129340355")),
    ];
    for (code, grant) in offers {
        world.sim.offer_code(code, grant);
    }
    let cases = [
        ("a code that is none", "never-given", json!({}), "exchange_code", "once"),
        ("a code of another app", "of-other-app", json!({}), "exchange_code", "another application"),
        ("another business's account", "of-other-account", json!({}), "check_token", WABA),
        ("no permission to send", "without-messaging", json!({}), "check_token", "whatsapp_business_messaging"),
        (
            "a number of another account",
            "of-both-accounts",
            json!({ "phoneNumberId": "106540352242955" }),
            "find_number",
            "106540352242955",
        ),
    ];
    for (label, code, changes, step, word) in cases {
        let (status, answer) = sign_up(&world, &request(code, changes)).await;
        assert_eq!((status, &answer["details"]["step"]), (422, &step.into()), "{label}: {answer}");
        assert!(answer["message"].as_str().unwrap().contains(word), "{label}: {answer}");
    }
    assert_eq!(world.db.count("select count(*) from tenants").await, 0);
    assert_eq!((world.sim.calls("subscribed_apps"), world.sim.calls("register")), (0, 0));

    // A code is good once: after a failure behind the exchange the same goes on, another number needs another dialog.
    let (status, answer) = sign_up(&world, &request("of-both-accounts", json!({}))).await;
    assert_eq!((status, &answer["details"]["step"]), (422, &"exchange_code".into()), "{answer}");
    assert!(answer["message"].as_str().unwrap().contains("has been used"), "{answer}");
    world.end().await;
}

#[tokio::test]
async fn a_number_with_a_pin_needs_it_and_a_number_in_coexistence_is_not_registered() {
    let world = builder().roles("api").start().await;
    world.sim.add_number(BusinessNumber::new(NUMBER, WABA).pin("314159"));
    world.sim.offer_code("code-1", Grant::new("t1").account(WABA));
    let (status, answer) = sign_up(&world, &request("code-1", json!({}))).await;
    assert_eq!((status, &answer["details"]["metaCode"]), (422, &133_005.into()), "{answer}");
    assert!(answer["message"].as_str().unwrap().contains("`pin`"), "{answer}");
    let (status, answer) = sign_up(&world, &request("code-1", json!({ "pin": "314159" }))).await;
    assert_eq!((status, &answer["pin"]), (201, &"314159".into()), "{answer}");

    const OTHER: &str = "106540352242944";
    world.sim.add_number(BusinessNumber::new(OTHER, WABA));
    world.sim.offer_code("code-2", Grant::new("t2").account(WABA));
    let body = request("code-2", json!({ "phoneNumberId": OTHER, "coexistence": true }));
    let (status, answer) = sign_up(&world, &body).await;
    assert_eq!((status, answer.get("pin")), (201, None), "{answer}");
    assert_eq!(answer["channels"][0]["messagesPerSecond"], 20.0);
    assert_eq!(world.sim.registrations(OTHER).0, 0);
    world.end().await;
}

#[tokio::test]
async fn a_tenant_gets_a_further_number_and_a_new_token_by_the_dialog() {
    let world = builder().start().await;
    let acme = world.api.register("Acme", "106540352242911", "token").await;
    dialog(&world, "code-1", "first-token");
    let further = |code: &str| request(code, json!({ "tenantId": acme.id, "name": null }));
    let (status, answer) = sign_up(&world, &further("code-1")).await;
    assert_eq!((status, &answer["id"]), (201, &acme.id.to_string().into()), "{answer}");
    assert_eq!((answer["channels"].as_array().unwrap().len(), answer.get("apiKey")), (2, None), "{answer}");

    // Its token is revoked; messages wait; the dialog once more gives a new one, and they go out.
    world.sim.revoke("first-token");
    let body = json!({ "to": CONTACT, "text": "hello", "from": NUMBER });
    world.api.post(&format!("/tenants/{}/send", acme.id), &acme.key, &body).await;
    world.waits().await;
    world.sim.offer_code("code-2", Grant::new("second-token").account(WABA));
    let (status, answer) = sign_up(&world, &further("code-2")).await;
    assert_eq!((status, &answer["channels"][1]["suspendedReason"]), (201, &Value::Null), "{answer}");
    world.idle().await;
    let accepted = world.sim.accepted();
    assert_eq!((accepted.len(), accepted[0].token.as_str()), (1, "second-token"));
    assert_eq!(world.db.count("select count(*) from channels").await, 2);

    // Nobody else gets the number by a dialog that names it.
    world.sim.offer_code("code-3", Grant::new("third-token").account(WABA));
    let other = world.api.register("Other", "106540352242933", "token").await;
    for changes in [json!({}), json!({ "tenantId": other.id, "name": null })] {
        let (status, answer) = sign_up(&world, &request("code-3", changes)).await;
        assert_eq!((status, &answer["code"]), (409, &"phone_number_taken".into()), "{answer}");
    }
    assert_eq!(world.sim.calls("oauth"), 2, "the code was not used up");
    world.end().await;
}

#[tokio::test]
async fn two_at_a_time_make_one_tenant() {
    let world = builder().roles("api").start().await;
    dialog(&world, "code-1", "business-token");
    let body = request("code-1", json!({}));
    let answers = tokio::join!(sign_up(&world, &body), sign_up(&world, &body), sign_up(&world, &body));
    let answers = [answers.0, answers.1, answers.2];
    assert!(answers.iter().any(|(status, _)| *status == 201), "{answers:?}");
    for (status, answer) in &answers {
        let waits = *status == 409 && answer["code"] == "signup_under_way";
        assert!([200, 201].contains(status) || waits, "{answers:?}");
    }
    assert_eq!(world.db.count("select count(*) from tenants").await, 1);
    assert_eq!((world.sim.calls("oauth"), world.sim.registrations(NUMBER).0), (1, 1));
    world.end().await;
}

#[tokio::test]
async fn a_signup_is_the_operators_and_its_fields_are_checked() {
    let world = builder().roles("api").start().await;
    let acme = world.api.register("Acme", "106540352242911", "token").await;
    let (status, _) = world.api.post("/tenants/embedded-signup", &acme.key, &request("code-1", json!({}))).await;
    assert_eq!(status, 401);
    for (field, changes) in [
        ("code", json!({ "code": "" })),
        ("code", json!({ "code": null })),
        ("wabaId", json!({ "wabaId": "mine" })),
        ("phoneNumberId", json!({ "phoneNumberId": "+1650" })),
        ("businessId", json!({ "businessId": "x" })),
        ("name", json!({ "name": " " })),
        ("name", json!({ "name": null })),
        ("name", json!({ "tenantId": acme.id })),
        ("pin", json!({ "pin": "12345" })),
    ] {
        let (status, answer) = sign_up(&world, &request("secret-code", changes.clone())).await;
        assert_eq!((status, &answer["details"]["field"]), (400, &field.into()), "{changes}: {answer}");
        assert!(!answer.to_string().contains("secret-code"), "{answer}");
    }
    let unknown = request("code-1", json!({ "tenantId": uuid::Uuid::nil(), "name": null }));
    assert_eq!(sign_up(&world, &unknown).await.0, 404);
    assert_eq!(world.sim.calls("oauth"), 0);
    world.end().await;

    let world = World::builder().roles("api").start().await;
    let (status, answer) = sign_up(&world, &request("code-1", json!({}))).await;
    assert_eq!((status, &answer["code"]), (409, &"not_configured".into()), "{answer}");
    assert!(answer["message"].as_str().unwrap().contains("APP_ID"), "{answer}");
    world.end().await;
}
