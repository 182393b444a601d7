//! What may be sent to whom: Meta's 24-hour window, opt-out of marketing, and people whose ids change. And what Meta tells
//! of a channel.

#![allow(missing_docs, clippy::unwrap_used)]

use chrono::TimeDelta;
use hoopoe_store::consent::{START_ANSWER, STOP_ANSWER};
use hoopoe_testing::{MASTER_KEY, Tenant, World, eventually};
use meta_sim::{Inbound, InboundKind};
use serde_json::{Value, json};

const CONTACT: &str = "16505551234";
const ACCOUNT: &str = "102290129340398";

async fn start() -> (World, Tenant) {
    let world = World::builder().plugin("test-guest").start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    world.set_flow(&tenant, "test-guest", &["message", "timer"]).await;
    (world, tenant)
}

fn path(tenant: &Tenant, rest: &str) -> String {
    format!("/tenants/{}/{rest}", tenant.id)
}

async fn send(world: &World, tenant: &Tenant, body: Value) -> (u16, Value) {
    world.api.post(&path(tenant, "send"), &tenant.key, &body).await
}

async fn set(world: &World, tenant: &Tenant, settings: Value) -> (u16, Value) {
    world.api.put(&path(tenant, "conversation-settings"), &tenant.key, &settings).await
}

fn text() -> Value {
    json!({ "to": CONTACT, "text": "hello" })
}

fn template(marketing: bool) -> Value {
    json!({ "to": CONTACT, "template": { "name": "offer", "language": { "code": "en" } }, "marketing": marketing })
}

#[tokio::test]
async fn outside_of_the_window_free_form_messages_are_refused_passed_or_replaced() {
    let (world, tenant) = start().await;
    assert_eq!(send(&world, &tenant, text()).await.0, 202, "nobody knows whether there is a window");
    world.says(&tenant, CONTACT, "echo hi").await;
    world.idle().await;
    let (_, found) = world.api.get(&path(&tenant, "conversations"), &tenant.key).await;
    let seen: chrono::DateTime<chrono::Utc> =
        found["conversations"][0]["windowUntil"].as_str().unwrap().parse().unwrap();
    assert_eq!(seen, world.now() + TimeDelta::hours(24));

    world.advance(TimeDelta::hours(23));
    assert_eq!(send(&world, &tenant, text()).await.0, 202);
    world.idle().await;
    world.advance(TimeDelta::hours(2));
    let (status, refused) = send(&world, &tenant, text()).await;
    assert_eq!((status, refused["code"].as_str()), (409, Some("outside_window")), "{refused}");
    assert!(refused["message"].as_str().unwrap().contains("template"), "{refused}");
    assert!(refused["details"]["lastInboundAt"].is_string(), "{refused}");
    assert_eq!(send(&world, &tenant, template(false)).await.0, 202, "templates at any time");
    let later = json!({ "to": CONTACT, "text": "later", "send_at": (world.now() + TimeDelta::days(1)).timestamp() });
    assert_eq!(send(&world, &tenant, later).await.0, 202, "nobody knows what the window will be");
    let batch = json!({ "messages": [text(), template(false), { "to": "16505550000", "text": "unknown" }] });
    let (status, results) = world.api.post(&path(&tenant, "send/batch"), &tenant.key, &batch).await;
    let statuses: Vec<_> = results["results"].as_array().unwrap().iter().map(|one| one["status"].clone()).collect();
    assert_eq!((status, statuses), (200, vec![json!(409), json!(202), json!(202)]), "{results}");

    let (status, shown) = set(&world, &tenant, json!({ "outsideWindow": { "policy": "pass" } })).await;
    assert_eq!((status, shown["outsideWindow"]["policy"].as_str()), (200, Some("pass")), "{shown}");
    assert_eq!(send(&world, &tenant, text()).await.0, 202);

    let reopen = json!({ "name": "we_have_an_answer", "language": { "code": "en" } });
    let chosen = json!({ "outsideWindow": { "policy": "template", "template": reopen } });
    assert_eq!(set(&world, &tenant, chosen).await.0, 200);
    let keyed = json!({ "to": CONTACT, "text": "hello", "idempotency_key": "k1" });
    let (status, replaced) = send(&world, &tenant, keyed.clone()).await;
    assert_eq!((status, replaced["type"].as_str()), (202, Some("template")), "{replaced}");
    assert_eq!(replaced["replaced"], "outside_window");
    let (status, again) = send(&world, &tenant, keyed).await;
    assert_eq!((status, again["code"].as_str()), (409, Some("idempotency_key_used")), "{again}");
    world.idle().await;
    let sent = world.sim.accepted();
    assert!(sent.iter().any(|one| one.body["template"]["name"] == "we_have_an_answer"), "{sent:?}");

    world.says(&tenant, CONTACT, "echo back").await;
    let (status, open) = send(&world, &tenant, text()).await;
    assert_eq!((status, open["type"].as_str()), (202, Some("text")), "the window is open again: {open}");
    world.end().await;
}

