//! Messenger and Instagram beside WhatsApp: a message in, the flow's answer out by the same channel, and its progress,
//! which Meta tells by moments and echoes.

use hoopoe_testing::{MASTER_KEY, PATIENCE, Tenant, World, eventually};
use meta_sim::{Direct, Fault, Platform};
use serde_json::{Value, json};

const NUMBER: &str = "106540352242922";
const PAGE: &str = "100841475479486";
const ACCOUNT: &str = "17841405822304914";
const PERSON: &str = "6543219876123456";
const ANSWER: &str = "thanks for reaching us\n- team Acme";

async fn start() -> (World, Tenant) {
    with(World::start().await).await
}

/// A tenant with a number, a page and an Instagram account.
async fn with(world: World) -> (World, Tenant) {
    let tenant = world.api.register("Acme", NUMBER, "EAAnumber").await;
    let path = format!("/tenants/{}/channels", tenant.id);
    let page = json!({ "pageId": PAGE, "accessToken": "EAApage" });
    let account = json!({ "instagramId": ACCOUNT, "pageId": PAGE, "accessToken": "EAApage" });
    for (kind, body) in [("messenger", page), ("instagram", account)] {
        let (status, answer) = world.api.post(&format!("{path}/{kind}"), MASTER_KEY, &body).await;
        assert_eq!((status, &answer["kind"]), (201, &kind.into()), "{answer}");
        assert_eq!(answer["default"], false, "the number is older: {answer}");
    }
    (world, tenant)
}

fn home(platform: Platform) -> &'static str {
    match platform {
        Platform::Messenger => PAGE,
        Platform::Instagram => ACCOUNT,
    }
}

async fn says(world: &World, platform: Platform, person: &str, text: &str) -> Direct {
    let event = Direct::text(platform, home(platform), person, text);
    let delivery = world.sim.receive_direct(std::slice::from_ref(&event)).await;
    assert!(delivery.is_acknowledged(), "{delivery:?}");
    event
}

async fn happens(world: &World, platform: Platform, event: Value) -> Value {
    let event = Direct::new(platform, home(platform), PERSON, event);
    let delivery = world.sim.receive_direct(&[event]).await;
    assert!(delivery.is_acknowledged(), "{delivery:?}");
    serde_json::from_str(&delivery.body).unwrap()
}

async fn outbound(world: &World, tenant: &Tenant) -> Vec<Value> {
    world.api.messages(tenant).await.into_iter().filter(|message| message["direction"] == "OUT").collect()
}

/// The words of the timeline, without our own record of the acceptance, which races with the echo.
async fn steps(world: &World, tenant: &Tenant, message: &Value) -> Vec<String> {
    let whole = world.api.message(tenant, message["id"].as_str().unwrap().parse().unwrap()).await;
    let steps = whole["timeline"].as_array().unwrap().iter().map(|step| step["status"].as_str().unwrap().to_owned());
    steps.filter(|step| step != "accepted").collect()
}

#[tokio::test]
async fn a_message_is_answered_and_the_answer_is_followed_until_it_is_read() {
    for (platform, expected) in [
        (Platform::Messenger, ["sent", "delivered", "read"].as_slice()),
        // Instagram does not tell of deliveries.
        (Platform::Instagram, ["sent", "read"].as_slice()),
    ] {
        let (world, tenant) = start().await;
        let said = says(&world, platform, PERSON, "hello").await;
        world.idle().await;

        let accepted = world.sim.accepted();
        let [reply] = accepted.as_slice() else { panic!("{platform:?} {accepted:?}") };
        assert_eq!((reply.to.as_str(), reply.text.as_deref()), (PERSON, Some(ANSWER)));
        assert_eq!((reply.phone_number_id.as_str(), reply.token.as_str()), (PAGE, "EAApage"), "{platform:?}");
        assert_eq!(reply.body["messaging_type"], "RESPONSE");

        let messages = world.api.messages(&tenant).await;
        let [inbound, outbound] = messages.as_slice() else { panic!("{platform:?} {messages:?}") };
        assert_eq!((&inbound["body"], &inbound["contact"]), (&"hello".into(), &PERSON.into()));
        assert_eq!(inbound["waMessageId"].as_str(), said.id());
        assert_eq!(inbound["phoneNumberId"], home(platform));
        assert_eq!(
            (&outbound["status"], &outbound["attempts"]),
            (&"read".into(), &1.into()),
            "{platform:?} {outbound}"
        );
        assert_eq!(outbound["waMessageId"], reply.wamid.as_str());
        assert_eq!(reply.callback_data.as_deref(), outbound["id"].as_str());
        assert_eq!(steps(&world, &tenant, outbound).await, expected, "{platform:?}");
        let waiting: i64 = sqlx::query_scalar("select count(*) from unread").fetch_one(&world.db.pool).await.unwrap();
        assert_eq!(waiting, 0, "what is read is not waited for");
        world.end().await;
    }
}

