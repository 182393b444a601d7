//! People whose ids change, or turn out to be one person's.

use chrono::TimeDelta;
use hoopoe_testing::eventually;
use meta_sim::{Inbound, InboundKind};
use serde_json::json;

use crate::{CONTACT, path, start};

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