#[tokio::test]
async fn what_a_flow_sends_outside_of_the_window_is_a_dead_letter_or_replaced() {
    let (world, tenant) = start().await;
    world.says(&tenant, CONTACT, "timer late 90000000 still there?").await;
    world.idle().await;
    world.advance(TimeDelta::hours(25));
    eventually("the timer's answer is a dead letter", async || {
        let (_, dead) = world.api.get(&path(&tenant, "dead-letters"), &tenant.key).await;
        dead["messages"].as_array().is_some_and(|dead| dead.len() == 1 && dead[0]["error"]["class"] == "outside_window")
    })
    .await;
    assert_eq!(world.heard(CONTACT), [""; 0]);

    let reopen = json!({ "name": "we_have_an_answer", "language": { "code": "en" } });
    let chosen = json!({ "outsideWindow": { "policy": "template", "template": reopen } });
    assert_eq!(set(&world, &tenant, chosen).await.0, 200);
    world.says(&tenant, CONTACT, "timer later 90000000 still there?").await;
    world.idle().await;
    world.advance(TimeDelta::hours(25));
    world.sim.wait_for_accepted(1, hoopoe_testing::PATIENCE).await.unwrap();
    assert_eq!(world.sim.accepted()[0].body["template"]["name"], "we_have_an_answer");
    world.end().await;
}

#[tokio::test]
async fn settings_say_what_is_wrong_with_them() {
    let (world, tenant) = start().await;
    let template = json!({ "name": "a", "language": { "code": "en" } });
    for (settings, field) in [
        (json!({ "outsideWindow": { "policy": "maybe" } }), "outsideWindow.policy"),
        (json!({ "outsideWindow": { "policy": "template" } }), "outsideWindow.template"),
        (json!({ "outsideWindow": { "policy": "pass", "template": template } }), "outsideWindow.template"),
        (
            json!({ "outsideWindow": { "policy": "template", "template": { "name": "", "language": { "code": "en" } } } }),
            "outsideWindow.template.name",
        ),
        (json!({ "optOut": { "stopWords": ["ok", "..."] } }), "optOut.stopWords[1]"),
        (json!({ "optOut": { "stopWords": ["x".repeat(41)] } }), "optOut.stopWords[0]"),
        (json!({ "optOut": { "stopWords": ["a"], "startWords": ["A!"] } }), "optOut.startWords"),
        (json!({ "optOut": { "stopAnswer": "x".repeat(4097) } }), "optOut.stopAnswer"),
        (json!({ "debounceSeconds": 61 }), "debounceSeconds"),
    ] {
        let (status, refused) = set(&world, &tenant, settings).await;
        assert_eq!((status, refused["details"]["field"].as_str()), (400, Some(field)), "{refused}");
    }
    let other = world.api.register("Other", "106540352242923", "token").await;
    let (status, _) = world.api.get(&path(&tenant, "conversation-settings"), &other.key).await;
    assert_eq!(status, 404, "another tenant's");
    let (_, shown) = world.api.get(&path(&tenant, "conversation-settings"), MASTER_KEY).await;
    let expected = json!({
        "outsideWindow": { "policy": "refuse", "template": null },
        "optOut": { "stopWords": null, "startWords": null, "stopAnswer": STOP_ANSWER, "startAnswer": START_ANSWER },
        "debounceSeconds": 0,
    });
    assert_eq!(shown, expected);
    world.end().await;
}

async fn changes(world: &World, tenant: &Tenant) -> Vec<(String, String, Option<String>)> {
    let (status, found) = world.api.get(&path(tenant, "consent"), &tenant.key).await;
    assert_eq!(status, 200, "{found}");
    let word = |change: &Value, name: &str| change[name].as_str().map(str::to_owned);
    let all = found["changes"].as_array().unwrap().iter();
    all.map(|it| (word(it, "change").unwrap(), word(it, "source").unwrap(), word(it, "detail"))).collect()
}