#[tokio::test]
async fn a_flow_that_wants_statuses_gets_one_for_each_step_of_each_message() {
    for (platform, expected) in [
        (Platform::Messenger, ["delivered", "read", "sent"].as_slice()),
        (Platform::Instagram, ["read", "sent"].as_slice()),
    ] {
        let (world, tenant) = start().await;
        world.set_flow(&tenant, "auto-reply", &["message", "status"]).await;
        says(&world, platform, PERSON, "hello").await;
        world.idle().await;
        let ours = outbound(&world, &tenant).await[0]["id"].as_str().unwrap().to_owned();
        let events: Vec<(String, bool)> = sqlx::query_as(
            "select raw->>'status', contact_id is not null and exists (select from flow_runs r
                 where r.tenant_id = e.tenant_id and r.event_id = e.id)
             from events e where kind = 'status' and raw->>'biz_opaque_callback_data' = $1 order by 1",
        )
        .bind(&ours)
        .fetch_all(&world.db.pool)
        .await
        .unwrap();
        let expected: Vec<(String, bool)> = expected.iter().map(|step| ((*step).to_owned(), true)).collect();
        assert_eq!(events, expected, "{platform:?}");
        world.end().await;
    }
}

#[tokio::test]
async fn channels_of_one_tenant_are_mixed_and_each_answers_its_own_people() {
    let (world, tenant) = start().await;
    says(&world, Platform::Messenger, PERSON, "by page").await;
    says(&world, Platform::Instagram, "17841400000", "by account").await;
    world.says(&tenant, "16505551234", "by number").await;
    world.idle().await;

    let mut heard: Vec<_> = world.sim.accepted().into_iter().map(|reply| (reply.to, reply.token)).collect();
    heard.sort();
    let expected = [("16505551234", "EAAnumber"), ("17841400000", "EAApage"), (PERSON, "EAApage")];
    assert_eq!(heard, expected.map(|(to, token)| (to.to_owned(), token.to_owned())));
    for message in outbound(&world, &tenant).await {
        assert_eq!(message["status"], "read", "{message}");
    }
    world.end().await;
}

#[tokio::test]
async fn one_id_on_two_pages_is_two_people_and_each_item_finds_its_own_tenant() {
    let (world, tenant) = start().await;
    let other = world.api.register("Other", "106540352242923", "EAAother").await;
    let body = json!({ "pageId": "200841475479486", "accessToken": "EAAother" });
    let (status, _) = world.api.post(&format!("/tenants/{}/channels/messenger", other.id), MASTER_KEY, &body).await;
    assert_eq!(status, 201);
    let path = format!("/tenants/{}/channels/messenger", tenant.id);
    let second = json!({ "pageId": "300841475479486", "accessToken": "EAAthird" });
    assert_eq!(world.api.post(&path, MASTER_KEY, &second).await.0, 201);

    let pages = [PAGE, "200841475479486", "300841475479486", "999999999999999"];
    let events = pages.map(|page| Direct::text(Platform::Messenger, page, PERSON, &format!("to {page}")));
    let delivery = world.sim.receive_direct(&events).await;
    let receipt: Value = serde_json::from_str(&delivery.body).unwrap();
    assert_eq!((&receipt["new"], &receipt["unrouted"]), (&3.into(), &1.into()), "{receipt}");
    world.idle().await;

    let inbound = |messages: Vec<Value>| -> Vec<String> {
        let mut said: Vec<String> = messages
            .iter()
            .filter(|message| message["direction"] == "IN")
            .map(|message| message["body"].as_str().unwrap().to_owned())
            .collect();
        said.sort();
        said
    };
    assert_eq!(inbound(world.api.messages(&tenant).await), [format!("to {PAGE}"), "to 300841475479486".to_owned()]);
    assert_eq!(inbound(world.api.messages(&other).await), ["to 200841475479486"]);
    let people: i64 = sqlx::query_scalar("select count(*) from contacts where tenant_id = $1")
        .bind(tenant.id)
        .fetch_one(&world.db.pool)
        .await
        .unwrap();
    assert_eq!(people, 2);
    let mut answered: Vec<_> =
        world.sim.accepted().into_iter().map(|reply| (reply.phone_number_id, reply.token)).collect();
    answered.sort();
    let expected = [(PAGE, "EAApage"), ("200841475479486", "EAAother"), ("300841475479486", "EAAthird")];
    assert_eq!(answered, expected.map(|(page, token)| (page.to_owned(), token.to_owned())));
    world.end().await;
}

