//! The way of one message: a signed webhook in, the flow's answer out, its statuses back.

use hoopoe_testing::World;
use meta_sim::Inbound;

const CONTACT: &str = "16505551234";
const ANSWER: &str = "thanks for reaching us\n- team Acme & Söhne";

#[tokio::test]
async fn a_message_is_answered_and_the_answer_is_followed_until_it_is_read() {
    let world = World::start().await;
    let tenant = world.api.register("Acme & Söhne", "106540352242922", "EAAtoken").await;
    let inbound_id = world.says(&tenant, CONTACT, "hello").await;
    world.idle().await;

    let accepted = world.sim.accepted();
    let [reply] = accepted.as_slice() else { panic!("{accepted:?}") };
    assert_eq!(reply.text.as_deref(), Some(ANSWER));
    assert_eq!((reply.to.as_str(), reply.phone_number_id.as_str()), (CONTACT, "106540352242922"));
    assert_eq!(reply.token, "EAAtoken");

    let messages = world.api.messages(&tenant).await;
    let [inbound, outbound] = messages.as_slice() else { panic!("{messages:?}") };
    assert_eq!((&inbound["direction"], &inbound["status"]), (&"IN".into(), &"received".into()));
    assert_eq!((&inbound["body"], &inbound["contact"]), (&"hello".into(), &CONTACT.into()));
    assert_eq!(inbound["waMessageId"], inbound_id.as_str());
    assert_eq!((&outbound["direction"], &outbound["status"]), (&"OUT".into(), &"read".into()));
    assert_eq!(outbound["idempotency_key"], format!("auto-reply:{inbound_id}"));
    assert_eq!((&outbound["waMessageId"], &outbound["attempts"]), (&reply.wamid.as_str().into(), &1.into()));
    assert_eq!(outbound["error"], serde_json::Value::Null);
    assert_eq!(reply.callback_data.as_deref(), outbound["id"].as_str());

    let outbound = world.api.message(&tenant, outbound["id"].as_str().unwrap().parse().unwrap()).await;
    let steps: Vec<_> = outbound["timeline"].as_array().unwrap().iter().map(|step| &step["status"]).collect();
    // Our own record of the acceptance and Meta's first status race each other.
    let of_meta: Vec<_> = steps.iter().filter(|step| **step != "accepted").collect();
    assert_eq!(of_meta, [&"sent", &"delivered", &"read"]);
    assert_eq!(steps.len(), 4, "{steps:?}");
    world.end().await;
}

#[tokio::test]
async fn all_webhook_addresses_answer() {
    let world = World::start().await;
    let tenant = world.api.register("Acme & Söhne", "106540352242922", "token").await;
    let paths = ["/whatsapp/webhook", "/webhook", "/api/whatsapp/webhook", "/api/webhook"];
    for (number, path) in paths.into_iter().enumerate() {
        world.sim.set_webhook(&format!("{}{path}", world.api.base));
        world.says(&tenant, &format!("1650555000{number}"), "hello").await;
    }
    world.idle().await;
    for (number, path) in paths.into_iter().enumerate() {
        assert_eq!(world.sim.times(&format!("1650555000{number}"), ANSWER), 1, "{path}");
    }
    world.end().await;
}

#[tokio::test]
async fn somebody_who_shows_no_number_is_answered_by_user_id() {
    let world = World::start().await;
    let tenant = world.api.register("Acme & Söhne", "106540352242922", "token").await;
    let user = "US.13491208655302741918";
    let message = Inbound::text(&tenant.phone_number_id, CONTACT, "hello").username_only(user, "ada");
    assert!(world.sim.receive(message).await.is_acknowledged());
    world.idle().await;

    let accepted = world.sim.accepted();
    let [reply] = accepted.as_slice() else { panic!("{accepted:?}") };
    assert_eq!((reply.to.as_str(), reply.text.as_deref()), (user, Some(ANSWER)));
    assert_eq!((&reply.body["recipient"], reply.body.get("to")), (&user.into(), None));
    world.end().await;
}

#[tokio::test]
async fn a_mock_token_never_reaches_meta() {
    let world = World::start().await;
    let tenant = world.api.register("Acme & Söhne", "106540352242922", "mock_token_tenant_A").await;
    world.says(&tenant, CONTACT, "hello").await;
    let sent = world.api.send(&tenant, CONTACT, "and this").await;
    world.idle().await;

    assert_eq!(world.sim.requests(), 0);
    let messages = world.api.messages(&tenant).await;
    let out: Vec<_> = messages.iter().filter(|message| message["direction"] == "OUT").collect();
    assert_eq!(out.len(), 2);
    for message in out {
        assert_eq!((&message["status"], &message["attempts"]), (&"sent".into(), &1.into()), "{message}");
        let id = message["id"].as_str().unwrap();
        assert_eq!(message["waMessageId"], format!("wamid.mock.{id}"));
    }
    assert_eq!(world.api.message(&tenant, sent).await["body"], "and this");
    world.end().await;
}

#[tokio::test]
async fn a_message_of_the_send_api_survives_a_restart_of_the_runtime() {
    let mut world = World::builder().roles("api").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let id = world.api.send(&tenant, CONTACT, "your order is on its way").await;
    assert_eq!(world.api.message(&tenant, id).await["status"], "queued");
    world.set_roles("api,delivery");
    world.restart().await;
    world.idle().await;
    assert_eq!(world.sim.times(CONTACT, "your order is on its way"), 1);
    assert_eq!(world.api.message(&tenant, id).await["status"], "read");
    world.end().await;
}