#[tokio::test]
async fn who_says_stop_is_answered_once_and_gets_no_marketing_until_it_says_start() {
    let (world, tenant) = start().await;
    let scheduled = json!({
        "to": CONTACT, "template": { "name": "sale", "language": { "code": "en" } }, "marketing": true,
        "send_at": (world.now() + TimeDelta::hours(1)).timestamp(),
    });
    let (status, scheduled) = send(&world, &tenant, scheduled).await;
    assert_eq!(status, 202, "{scheduled}");
    for word in ["STOP", "Arrêt!"] {
        world.says(&tenant, CONTACT, word).await;
        world.idle().await;
        world.advance(TimeDelta::seconds(5));
    }
    assert_eq!(world.heard(CONTACT), [STOP_ANSWER], "once, and the flow has not seen it");
    let (status, refused) = send(&world, &tenant, template(true)).await;
    assert_eq!((status, refused["code"].as_str()), (409, Some("opted_out")), "{refused}");
    assert_eq!(send(&world, &tenant, template(false)).await.0, 202, "what is no marketing goes out");
    assert_eq!(send(&world, &tenant, text()).await.0, 202);
    world.idle().await;
    world.advance(TimeDelta::hours(1));
    let id = scheduled["id"].as_str().unwrap().parse().unwrap();
    eventually("the scheduled one is given up", async || {
        world.api.message(&tenant, id).await["error"]["class"] == "opted_out"
    })
    .await;
    let (_, found) = world.api.get(&path(&tenant, "conversations"), &tenant.key).await;
    assert_eq!(found["conversations"][0]["optedOut"], true);

    world.says(&tenant, CONTACT, "start").await;
    world.idle().await;
    assert!(world.heard(CONTACT).contains(&START_ANSWER.to_owned()));
    assert_eq!(send(&world, &tenant, template(true)).await.0, 202);
    let expected = [("opt-in", "message", "start"), ("opt-out", "message", "STOP")]
        .map(|(change, source, detail)| (change.to_owned(), source.to_owned(), Some(detail.to_owned())));
    assert_eq!(changes(&world, &tenant).await, expected);
    world.end().await;
}

#[tokio::test]
async fn what_is_said_in_a_group_is_no_wish_and_opens_no_window() {
    let (world, tenant) = start().await;
    let says_to_group = async |text: &str| {
        let kind = InboundKind::Raw(json!({ "type": "text", "text": { "body": text }, "group_id": "g1" }));
        assert!(world.sim.receive(Inbound::new(&tenant.phone_number_id, CONTACT, kind)).await.is_acknowledged());
        world.idle().await;
    };
    world.says(&tenant, CONTACT, "echo hi").await;
    world.idle().await;
    world.advance(TimeDelta::hours(25));
    says_to_group("STOP").await;
    assert_eq!(send(&world, &tenant, template(true)).await.0, 202, "nobody has opted out");
    let (status, refused) = send(&world, &tenant, text()).await;
    assert_eq!((status, refused["code"].as_str()), (409, Some("outside_window")), "{refused}");
    let (_, dead) = world.api.get(&path(&tenant, "dead-letters"), &tenant.key).await;
    assert_eq!(dead["messages"][0]["error"]["class"], "outside_window", "nor may the flow answer: {dead}");

    // Half a minute later: what was said in the group does not stand for what is said to the business.
    world.advance(TimeDelta::seconds(30));
    world.says(&tenant, CONTACT, "attribute message.group-id").await;
    world.idle().await;
    assert_eq!(send(&world, &tenant, text()).await.0, 202);
    says_to_group("attribute message.group-id").await;
    let heard = world.heard(CONTACT);
    assert!(heard.contains(&"none".to_owned()) && heard.contains(&"\"g1\"".to_owned()), "{heard:?}");
    world.end().await;
}

#[tokio::test]
async fn a_flow_sends_no_marketing_to_whoever_wants_none() {
    let (world, tenant) = start().await;
    sqlx::query("update channels set waba_id = $1").bind(ACCOUNT).execute(&world.db.pool).await.unwrap();
    for (name, category) in [("sale", "MARKETING"), ("receipt", "UTILITY")] {
        sqlx::query(
            "insert into meta_templates (tenant_id, waba_id, name, language, status, status_at, category, category_at,
                                         quality_at, stale, created_at, updated_at)
             values ($1, $2, $3, 'en', 'APPROVED', now(), $4, now(), now(), false, now(), now())",
        )
        .bind(tenant.id)
        .bind(ACCOUNT)
        .bind(name)
        .bind(category)
        .execute(&world.db.pool)
        .await
        .unwrap();
    }
    let says = async |text: &str| {
        world.says(&tenant, CONTACT, text).await;
        world.idle().await;
    };
    says("meta-template sale").await;
    says("STOP").await;
    says("meta-template sale").await;
    says("meta-template receipt").await;
    let sent: Vec<String> = world.sim.accepted().iter().map(|one| one.body["template"]["name"].to_string()).collect();
    assert_eq!(sent, ["\"sale\"", "null", "\"receipt\""], "what came before the opt-out, its answer, and no marketing");
    let (_, dead) = world.api.get(&path(&tenant, "dead-letters"), &tenant.key).await;
    assert_eq!(dead["messages"][0]["error"]["class"], "opted_out", "{dead}");
    world.end().await;
}

