//! Templates at Meta.

use chrono::TimeDelta;
use hoopoe_testing::{MASTER_KEY, Tenant, World, eventually};
use serde_json::{Value, json};

use crate::{ACCOUNT, CONTACT, send, with_account};

fn template(name: &str, language: &str) -> Value {
    json!({ "name": name, "language": language, "category": "UTILITY", "components": [
        { "type": "BODY", "text": "Hi {{1}}", "example": { "body_text": [["Sam"]] } }] })
}

fn message(name: &str) -> Value {
    let value = json!({ "type": "text", "text": "Sam" });
    let components = json!([{ "type": "body", "parameters": [value] }]);
    json!({ "to": CONTACT, "template": { "name": name, "language": { "code": "en_US" }, "components": components } })
}

async fn known(world: &World, tenant: &Tenant, query: &str) -> Vec<Value> {
    let path = format!("/tenants/{}/meta-templates{query}", tenant.id);
    let (status, answer) = world.api.get(&path, &tenant.key).await;
    assert_eq!(status, 200, "{answer}");
    answer["templates"].as_array().unwrap().clone()
}

async fn post(world: &World, tenant: &Tenant, path: &str, body: &Value) -> (u16, Value) {
    world.api.post(&format!("/tenants/{}/meta-templates{path}", tenant.id), &tenant.key, body).await
}

/// Each time a second later: of two judgements within one second the order says nothing.
async fn judged(world: &World, event: &str, reason: &str) {
    world.advance(TimeDelta::seconds(1));
    let delivery = world.sim.judge_template(ACCOUNT, "offer", "en_US", event, reason).await;
    assert!(delivery.is_acknowledged(), "{delivery:?}");
}

#[tokio::test]
async fn a_template_is_sent_while_meta_approves_of_it() {
    let mut world = World::start().await;
    let tenant = with_account(&world).await;
    let (status, created) = post(&world, &tenant, "", &template("offer", "en_US")).await;
    assert_eq!((status, &created["status"], &created["isSent"]), (201, &"PENDING".into(), &false.into()), "{created}");
    assert_eq!(created["components"][0]["type"], "BODY");
    let at_meta = world.sim.templates(ACCOUNT);
    assert_eq!((at_meta.len(), &at_meta[0]["id"]), (1, &created["metaId"]));

    for (event, reason, words, stops) in [
        ("", "", "PENDING", 0),
        ("REJECTED", "INVALID_FORMAT", "REJECTED (INVALID_FORMAT)", 1),
        ("APPROVED", "NONE", "", 0),
        ("PAUSED", "NONE", "PAUSED", 1),
        ("DISABLED", "NONE", "DISABLED", 1),
        ("APPROVED", "NONE", "", 0),
    ] {
        if !event.is_empty() {
            judged(&world, event, reason).await;
        }
        // The same for single sends and for many.
        let (status, answer) = send(&world, &tenant, &message("offer")).await;
        let path = format!("/tenants/{}/send/batch", tenant.id);
        let (_, batch) = world.api.post(&path, &tenant.key, &json!({ "messages": [message("offer")] })).await;
        let (_, shown) = world.api.get(&format!("/tenants/{}", tenant.id), &tenant.key).await;
        assert_eq!(shown["suspendedTemplates"].as_array().unwrap().len(), stops, "{event}: {shown}");
        if words.is_empty() {
            assert_eq!((status, &batch["results"][0]["status"]), (202, &202.into()), "{event}: {answer}");
            // What this process remembers of a stop is some seconds old at the most.
            world.restart().await;
            world.idle().await;
        } else {
            assert_eq!((status, &answer["code"]), (409, &"template_stopped".into()), "{event}: {answer}");
            assert!(answer["message"].as_str().unwrap().contains(words), "{answer}");
            assert_eq!(batch["results"][0]["status"], 409, "{event}: {batch}");
        }
    }
    assert_eq!(world.sim.refused_count(), 0, "nothing was sent that Meta refuses");
    assert_eq!(world.sim.accepted_count(), 4);
    world.end().await;
}