#[tokio::test]
async fn an_echo_settles_a_send_whose_answer_was_lost() {
    for (platform, echo_metadata) in
        [(Platform::Messenger, true), (Platform::Instagram, true), (Platform::Instagram, false)]
    {
        let world = World::builder().sim(|sim| sim.echo_metadata = echo_metadata).start().await;
        let (world, tenant) = with(world).await;
        world.sim.fail_next(Fault::ResetAfterBody, 1);
        says(&world, platform, PERSON, "hello").await;
        world.sim.wait_for_statuses(1, PATIENCE).await.unwrap();
        world.idle().await;

        let label = format!("{platform:?} {echo_metadata}");
        assert_eq!((world.sim.requests(), world.sim.accepted_count()), (1, 1), "{label}: sent once");
        let out = outbound(&world, &tenant).await;
        let [reply] = out.as_slice() else { panic!("{label} {out:?}") };
        assert_eq!(reply["status"], "read", "{label} {reply}");
        world.end().await;
    }
}

#[tokio::test]
async fn a_send_that_was_lost_is_made_again_when_no_echo_comes() {
    let (world, tenant) = start().await;
    world.sim.fail_next(Fault::ResetAfterBodyLost, 1);
    says(&world, Platform::Messenger, PERSON, "hello").await;
    world.advance_past_waits().await;
    world.idle().await;

    assert_eq!((world.sim.requests(), world.sim.accepted_count()), (2, 1));
    assert_eq!(outbound(&world, &tenant).await[0]["status"], "read");
    world.end().await;
}

#[tokio::test]
async fn what_people_write_in_metas_inbox_is_kept_and_runs_no_flow() {
    let (world, tenant) = start().await;
    says(&world, Platform::Messenger, PERSON, "hello").await;
    world.idle().await;
    let echo = json!({ "object": "page", "entry": [{ "id": PAGE, "time": 1, "messaging": [{
        "sender": { "id": PAGE }, "recipient": { "id": PERSON }, "timestamp": 1_767_225_600_000_u64,
        "message": { "mid": "m_inbox", "is_echo": true, "app_id": 1, "text": "Sam here" } }] }] });
    for (new, repeated) in [(1, 0), (0, 1)] {
        let delivery = world.sim.post_signed(echo.to_string().into_bytes()).await;
        let receipt: Value = serde_json::from_str(&delivery.body).unwrap();
        assert_eq!(receipt, json!({ "ok": true, "new": new, "repeated": repeated, "unrouted": 0 }));
    }
    world.idle().await;
    let out = outbound(&world, &tenant).await;
    let [_, inbox] = out.as_slice() else { panic!("{out:?}") };
    assert_eq!((&inbox["body"], &inbox["status"]), (&"Sam here".into(), &"sent".into()));
    assert_eq!(inbox["waMessageId"], "m_inbox");
    assert_eq!(world.sim.accepted_count(), 1, "nobody answers it");

    happens(&world, Platform::Messenger, json!({ "read": { "watermark": 1_767_225_600_001_u64 } })).await;
    assert_eq!(outbound(&world, &tenant).await[1]["status"], "read");
    world.end().await;
}