#[tokio::test]
async fn words_and_answers_are_the_tenants_choice() {
    let (world, tenant) = start().await;
    let chosen = json!({ "optOut": { "stopWords": ["Genug!"], "stopAnswer": "", "startAnswer": "Hallo" } });
    let (status, shown) = set(&world, &tenant, chosen).await;
    assert_eq!((status, &shown["optOut"]["stopWords"]), (200, &json!(["genug"])), "{shown}");
    for (word, seconds) in [("stop", 0), ("GENUG", 5), ("start", 5)] {
        world.advance(TimeDelta::seconds(seconds));
        world.says(&tenant, CONTACT, word).await;
        world.idle().await;
    }
    assert_eq!(world.heard(CONTACT).iter().filter(|text| *text == "Hallo").count(), 1);
    assert!(!world.heard(CONTACT).contains(&STOP_ANSWER.to_owned()));
    assert_eq!(changes(&world, &tenant).await.len(), 2, "stop is no word of this tenant");
    world.end().await;
}

#[tokio::test]
async fn metas_preference_and_the_tenants_own_word_count_as_well() {
    let (world, tenant) = start().await;
    let preference = |value: &str, at: i64| {
        json!({
            "metadata": { "display_phone_number": "1", "phone_number_id": tenant.phone_number_id },
            "user_preferences": [{ "wa_id": CONTACT, "detail": format!("User asked to {value} marketing messages"),
                "category": "marketing_messages", "value": value, "timestamp": at.to_string() }],
        })
    };
    let now = world.now().timestamp();
    for (value, at) in [("stop", now - 10), ("resume", now - 20), ("stop", now - 10)] {
        let posted = world.sim.change(ACCOUNT, "user_preferences", preference(value, at)).await;
        assert!(posted.is_acknowledged(), "{posted:?}");
    }
    assert_eq!(send(&world, &tenant, template(true)).await.0, 409, "the later wish counts");
    assert_eq!(world.heard(CONTACT), [""; 0], "Meta has told the person");

    let consent = json!({ "to": CONTACT, "optedOut": false, "reason": "on the phone" });
    let (status, done) = world.api.post(&path(&tenant, "consent"), &tenant.key, &consent).await;
    assert_eq!((status, &done["changed"]), (200, &json!(true)), "{done}");
    assert_eq!(send(&world, &tenant, template(true)).await.0, 202);
    let kinds: Vec<_> =
        changes(&world, &tenant).await.into_iter().map(|(change, source, _)| (change, source)).collect();
    let expected = [("opt-in", "api"), ("opt-out", "meta")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert_eq!(kinds, expected);
    world.end().await;
}

#[tokio::test]
async fn what_meta_tells_of_a_channel_is_shown_to_its_tenant_alone_and_of_an_account_to_all_that_share_it() {
    let world = World::start().await;
    let register = async |name: &str, number: &str| {
        let body = json!({ "name": name, "phoneNumberId": number, "accessToken": "token", "wabaId": ACCOUNT });
        let (status, answer) = world.api.post("/tenants/register", MASTER_KEY, &body).await;
        assert_eq!(status, 201, "{answer}");
        (answer["id"].as_str().unwrap().to_owned(), answer["apiKey"].as_str().unwrap().to_owned(), number.to_owned())
    };
    let (a, b) = (register("A", "106540352242922").await, register("B", "106540352242923").await);
    // Their numbers as people write them come with their first messages; the simulator shows the id.
    for tenant in [&a, &b] {
        assert!(world.sim.receive(Inbound::text(&tenant.2, CONTACT, "hi")).await.is_acknowledged());
    }
    world.idle().await;
    let quality = |number: &str, event: &str| json!({ "display_phone_number": number, "event": event, "current_limit": "TIER_10K", "old_limit": "TIER_1K" });
    let name = json!({ "display_phone_number": a.2, "decision": "APPROVED", "requested_verified_name": "Acme" });
    for (time, field, value) in [
        (200, "phone_number_quality_update", quality(&b.2, "DOWNGRADE")),
        (100, "phone_number_quality_update", quality(&b.2, "UPGRADE")),
        (100, "phone_number_name_update", name),
        (100, "phone_number_quality_update", quality("999", "FLAGGED")),
        (100, "account_update", json!({ "event": "ACCOUNT_RESTRICTION" })),
        (100, "business_capability_update", json!({ "max_phone_numbers_per_waba": 20 })),
        // Whose contact that is nobody knows.
        (100, "user_preferences", json!({ "user_preferences": [{ "wa_id": CONTACT, "value": "stop" }] })),
        (100, "messages", json!({ "messages": [{ "id": "wamid.1", "from": CONTACT, "type": "text" }] })),
    ] {
        let posted = world.sim.change_at(ACCOUNT, field, value, Some(time)).await;
        assert!(posted.is_acknowledged(), "{posted:?}");
    }
    let state = async |tenant: &(String, String, String)| {
        let path = format!("/tenants/{}/channels/{}/state", tenant.0, tenant.2);
        let (status, state) = world.api.get(&path, &tenant.1).await;
        assert_eq!(status, 200, "{state}");
        state["facts"].clone()
    };
    let (of_a, of_b) = (state(&a).await, state(&b).await);
    assert_eq!(of_b["quality"]["value"]["event"], "DOWNGRADE", "the later counts, whatever the order: {of_b}");
    assert_eq!(of_a["name"]["value"], json!({ "decision": "APPROVED", "name": "Acme" }));
    assert!(of_a.get("quality").is_none() && of_b.get("name").is_none(), "each its own: {of_a} {of_b}");
    for facts in [&of_a, &of_b] {
        assert_eq!(facts["account"]["value"], json!({ "event": "ACCOUNT_RESTRICTION" }), "{facts}");
        assert_eq!(facts["capability"]["value"], json!({ "numbers": 20 }), "{facts}");
    }
    assert_eq!(world.db.count("select count(*) from unrouted_items").await, 3, "whose 999 is, nobody knows either");
    let (status, _) = world.api.get(&format!("/tenants/{}/channels/{}/state", a.0, b.2), &a.1).await;
    assert_eq!(status, 404);
    world.end().await;
}

#[tokio::test]
async fn what_meta_tells_of_an_account_counts_for_the_tenants_numbers() {
    let world = World::start().await;
    let body = json!({ "name": "A", "phoneNumberId": "106540352242922", "accessToken": "token", "wabaId": ACCOUNT });
    let (_, tenant) = world.api.post("/tenants/register", MASTER_KEY, &body).await;
    let alert = |kind: &str| {
        json!({ "entity_type": "WABA", "entity_id": ACCOUNT, "alert_info": { "alert_severity": "CRITICAL",
            "alert_status": "ACTIVE", "alert_type": kind, "alert_description": "as it says" } })
    };
    let broken = json!({
        "metadata": { "display_phone_number": "1", "phone_number_id": "106540352242922" },
        "errors": [{ "code": 130429, "title": "Rate limit hit", "error_data": { "details": "too many" } }],
    });
    for (field, value) in [
        ("account_update", json!({ "event": "ACCOUNT_VIOLATION", "violation_info": { "violation_type": "SPAM" } })),
        ("account_review_update", json!({ "decision": "APPROVED" })),
        ("business_capability_update", json!({ "max_phone_numbers_per_waba": 20 })),
        ("account_alerts", alert("OBA_APPROVED")),
        ("account_alerts", alert("INCREASED_CAPABILITIES_ELIGIBILITY_DEFERRED")),
        ("messages", broken),
        ("phone_number_quality_update", json!({ "display_phone_number": "15550783881", "event": "FLAGGED" })),
        ("security", json!({ "display_phone_number": "15550783881", "event": "PIN_CHANGED", "requester": "1" })),
    ] {
        assert!(world.sim.change(ACCOUNT, field, value).await.is_acknowledged());
    }
    let path = format!("/tenants/{}/channels/106540352242922/state", tenant["id"].as_str().unwrap());
    let (_, state) = world.api.get(&path, tenant["apiKey"].as_str().unwrap()).await;
    let kinds: Vec<_> = state["facts"].as_object().unwrap().keys().cloned().collect();
    let expected = [
        "account",
        "alert:INCREASED_CAPABILITIES_ELIGIBILITY_DEFERRED",
        "alert:OBA_APPROVED",
        "capability",
        "error",
        "quality",
        "review",
        "security",
    ];
    assert_eq!(kinds, expected);
    let error = json!({ "code": 130429, "title": "Rate limit hit", "details": "too many" });
    assert_eq!(state["facts"]["error"]["value"], error);
    assert_eq!(state["facts"]["account"]["value"], json!({ "event": "ACCOUNT_VIOLATION", "details": "SPAM" }));
    world.end().await;
}

#[tokio::test]
async fn a_conversation_goes_on_when_the_number_changes_and_when_both_ids_are_known() {
    const NEW: &str = "4915112345678";
    const USER: &str = "US.13491208655302741918";
    let (world, tenant) = start().await;
    let from = |contact: &str, text: &str| Inbound::text(&tenant.phone_number_id, contact, text);
    let receive = async |message: Inbound| {
        assert!(world.sim.receive(message).await.is_acknowledged());
        world.idle().await;
    };
    receive(from(CONTACT, "count")).await;
    receive(from(CONTACT, "timer reminder 60000 water the plants")).await;
    let changed = InboundKind::System { new_wa_id: NEW.to_owned() };
    receive(Inbound::new(&tenant.phone_number_id, CONTACT, changed)).await;
    receive(from(NEW, "count")).await;
    assert_eq!(world.heard(NEW).last().map(String::as_str), Some("2"), "the state went along");
    world.advance(TimeDelta::minutes(1));
    eventually("the timer went along", async || {
        world.heard(NEW).contains(&"timer reminder: water the plants".to_owned())
    })
    .await;

    receive(from("1", "count").username_only(USER, "ada")).await;
    assert_eq!(world.heard(USER), ["1"], "so far nobody knows that it is the same person");
    receive(from(NEW, "count").user_id(USER)).await;
    let (_, found) = world.api.get(&path(&tenant, "conversations"), &tenant.key).await;
    let [one] = found["conversations"].as_array().unwrap().as_slice() else { panic!("{found}") };
    assert_eq!((&one["waId"], &one["userId"]), (&json!(NEW), &json!(USER)));
    let merged: uuid::Uuid = sqlx::query_scalar("select id from conversations where merged_into is not null")
        .fetch_one(&world.db.pool)
        .await
        .unwrap();
    let (_, former) = world.api.get(&path(&tenant, &format!("conversations/{merged}")), &tenant.key).await;
    assert_eq!(former["mergedInto"], one["id"]);
    world.end().await;
}

#[tokio::test]
async fn a_burst_of_messages_reaches_the_flow_as_one_event() {
    let (world, tenant) = start().await;
    assert_eq!(set(&world, &tenant, json!({ "debounceSeconds": 5 })).await.0, 200);
    for text in ["echo one", "echo two", "burst"] {
        world.says(&tenant, CONTACT, text).await;
        world.advance(TimeDelta::seconds(1));
    }
    let stored = "select count(*) from messages where direction = 'IN'";
    assert_eq!(world.db.count(stored).await, 3, "nothing waits to be stored");
    assert_eq!(world.db.count("select count(*) from flow_runs").await, 0);
    world.advance(TimeDelta::seconds(2));
    world.idle().await;
    let heard = world.heard(CONTACT);
    let [burst] = heard.as_slice() else { panic!("{heard:?}") };
    let burst: Vec<Value> = serde_json::from_str(burst).unwrap();
    let texts: Vec<_> = burst.iter().map(|message| message["text"]["body"].as_str().unwrap()).collect();
    assert_eq!(texts, ["echo one", "echo two"], "those before the last are in the context");
    let results: Vec<String> =
        sqlx::query_scalar("select result from flow_runs order by event_id").fetch_all(&world.db.pool).await.unwrap();
    assert_eq!(results, ["joined", "joined", "done"]);

    // What comes later is an event of its own, and a replay sees the same burst.
    world.says(&tenant, CONTACT, "echo later").await;
    world.advance(TimeDelta::seconds(5));
    world.idle().await;
    assert_eq!(world.heard(CONTACT).last().map(String::as_str), Some("later"));
    let kept: Value =
        sqlx::query_scalar("select context -> 'burst' from flow_runs where result = 'done' order by at limit 1")
            .fetch_one(&world.db.pool)
            .await
            .unwrap();
    assert_eq!(kept.as_array().map(Vec::len), Some(2), "{kept}");
    world.end().await;
}