#[tokio::test]
async fn what_waits_is_given_up_when_its_template_is_stopped() {
    let mut world = World::start().await;
    let tenant = with_account(&world).await;
    world.sim.put_template(ACCOUNT, template("offer", "en_US"), "APPROVED");
    let mut body = message("offer");
    body["send_at"] = json!((world.now() + TimeDelta::hours(1)).timestamp());
    let (status, answer) = send(&world, &tenant, &body).await;
    assert_eq!(status, 202, "{answer}");
    judged(&world, "PAUSED", "NONE").await;
    world.restart().await;
    world.advance(TimeDelta::hours(1));
    // Before it is due it waits in no lane: that nothing is under way says nothing.
    let id = answer["id"].as_str().unwrap().parse().unwrap();
    eventually("it is given up", async || world.api.message(&tenant, id).await["status"] == "failed").await;
    assert_eq!(world.api.message(&tenant, id).await["error"]["class"], "suspend_template");
    assert_eq!(world.sim.requests(), 0, "Meta was not asked");
    world.end().await;
}

#[tokio::test]
async fn a_sync_takes_meta_s_list_page_by_page() {
    let world = World::builder().sim(|sim| sim.template_page = 2).start().await;
    let tenant = with_account(&world).await;
    for (name, language, status) in [
        ("a", "en_US", "APPROVED"),
        ("a", "de", "PENDING"),
        ("b", "en_US", "PAUSED"),
        ("c", "en_US", "APPROVED"),
        ("d", "de", "APPROVED"),
    ] {
        world.sim.put_template(ACCOUNT, template(name, language), status);
    }
    let (status, answer) = post(&world, &tenant, "/sync", &json!({})).await;
    assert_eq!((status, &answer["templates"], &answer["removed"]), (200, &5.into(), &0.into()), "{answer}");
    let names = |found: Vec<Value>| -> Vec<String> {
        let name = |it: &Value| format!("{} {}", it["name"].as_str().unwrap(), it["language"].as_str().unwrap());
        found.iter().map(name).collect()
    };
    assert_eq!(names(known(&world, &tenant, "").await), ["a de", "a en_US", "b en_US", "c en_US", "d de"]);
    assert_eq!(names(known(&world, &tenant, "?status=PAUSED").await), ["b en_US"]);
    assert_eq!(send(&world, &tenant, &message("b")).await.0, 409);
    let (_, first) = world.api.get(&format!("/tenants/{}/meta-templates?limit=3", tenant.id), &tenant.key).await;
    let next = first["next"].as_str().unwrap().replace(' ', "%20");
    assert_eq!(names(known(&world, &tenant, &format!("?limit=3&after={next}")).await), ["c en_US", "d de"]);

    // One is gone at Meta, another one goes on.
    world.advance(TimeDelta::minutes(1));
    world.sim.remove_template(ACCOUNT, "c");
    world.sim.judge_template(ACCOUNT, "b", "en_US", "APPROVED", "NONE").await;
    let (_, answer) = post(&world, &tenant, "/sync", &json!({})).await;
    assert_eq!((&answer["templates"], &answer["removed"]), (&4.into(), &1.into()), "{answer}");
    assert_eq!(send(&world, &tenant, &message("b")).await.0, 202);

    let path = format!("/tenants/{}/meta-templates", tenant.id);
    assert_eq!(world.api.delete(&format!("{path}?name=a&language=de"), &tenant.key).await.0, 204);
    assert_eq!(names(known(&world, &tenant, "?name=a").await), ["a en_US"]);
    assert_eq!(world.api.delete(&format!("{path}?name=b"), &tenant.key).await.0, 204);
    let (status, answer) = world.api.delete(&format!("{path}?name=b"), &tenant.key).await;
    assert_eq!((status, &answer["code"]), (422, &"meta_refused".into()), "{answer}");
    assert_eq!(world.sim.templates(ACCOUNT).len(), 2);
    world.end().await;
}

