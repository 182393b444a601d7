//! A tenant with numbers of two business accounts that have templates of the same name.

use chrono::TimeDelta;
use hoopoe_testing::{MASTER_KEY, Tenant, World, eventually};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{ACCOUNT, CONTACT, NUMBER, send, with_account};

const OTHER_NUMBER: &str = "106540352242923";
const OTHER_ACCOUNT: &str = "102290129340399";

async fn with_accounts(world: &World) -> Tenant {
    let tenant = with_account(world).await;
    let new = json!({ "phoneNumberId": OTHER_NUMBER, "accessToken": "token", "wabaId": OTHER_ACCOUNT });
    let (status, answer) = world.api.post(&format!("/tenants/{}/channels", tenant.id), MASTER_KEY, &new).await;
    assert_eq!(status, 201, "{answer}");
    tenant
}

fn offer(from: &str) -> Value {
    json!({ "to": CONTACT, "from": from, "template": { "name": "offer", "language": { "code": "en_US" } } })
}

/// Each time a second later: of two judgements within one second the order says nothing.
async fn judged(world: &World, account: &str, event: &str) {
    world.advance(TimeDelta::seconds(1));
    let delivery = world.sim.judge_template(account, "offer", "en_US", event, "NONE").await;
    assert!(delivery.is_acknowledged(), "{delivery:?}");
}

/// The accounts in which the template is stopped.
async fn stopped(world: &World, tenant: &Tenant) -> Vec<Value> {
    let (status, shown) = world.api.get(&format!("/tenants/{}", tenant.id), &tenant.key).await;
    assert_eq!(status, 200, "{shown}");
    shown["suspendedTemplates"].as_array().unwrap().iter().map(|one| one["wabaId"].clone()).collect()
}

#[tokio::test]
async fn a_template_is_stopped_in_the_account_that_meta_names_and_in_no_other() {
    let mut world = World::start().await;
    let tenant = with_accounts(&world).await;
    let at = (world.now() + TimeDelta::hours(1)).timestamp();
    let mut waiting: Vec<Uuid> = Vec::new();
    for number in [NUMBER, OTHER_NUMBER] {
        let mut body = offer(number);
        body["send_at"] = json!(at);
        let (status, answer) = send(&world, &tenant, &body).await;
        assert_eq!(status, 202, "{answer}");
        waiting.push(answer["id"].as_str().unwrap().parse().unwrap());
    }
    judged(&world, ACCOUNT, "PAUSED").await;
    assert_eq!(stopped(&world, &tenant).await, [ACCOUNT]);
    let (status, answer) = send(&world, &tenant, &offer(NUMBER)).await;
    assert_eq!((status, &answer["code"]), (409, &"template_stopped".into()), "{answer}");
    assert_eq!(answer["details"]["wabaId"], ACCOUNT, "{answer}");
    let (status, answer) = send(&world, &tenant, &offer(OTHER_NUMBER)).await;
    assert_eq!(status, 202, "{answer}");
    world.idle().await;

    // What this process remembers of a stop is some seconds old at the most.
    world.restart().await;
    world.advance(TimeDelta::hours(1));
    for (id, expected) in waiting.into_iter().zip(["failed", "read"]) {
        eventually(expected, async || world.api.message(&tenant, id).await["status"] == expected).await;
    }
    assert_eq!(world.sim.requests(), 2, "Meta was not asked for what it has stopped");

    judged(&world, OTHER_ACCOUNT, "DISABLED").await;
    assert_eq!(stopped(&world, &tenant).await, [ACCOUNT, OTHER_ACCOUNT]);
    judged(&world, ACCOUNT, "APPROVED").await;
    assert_eq!(stopped(&world, &tenant).await, [OTHER_ACCOUNT]);
    world.restart().await;
    for (number, expected) in [(NUMBER, 202), (OTHER_NUMBER, 409)] {
        let (status, answer) = send(&world, &tenant, &offer(number)).await;
        assert_eq!(status, expected, "{number}: {answer}");
    }
    world.idle().await;
    assert_eq!((world.sim.accepted_count(), world.sim.refused_count()), (3, 0));
    world.end().await;
}
