//! Opt-out of marketing and the way back, by whoever tells it.

use chrono::TimeDelta;
use hoopoe_store::consent::{START_ANSWER, STOP_ANSWER};
use hoopoe_testing::{Tenant, World, eventually};
use meta_sim::{Inbound, InboundKind};
use serde_json::{Value, json};

use crate::{ACCOUNT, CONTACT, path, send, set, start, template, text};

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
