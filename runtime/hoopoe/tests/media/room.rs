//! How much a tenant may keep, how much at once, and how room is made.

use std::path::Path;

use chrono::TimeDelta;
use hoopoe_testing::{Client, Tenant, World, eventually};
use meta_sim::{File, Inbound, InboundKind};
use reqwest::{Body, Method};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{CONTACT, NUMBER, shown};

const OTHER: &str = "106540352242999";

async fn uploaded(world: &World, tenant: &Tenant, body: impl Into<Body>) -> (u16, Value) {
    let request = world.api.request(Method::POST, &format!("/tenants/{}/media", tenant.id), &tenant.key);
    Client::answer(request.header("content-type", "image/jpeg").body(body)).await
}

/// A body whose length nobody says.
fn unmeasured(size: usize) -> Body {
    Body::wrap_stream(futures_util::stream::iter([Ok::<_, std::io::Error>(vec![1_u8; size])]))
}

#[tokio::test]
async fn a_tenant_keeps_as_much_as_it_may() {
    let world = World::builder().roles("api").set("MEDIA_TENANT_BYTES", "1000").start().await;
    let tenant = world.api.register("Acme", NUMBER, "token").await;
    let other = world.api.register("Other", OTHER, "token").await;
    let (status, first) = uploaded(&world, &tenant, vec![1_u8; 600]).await;
    assert_eq!(status, 201, "{first}");
    for body in [Body::from(vec![1_u8; 401]), unmeasured(401), Body::from(vec![1_u8; 2000]), unmeasured(2000)] {
        let (status, answer) = uploaded(&world, &tenant, body).await;
        assert_eq!((status, &answer["code"]), (413, &"media_quota".into()), "{answer}");
        assert_eq!(answer["details"], json!({ "used": 600, "allowed": 1000 }), "{answer}");
        let message = answer["message"].as_str().unwrap();
        assert!(message.contains("600 of 1000 bytes") && message.contains("MEDIA_TENANT_BYTES"), "{message}");
    }
    assert_eq!(world.db.count("select count(*) from media").await, 1, "nothing is left of them");
    assert_eq!(uploaded(&world, &other, vec![1_u8; 1000]).await.0, 201, "it is another tenant's room");

    // All of it, and with what is deleted there is room again.
    assert_eq!(uploaded(&world, &tenant, unmeasured(400)).await.0, 201);
    let (status, answer) = uploaded(&world, &tenant, unmeasured(1)).await;
    assert_eq!((status, &answer["code"]), (413, &"media_quota".into()), "{answer}");
    let path = format!("/tenants/{}/media/{}", tenant.id, first["id"].as_str().unwrap());
    assert_eq!(world.api.delete(&path, &tenant.key).await.0, 204);
    assert_eq!(uploaded(&world, &tenant, vec![1_u8; 600]).await.0, 201);
    world.end().await;
}

#[tokio::test]
async fn a_tenant_uploads_some_files_at_once() {
    let world = World::builder().roles("api").set("MEDIA_TENANT_BYTES", "0").start().await;
    let tenant = world.api.register("Acme", NUMBER, "token").await;
    let other = world.api.register("Other", OTHER, "token").await;
    let (end, ended) = watch::channel(false);
    let slow = || {
        let mut ended = ended.clone();
        let begin = futures_util::stream::iter([Ok::<_, std::io::Error>(vec![1_u8; 10])]);
        let rest = async move {
            ended.wait_for(|ended| *ended).await.unwrap();
            Ok(vec![2_u8; 10])
        };
        Body::wrap_stream(futures_util::StreamExt::chain(begin, futures_util::stream::once(rest)))
    };
    let under_way = futures_util::future::join_all((0..4).map(|_| uploaded(&world, &tenant, slow())));
    let meanwhile = async {
        eventually("four are under way", async || world.db.count("select count(*) from media").await == 4).await;
        let (status, answer) = uploaded(&world, &tenant, vec![1_u8; 10]).await;
        assert_eq!((status, &answer["code"]), (429, &"too_many_uploads".into()), "{answer}");
        assert_eq!(uploaded(&world, &other, vec![1_u8; 10]).await.0, 201);
        end.send(true).unwrap();
    };
    let (answers, ()) = futures_util::future::join(under_way, meanwhile).await;
    assert!(answers.iter().all(|(status, file)| *status == 201 && file["size"] == 20), "{answers:?}");
    assert_eq!(uploaded(&world, &tenant, vec![1_u8; 10]).await.0, 201);
    world.end().await;
}

/// Rows of old files, at whose places there are folders, which cannot be removed as files.
async fn put_stuck_files(world: &World, tenant: &Tenant, store: &Path, number: i32) {
    let names: Vec<String> = sqlx::query_scalar(
        "insert into media (tenant_id, id, origin, state, size, ready_at, created_at)
         select $1, 'media_stuck' || n, 'upload', 'stored', 1, $3, $3 from generate_series(1, $2) n
         returning encode(sha256(convert_to(id, 'UTF8')), 'hex')",
    )
    .bind(tenant.id)
    .bind(number)
    .bind(world.now() - TimeDelta::days(1))
    .fetch_all(&world.db.pool)
    .await
    .unwrap();
    for name in names {
        std::fs::create_dir_all(store.join(tenant.id.to_string()).join(&name[..2]).join(name)).unwrap();
    }
}

#[tokio::test]
async fn files_that_cannot_be_removed_hinder_no_others() {
    let store = tempfile::tempdir().unwrap();
    let mut world =
        World::builder().set("MEDIA_STORE", store.path().to_str().unwrap()).set("MEDIA_RETENTION", "1d").start().await;
    let tenants =
        [world.api.register("Acme", NUMBER, "token").await, world.api.register("Other", OTHER, "token").await];
    for tenant in &tenants {
        // More than are looked up at once.
        put_stuck_files(&world, tenant, store.path(), 501).await;
        let (number, id) = (&tenant.phone_number_id, format!("9{}", tenant.phone_number_id));
        world.sim.put_file(&id, File::new("image/png", *b"a picture"));
        let message = json!({ "type": "image", "image": { "id": id, "mime_type": "image/png" } });
        let delivery = world.sim.receive(Inbound::new(number, CONTACT, InboundKind::Raw(message))).await;
        assert!(delivery.is_acknowledged(), "{delivery:?}");
        eventually("it is stored", async || shown(&world, tenant, &id).await["state"] == "stored").await;
    }
    world.advance(TimeDelta::days(2));
    world.restart().await;
    let others = "select count(*) from media where id not like 'media_stuck%'";
    eventually("what can be removed is removed", async || world.db.count(others).await == 0).await;
    assert_eq!(world.db.count("select count(*) from media").await, 1002, "the others wait for the next look");
    world.end().await;
}