#[tokio::test]
async fn webhooks_may_come_in_any_order_and_again() {
    let world = World::start().await;
    let tenant = with_account(&world).await;
    let about = |more: Value| {
        let mut value = json!({ "message_template_id": 594425479261596_i64, "message_template_name": "offer",
            "message_template_language": "en-US" });
        value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        value
    };
    let status = |event: &str| about(json!({ "event": event, "reason": "NONE" }));
    let quality = |new: &str| about(json!({ "previous_quality_score": "GREEN", "new_quality_score": new }));
    let category = about(json!({ "new_category": "UTILITY", "correct_category": "MARKETING" }));
    let tell = async |field: &str, value: Value, time: i64| {
        let delivery = world.sim.change_at(ACCOUNT, field, value, Some(time)).await;
        assert!(delivery.is_acknowledged(), "{delivery:?}");
    };
    const STATUS: &str = "message_template_status_update";
    for _ in 0..2 {
        tell(STATUS, status("PAUSED"), 300).await;
        tell(STATUS, status("APPROVED"), 200).await;
        tell("message_template_quality_update", quality("RED"), 100).await;
        tell("message_template_quality_update", quality("YELLOW"), 90).await;
        tell("template_category_update", category.clone(), 100).await;
        tell("message_template_components_update", about(json!({ "message_template_element": "Hi" })), 100).await;
        let found = known(&world, &tenant, "").await;
        let [it] = &found[..] else { panic!("{found:?}") };
        assert_eq!((&it["language"], &it["metaId"]), (&"en_US".into(), &"594425479261596".into()), "{it}");
        assert_eq!((&it["status"], &it["quality"]), (&"PAUSED".into(), &"RED".into()), "{it}");
        assert_eq!((&it["category"], &it["nextCategory"]), (&"UTILITY".into(), &"MARKETING".into()), "{it}");
        assert_eq!((&it["components"], &it["componentsStale"]), (&Value::Null, &true.into()), "{it}");
    }
    // What is paused twice is paused: the second webhook says the same with another time.
    tell(STATUS, status("APPROVED"), 400).await;
    assert_eq!(send(&world, &tenant, &message("offer")).await.0, 202);
    tell(STATUS, status("PAUSED"), 500).await;
    assert_eq!(send(&world, &tenant, &message("offer")).await.0, 409);
    let journaled: i64 = sqlx::query_scalar("select count(*) from events where kind = $1")
        .bind(STATUS)
        .fetch_one(&world.db.pool)
        .await
        .unwrap();
    assert_eq!(journaled, 4);

    // Nobody else's account.
    world.sim.change_at("999999999999999", STATUS, status("APPROVED"), Some(600)).await;
    assert_eq!(known(&world, &tenant, "").await[0]["status"], "PAUSED");
    world.end().await;
}

#[tokio::test]
async fn of_two_judgements_within_a_second_the_stricter_counts_whatever_the_order() {
    let world = World::start().await;
    let tenant = with_account(&world).await;
    let tell = async |language: &str, event: &str| {
        let value = json!({ "message_template_name": "offer", "message_template_language": language, "event": event });
        let delivery = world.sim.change_at(ACCOUNT, "message_template_status_update", value, Some(100)).await;
        assert!(delivery.is_acknowledged(), "{delivery:?}");
    };
    for (language, events, expected) in [
        ("de", ["APPROVED", "PAUSED", "APPROVED"], "PAUSED"),
        ("en", ["PAUSED", "APPROVED", "PAUSED"], "PAUSED"),
        ("fr", ["APPROVED", "PENDING", "APPROVED"], "APPROVED"),
        ("it", ["PENDING", "APPROVED", "PENDING"], "APPROVED"),
    ] {
        for event in events {
            tell(language, event).await;
        }
        let found = known(&world, &tenant, "").await;
        let it = found.iter().find(|it| it["language"] == language).unwrap();
        assert_eq!(it["status"], expected, "{events:?}");
    }
    world.end().await;
}

