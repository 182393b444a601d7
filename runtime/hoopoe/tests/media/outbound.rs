//! Files that go out.

use chrono::TimeDelta;
use hoopoe_testing::{Client, Tenant, World};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{CONTACT, NUMBER, send, shown};

async fn uploaded(world: &World, tenant: &Tenant, mime_type: &str, bytes: Vec<u8>) -> (u16, Value) {
    let path = format!("/tenants/{}/media?filename=a%20shoe.jpg", tenant.id);
    let request = world.api.request(Method::POST, &path, &tenant.key).header("content-type", mime_type);
    Client::answer(request.body(bytes)).await
}

fn picture(id: &str) -> Value {
    json!({ "to": CONTACT, "image": { "id": id } })
}

/// Meta's ids of the files of accepted messages.
fn sent(world: &World) -> Vec<String> {
    let of = |body: &Value| body["image"]["id"].as_str().map(str::to_owned);
    world.sim.accepted().iter().filter_map(|message| of(&message.body)).collect()
}

#[tokio::test]
async fn an_upload_is_given_to_meta_once_until_meta_forgets_it() {
    let world = World::start().await;
    let tenant = world.api.register("Acme", NUMBER, "token").await;
    let bytes = vec![42_u8; 700_000];
    let (status, file) = uploaded(&world, &tenant, "image/jpeg", bytes.clone()).await;
    assert_eq!((status, &file["state"], &file["size"]), (201, &"stored".into(), &700_000.into()), "{file}");
    assert_eq!((&file["filename"], &file["origin"]), (&"a shoe.jpg".into(), &"upload".into()));
    let id = file["id"].as_str().unwrap().to_owned();

    // Many at once, to several contacts: one upload.
    for number in 0..20 {
        let body = json!({ "to": format!("1650555{number:04}"), "image": { "id": id, "caption": "A shoe" } });
        assert_eq!(send(&world, &tenant, &body).await.0, 202);
    }
    world.idle().await;
    let uploads = world.sim.uploads();
    assert_eq!((uploads.len(), sent(&world)), (1, vec![uploads[0].clone(); 20]));
    let at_meta = world.sim.file(&uploads[0]).unwrap();
    assert_eq!((at_meta.mime_type.as_str(), at_meta.bytes), ("image/jpeg", bytes));

    // Meta lost it: the message is sent again with a new one.
    world.sim.forget_file(&uploads[0]);
    let (_, answer) = send(&world, &tenant, &picture(&id)).await;
    world.advance_past_waits().await;
    world.idle().await;
    let message = world.api.message(&tenant, answer["id"].as_str().unwrap().parse().unwrap()).await;
    assert_eq!((&message["status"], &message["attempts"]), (&"read".into(), &2.into()), "{message}");
    assert_eq!((world.sim.uploads().len(), sent(&world).last()), (2, world.sim.uploads().last()));

    // Within 30 days it is used again, after them not.
    for (days, uploads) in [(29, 2), (2, 3)] {
        world.advance(TimeDelta::days(days));
        assert_eq!(send(&world, &tenant, &picture(&id)).await.0, 202);
        world.idle().await;
        assert_eq!((world.sim.uploads().len(), sent(&world).last()), (uploads, world.sim.uploads().last()));
    }
    assert_eq!(shown(&world, &tenant, &id).await["state"], "stored");
    world.end().await;
}

#[tokio::test]
async fn a_file_stands_in_headers_too() {
    let world = World::start().await;
    let tenant = world.api.register("Acme", NUMBER, "token").await;
    let (_, file) = uploaded(&world, &tenant, "application/pdf", b"%PDF".to_vec()).await;
    let document = json!({ "id": file["id"], "filename": "1.pdf" });
    let header = json!({ "type": "header", "parameters": [{ "type": "document", "document": document }] });
    let template = json!({ "name": "invoice", "language": { "code": "en" }, "components": [header] });
    assert_eq!(send(&world, &tenant, &json!({ "to": CONTACT, "template": template })).await.0, 202);
    world.idle().await;
    let accepted = world.sim.accepted();
    let id = &accepted[0].body["template"]["components"][0]["parameters"][0]["document"]["id"];
    assert_eq!(id.as_str(), world.sim.uploads().first().map(String::as_str));
    world.end().await;
}

#[tokio::test]
async fn what_meta_would_not_take_is_refused_before_it_is_queued() {
    let world = World::builder().roles("api").start().await;
    let tenant = world.api.register("Acme", NUMBER, "token").await;
    let other = world.api.register("Other", "106540352242999", "token").await;
    for (mime_type, chunks, status, words) in [
        ("text/html", 1, 415, "image/jpeg"),
        ("image/jpeg", 5 * 1024 + 1, 413, "5242880"),
        ("image/webp", 501, 413, "512000"),
        ("image/jpeg", 0, 400, "empty"),
    ] {
        // Nobody says how long it is: it is counted.
        let bytes = futures_util::stream::iter((0..chunks).map(|_| Ok::<_, std::io::Error>(vec![1_u8; 1024])));
        let request = world.api.request(Method::POST, &format!("/tenants/{}/media", tenant.id), &tenant.key);
        let request = request.header("content-type", mime_type).body(reqwest::Body::wrap_stream(bytes));
        let (found, answer) = Client::answer(request).await;
        assert_eq!(found, status, "{mime_type}, {chunks}: {answer}");
        assert!(answer["message"].as_str().unwrap().contains(words), "{answer}");
    }
    let left: i64 = sqlx::query_scalar("select count(*) from media").fetch_one(&world.db.pool).await.unwrap();
    assert_eq!(left, 0, "nothing is left of them");

    let (_, file) = uploaded(&world, &tenant, "image/webp", b"RIFF".to_vec()).await;
    let id = file["id"].as_str().unwrap();
    for (label, body, of, words) in [
        ("an unknown one", picture("media_0"), &tenant, "upload it"),
        ("another tenant's", json!({ "to": CONTACT, "sticker": { "id": id } }), &other, "upload it"),
        ("another kind", picture(id), &tenant, "image/jpeg, image/png"),
    ] {
        let (status, answer) = send(&world, of, &body).await;
        assert_eq!((status, &answer["code"]), (400, &"invalid_field".into()), "{label}: {answer}");
        assert!(answer["message"].as_str().unwrap().contains(words), "{label}: {answer}");
    }
    let (status, answer) = send(&world, &tenant, &json!({ "to": CONTACT, "sticker": { "id": id } })).await;
    assert_eq!(status, 202, "{answer}");
    world.end().await;
}

#[tokio::test]
async fn a_file_that_is_gone_meanwhile_gives_the_message_up() {
    let mut world = World::builder().roles("api").start().await;
    let tenant = world.api.register("Acme", NUMBER, "token").await;
    let (_, file) = uploaded(&world, &tenant, "image/png", b"PNG".to_vec()).await;
    let id = file["id"].as_str().unwrap();
    let (_, answer) = send(&world, &tenant, &picture(id)).await;
    let path = format!("/tenants/{}/media/{id}", tenant.id);
    assert_eq!(world.api.delete(&path, &tenant.key).await.0, 204);
    world.set_roles("api,flows,delivery");
    world.restart().await;
    world.idle().await;
    let message = world.api.message(&tenant, answer["id"].as_str().unwrap().parse().unwrap()).await;
    assert_eq!(message["status"], "failed", "{message}");
    assert!(message["error"]["message"].as_str().unwrap().contains(id), "{message}");
    assert_eq!(world.sim.requests(), 0);
    world.end().await;
}
