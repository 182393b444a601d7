//! One POST can hold items of several tenants, of nobody, of unknown kinds and broken ones: each goes its own way.

use hoopoe_store::consent::STOP_ANSWER;
use hoopoe_testing::World;
use meta_sim::{Inbound, InboundKind};
use serde_json::{Value, json};

/// Recipient, sending number and text of everything that was accepted, sorted.
fn answers(world: &World) -> Vec<(String, String, String)> {
    let accepted = world.sim.accepted().into_iter();
    let mut answers: Vec<_> =
        accepted.map(|reply| (reply.to, reply.phone_number_id, reply.text.unwrap_or_default())).collect();
    answers.sort();
    answers
}

fn answer(to: &str, from: &str, team: &str) -> (String, String, String) {
    (to.to_owned(), from.to_owned(), format!("thanks for reaching us\n- team {team}"))
}

#[tokio::test]
async fn every_item_of_a_post_goes_to_its_own_tenant_and_none_takes_its_neighbours_along() {
    const A: &str = "106540352242922";
    const B: &str = "206540352242922";
    let world = World::start().await;
    let tenant_a = world.api.register("A", A, "token-a").await;
    let tenant_b = world.api.register("B", B, "token-b").await;
    let raw = |fields: Value| InboundKind::Raw(fields);
    let text = |body: &str| json!({ "body": body });
    let post = world.sim.body_of(vec![
        Inbound::text("999999999999999", "16505550000", "to nobody"),
        Inbound::text(A, "16505550001", "to A").account("account-1"),
        Inbound::new(A, "16505550002", raw(json!({ "type": "text", "text": text("no id"), "id": null }))),
        Inbound::text(B, "16505550003", "to B").account("account-2"),
        Inbound::new(B, "16505550004", raw(json!({ "type": "text", "text": text("?"), "timestamp": "soon" }))),
        Inbound::new(A, "16505550005", raw(json!({ "type": "hologram", "hologram": { "beam": [1, 2, 3] } }))),
        Inbound::text(B, "16505550001", "to B from somebody whom A knows too"),
    ]);
    for (new, repeated) in [(6, 0), (0, 6)] {
        let delivery = world.sim.post_signed(post.clone()).await;
        assert!(delivery.is_acknowledged(), "{delivery:?}");
        let receipt: Value = serde_json::from_str(&delivery.body).unwrap();
        assert_eq!(receipt, json!({ "ok": true, "new": new, "repeated": repeated, "unrouted": 1 }));
    }
    world.idle().await;

    let expected = [
        answer("16505550001", A, "A"),
        answer("16505550001", B, "B"),
        answer("16505550003", B, "B"),
        answer("16505550004", B, "B"),
        answer("16505550005", A, "A"),
    ];
    assert_eq!(answers(&world), expected);
    for reply in world.sim.accepted() {
        assert_eq!(reply.token, if reply.phone_number_id == A { "token-a" } else { "token-b" });
    }
    // Each tenant sees its own messages and no others.
    for (tenant, others) in [(&tenant_a, ["to B", "?"]), (&tenant_b, ["to A", "no id"])] {
        let messages = world.api.messages(tenant).await;
        assert!(messages.iter().all(|message| !others.iter().any(|other| message["body"] == *other)), "{messages:?}");
        assert!(messages.iter().all(|message| message["phoneNumberId"] == tenant.phone_number_id.as_str()));
    }
    let unrouted: (String, i64, Value) =
        sqlx::query_as("select route, times, raw from unrouted_items").fetch_one(&world.db.pool).await.unwrap();
    assert_eq!((unrouted.0.as_str(), unrouted.1), ("999999999999999", 2));
    assert_eq!(unrouted.2["text"]["body"], "to nobody");
    let notes: Vec<(String, Option<String>)> =
        sqlx::query_as("select kind, note from events where note is not null order by kind")
            .fetch_all(&world.db.pool)
            .await
            .unwrap();
    let [(invalid, no_id), (message, soon)] = notes.as_slice() else { panic!("{notes:?}") };
    assert_eq!((invalid.as_str(), message.as_str()), ("invalid", "message"));
    assert!(no_id.as_deref().unwrap().contains("id") && soon.as_deref().unwrap().contains("soon"), "{notes:?}");
    world.end().await;
}

#[tokio::test]
async fn every_kind_of_message_is_stored_and_answered_once() {
    let world = World::start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let samples = InboundKind::samples();
    let contact = |number: usize| format!("165055500{number:02}");
    let batch = samples
        .iter()
        .enumerate()
        .map(|(number, (_, kind))| Inbound::new(&tenant.phone_number_id, &contact(number), kind.clone()));
    let delivery = world.sim.receive_batch(batch.collect()).await;
    assert!(delivery.is_acknowledged(), "{delivery:?}");
    world.idle().await;

    assert_eq!(world.sim.requests(), samples.len() as u64);
    let messages = world.api.messages(&tenant).await;
    for (number, (name, kind)) in samples.iter().enumerate() {
        let (contact, answer) = match kind {
            // The contact has another number from then on.
            InboundKind::System { new_wa_id } => (new_wa_id.clone(), "thanks for reaching us\n- team Acme"),
            // Its payload is STOP.
            InboundKind::Button { .. } => (contact(number), STOP_ANSWER),
            _ => (contact(number), "thanks for reaching us\n- team Acme"),
        };
        assert_eq!(world.sim.times(&contact, answer), 1, "{name}");
        let of_contact = |message: &&Value| message["contact"] == contact.as_str() && message["direction"] == "IN";
        assert_eq!(messages.iter().filter(of_contact).count(), 1, "{name}");
    }
    let raw = "select count(*) from events where kind = 'message' and raw ->> 'type' = 'hologram'
               and raw -> 'hologram' -> 'beam' ->> 2 = '3'";
    assert_eq!(world.db.count(raw).await, 1, "an unknown kind is kept as it came");
    world.end().await;
}

#[tokio::test]
async fn a_thousand_items_in_one_post_are_all_answered() {
    let world = World::start().await;
    let tenant = world.api.register("Acme", "106540352242922", "mock_token").await;
    let batch = (0..1000).map(|number| {
        Inbound::text(&tenant.phone_number_id, &format!("165055{:05}", number % 100), &format!("message {number}"))
    });
    let delivery = world.sim.receive_batch(batch.collect()).await;
    assert!(delivery.is_acknowledged(), "{delivery:?}");
    world.idle().await;
    let answered = "select count(*) from messages where direction = 'OUT' and status = 'sent'";
    assert_eq!(world.db.count(answered).await, 1000);
    assert_eq!(world.db.count("select count(distinct wa_message_id) from messages where direction = 'IN'").await, 1000);
    world.end().await;
}