#[tokio::test]
async fn what_is_paused_in_an_account_that_tenants_share_is_refused_for_each() {
    let world = World::start().await;
    let first = with_account(&world).await;
    let body = json!({ "name": "B", "phoneNumberId": "106540352242923", "accessToken": "b", "wabaId": ACCOUNT });
    let (status, answer) = world.api.post("/tenants/register", MASTER_KEY, &body).await;
    assert_eq!(status, 201, "{answer}");
    let second = Tenant {
        id: answer["id"].as_str().unwrap().parse().unwrap(),
        name: "B".to_owned(),
        key: answer["apiKey"].as_str().unwrap().to_owned(),
        phone_number_id: "106540352242923".to_owned(),
    };
    for (event, expected) in [("PAUSED", 409), ("APPROVED", 202)] {
        judged(&world, event, "NONE").await;
        for tenant in [&first, &second] {
            let (status, answer) = send(&world, tenant, &message("offer")).await;
            assert_eq!(status, expected, "{event}, {}: {answer}", tenant.name);
            assert_eq!(known(&world, tenant, "").await[0]["status"], event);
        }
    }
    let journaled = "select count(*) from events where kind = 'message_template_status_update'";
    assert_eq!(world.db.count(journaled).await, 4, "each of both");
    world.end().await;
}

#[tokio::test]
async fn what_meta_refuses_is_told() {
    let world = World::builder().roles("api").start().await;
    let tenant = with_account(&world).await;
    let without = world.api.register("Other", "106540352242999", "token").await;
    let mut wrong = template("offer", "en_US");
    wrong["components"][0].as_object_mut().unwrap().remove("example");
    let renamed = |name: &str, value: &str| {
        let mut body = template("offer", "en_US");
        body[name] = json!(value);
        body
    };
    for (label, of, body, status, code, words) in [
        ("no example", &tenant, wrong, 422, "meta_refused", "example"),
        ("a name", &tenant, renamed("name", "Offer"), 400, "invalid_field", "a-z"),
        ("a language", &tenant, renamed("language", "english"), 400, "invalid_field", "pt_BR"),
        ("a category", &tenant, renamed("category", "NEWS"), 400, "invalid_field", "MARKETING"),
        ("no account", &without, template("offer", "en_US"), 409, "no_account", "wabaId"),
    ] {
        let (found, answer) = post(&world, of, "", &body).await;
        assert_eq!((found, &answer["code"]), (status, &code.into()), "{label}: {answer}");
        assert!(answer["message"].as_str().unwrap().contains(words), "{label}: {answer}");
    }
    assert_eq!(post(&world, &tenant, "", &template("offer", "en_US")).await.0, 201);
    assert_eq!(post(&world, &tenant, "", &template("offer", "en_US")).await.0, 422, "there is one");
    let (status, answer) = post(&world, &tenant, "/sync?wabaId=1234567", &json!({})).await;
    assert_eq!((status, &answer["code"]), (400, &"invalid_field".into()), "{answer}");
    world.sim.revoke("token");
    let (status, answer) = post(&world, &tenant, "/sync", &json!({})).await;
    assert_eq!(
        (status, &answer["code"], &answer["details"]["code"]),
        (409, &"meta_token".into(), &190.into()),
        "{answer}"
    );
    world.end().await;
}

#[tokio::test]
async fn what_meta_calls_marketing_is_not_for_who_has_opted_out() {
    let world = World::start().await;
    let tenant = with_account(&world).await;
    let consent = json!({ "to": CONTACT, "optedOut": true, "reason": "on the phone" });
    let (status, done) = world.api.post(&format!("/tenants/{}/consent", tenant.id), &tenant.key, &consent).await;
    assert_eq!(status, 200, "{done}");
    for (category, expected) in [("UTILITY", 202), ("MARKETING", 409), ("UTILITY", 202)] {
        let mut offer = template("offer", "en_US");
        offer["category"] = category.into();
        world.advance(TimeDelta::seconds(1));
        world.sim.put_template(ACCOUNT, offer, "APPROVED");
        let (status, synced) = post(&world, &tenant, "/sync", &json!({})).await;
        assert_eq!(status, 200, "{synced}");
        let (status, answer) = send(&world, &tenant, &message("offer")).await;
        assert_eq!(status, expected, "{category}: {answer}");
        if expected == 409 {
            assert_eq!(answer["code"], "opted_out", "{answer}");
        }
    }
    world.end().await;
}