#[tokio::test]
async fn moments_move_what_was_sent_before_them_and_only_up() {
    let world = World::builder().sim(|sim| sim.statuses = vec!["sent".to_owned()]).start().await;
    let (world, tenant) = with(world).await;
    says(&world, Platform::Messenger, PERSON, "one").await;
    says(&world, Platform::Messenger, PERSON, "two").await;
    world.idle().await;
    let statuses = async || {
        let messages = outbound(&world, &tenant).await;
        messages.into_iter().map(|message| message["status"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let now = world.now().timestamp_millis();
    assert_eq!(statuses().await, ["sent", "sent"]);
    happens(&world, Platform::Messenger, json!({ "read": { "watermark": now - 1 } })).await;
    assert_eq!(statuses().await, ["sent", "sent"], "before they were sent");
    happens(&world, Platform::Messenger, json!({ "delivery": { "watermark": now + 1 } })).await;
    assert_eq!(statuses().await, ["delivered", "delivered"]);
    happens(&world, Platform::Messenger, json!({ "read": { "watermark": now + 2 } })).await;
    assert_eq!(statuses().await, ["read", "read"]);
    happens(&world, Platform::Messenger, json!({ "delivery": { "watermark": now + 3 } })).await;
    assert_eq!(statuses().await, ["read", "read"], "never down");
    world.end().await;
}

#[tokio::test]
async fn what_a_person_does_besides_writing_reaches_the_flow_and_repeats_change_nothing() {
    let (world, tenant) = start().await;
    let events = [
        json!({ "postback": { "mid": "m_tap", "title": "Get started", "payload": "START" } }),
        json!({ "message": { "mid": "m_quick", "text": "Red", "quick_reply": { "payload": "RED" } } }),
        json!({ "message": { "mid": "m_picture", "attachments": [
            { "type": "image", "payload": { "url": "https://x.example/i.jpg" } }] } }),
        json!({ "reaction": { "mid": "m_tap", "action": "react", "reaction": "love", "emoji": "❤" } }),
    ];
    for event in &events {
        let event = Direct::new(Platform::Messenger, PAGE, PERSON, event.clone());
        for new in [1, 0] {
            let delivery = world.sim.receive_direct(std::slice::from_ref(&event)).await;
            let receipt: Value = serde_json::from_str(&delivery.body).unwrap();
            assert_eq!(receipt["new"], new, "{receipt}");
        }
    }
    world.idle().await;
    let messages = world.api.messages(&tenant).await;
    let inbound = messages.iter().filter(|message| message["direction"] == "IN");
    let seen: Vec<_> = inbound.map(|message| (message["type"].clone(), message["body"].clone())).collect();
    let text = |text: &str| Value::from(text);
    assert_eq!(
        seen,
        [
            (text("interactive"), text("Get started")),
            (text("interactive"), text("Red")),
            (text("image"), Value::Null),
            (text("reaction"), text("❤")),
        ]
    );
    world.end().await;
}

#[tokio::test]
async fn the_send_api_chooses_the_channel_by_from() {
    let (world, tenant) = start().await;
    says(&world, Platform::Messenger, PERSON, "hello").await;
    world.idle().await;
    let path = format!("/tenants/{}/send", tenant.id);
    let sends = [
        json!({ "to": PERSON, "from": PAGE, "text": "your order is on its way" }),
        json!({ "to": PERSON, "from": PAGE, "image": { "link": "https://example.com/i.jpg" } }),
        json!({ "to": PERSON, "from": PAGE, "interactive": { "type": "button", "body": { "text": "Today?" },
            "action": { "buttons": [{ "type": "reply", "reply": { "id": "y", "title": "Yes" } }] } } }),
        json!({ "to": PERSON, "from": PAGE, "read": { "message_id": "m_1", "typing": true } }),
        json!({ "to": PERSON, "from": PAGE, "payload": { "message": { "text": "later" }, "tag": "HUMAN_AGENT" } }),
    ];
    for send in &sends {
        let (status, answer) = world.api.post(&path, &tenant.key, send).await;
        assert_eq!((status, &answer["to"]), (202, &PERSON.into()), "{send} {answer}");
    }
    world.idle().await;
    let posted: Vec<Value> = world.sim.accepted().into_iter().skip(1).map(|sent| sent.body).collect();
    assert_eq!(posted.len(), 4, "{posted:?}");
    assert_eq!(posted[0]["messaging_type"], "UPDATE");
    assert_eq!(posted[1]["message"]["attachment"]["payload"]["url"], "https://example.com/i.jpg");
    assert_eq!(posted[2]["message"]["quick_replies"][0]["payload"], "y");
    assert_eq!((&posted[3]["messaging_type"], &posted[3]["tag"]), (&"MESSAGE_TAG".into(), &"HUMAN_AGENT".into()));
    let actions: Vec<_> = world.sim.marked_read().into_iter().map(|action| action.message_id).collect();
    assert_eq!(actions, ["mark_seen", "typing_on"]);

    let refusals = [
        (json!({ "to": PERSON, "from": PAGE, "sticker": { "id": "1" } }), "sticker"),
        (json!({ "to": PERSON, "from": PAGE, "text": "a".repeat(2001) }), "text.body"),
        (json!({ "to": PERSON, "from": ACCOUNT, "text": "é".repeat(501) }), "text.body"),
        (json!({ "to": "+16505551234 ", "from": PAGE, "text": "hello" }), "to"),
        (json!({ "to": "+16505551234", "payload": { "message": { "text": "hello" } } }), "payload"),
        (json!({ "to": PERSON, "from": PAGE, "text": "sale", "marketing": true }), "marketing"),
        (json!({ "to": PERSON, "from": ACCOUNT, "text": "sale", "marketing": true }), "marketing"),
    ];
    for (send, field) in refusals {
        let (status, answer) = world.api.post(&path, &tenant.key, &send).await;
        assert_eq!((status, &answer["details"]["field"]), (400, &field.into()), "{send} {answer}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_refusal_of_meta_is_judged_by_its_subcode() {
    let outside = |title: &str| Fault::Subcode { http_status: 400, code: 10, subcode: 2_018_278, title: title.into() };
    let (world, tenant) = start().await;
    says(&world, Platform::Messenger, PERSON, "hello").await;
    world.idle().await;
    world.sim.fail_next(outside("This message is sent outside of allowed window."), 1);
    let path = format!("/tenants/{}/send", tenant.id);
    let send = json!({ "to": PERSON, "from": PAGE, "text": "too late" });
    let (_, answer) = world.api.post(&path, &tenant.key, &send).await;
    let id = answer["id"].as_str().unwrap().parse().unwrap();
    eventually("it is given up", async || world.api.message(&tenant, id).await["status"] == "failed").await;
    let message = world.api.message(&tenant, id).await;
    assert_eq!((&message["error"]["class"], &message["error"]["subcode"]), (&"permanent".into(), &2_018_278.into()));

    // The page itself works on.
    let (_, answer) = world.api.post(&path, &tenant.key, &json!({ "to": PERSON, "from": PAGE, "text": "again" })).await;
    world.idle().await;
    let id = answer["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(world.api.message(&tenant, id).await["status"], "read");
    world.end().await;
}

#[tokio::test]
async fn a_page_belongs_to_one_tenant_and_only_the_operator_says_whose() {
    let (world, tenant) = start().await;
    let other = world.api.register("Other", "106540352242923", "EAAother").await;
    let path = format!("/tenants/{}/channels/messenger", other.id);
    let page = json!({ "pageId": PAGE, "accessToken": "EAAmine" });
    let (status, answer) = world.api.post(&path, MASTER_KEY, &page).await;
    assert_eq!((status, &answer["code"]), (409, &"channel_taken".into()), "{answer}");
    let (status, _) =
        world.api.post(&path, &other.key, &json!({ "pageId": "300841475479486", "accessToken": "t" })).await;
    assert_eq!(status, 401);
    let (status, answer) = world.api.post(&path, MASTER_KEY, &json!({ "pageId": "page", "accessToken": "t" })).await;
    assert_eq!((status, &answer["details"]["field"]), (400, &"pageId".into()), "{answer}");
    let (_, answer) = world.api.get(&format!("/tenants/{}", tenant.id), &tenant.key).await;
    let kinds: Vec<_> = answer["channels"].as_array().unwrap().iter().map(|channel| channel["kind"].clone()).collect();
    assert_eq!(kinds, ["whatsapp", "messenger", "instagram"]);
    world.end().await;
}
