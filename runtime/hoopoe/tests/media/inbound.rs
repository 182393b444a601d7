//! Files that come in.

use chrono::TimeDelta;
use hoopoe_testing::{Tenant, World, eventually};
use meta_sim::{File, Inbound, InboundKind};
use serde_json::{Value, json};

use crate::{CONTACT, NUMBER, follow, shown};

/// A contact sends the file of this id; Meta says the type, and nothing of its digest.
async fn comes(world: &World, kind: &str, id: &str, mime_type: &str) {
    let message = json!({ "type": kind, kind: { "id": id, "mime_type": mime_type } });
    let delivery = world.sim.receive(Inbound::new(NUMBER, CONTACT, InboundKind::Raw(message))).await;
    assert!(delivery.is_acknowledged(), "{delivery:?}");
}

/// Waits until an attempt was made: the file is here, was given up, or says why not yet.
async fn tried(world: &World, tenant: &Tenant, id: &str) -> Value {
    eventually(&format!("{id} is tried"), async || {
        let file = shown(world, tenant, id).await;
        file["state"] != "pending" || !file["reason"].is_null()
    })
    .await;
    shown(world, tenant, id).await
}

#[tokio::test]
async fn a_file_is_kept_and_shown_by_its_link() {
    let world = World::start().await;
    let tenant = world.api.register("Acme", NUMBER, "token").await;
    let other = world.api.register("Other", "106540352242999", "token").await;
    let bytes: Vec<u8> = (0..600_000_u32).map(|n| (n % 251) as u8).collect();
    let file = File::new("image/jpeg", bytes.clone());
    world.sim.put_file("501", file.clone());
    comes(&world, "image", "501", "image/jpeg").await;
    let known = tried(&world, &tenant, "501").await;
    assert_eq!((&known["state"], &known["origin"]), (&"stored".into(), &"inbound".into()), "{known}");
    assert_eq!((&known["mimeType"], &known["size"]), (&"image/jpeg".into(), &600_000.into()), "{known}");
    assert_eq!(known["sha256"], file.sha256);

    let url = known["url"].as_str().unwrap();
    let answer = follow(&world, url, None).await;
    assert_eq!(answer.status(), 200);
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert_eq!((header("content-type"), header("x-content-type-options")), ("image/jpeg".into(), "nosniff".into()));
    assert_eq!((header("content-length"), header("content-disposition")), ("600000".into(), "inline".into()));
    assert_eq!(answer.bytes().await.unwrap(), bytes);
    assert_eq!(follow(&world, &format!("/api{url}"), None).await.status(), 200);
    for (range, status, part) in [
        ("bytes=0-9", 206, 0..10),
        ("bytes=599990-", 206, 599_990..600_000),
        ("bytes=-5", 206, 599_995..600_000),
        ("bytes=599990-700000", 206, 599_990..600_000),
        ("lines=1-2", 200, 0..600_000),
    ] {
        let answer = follow(&world, url, Some(range)).await;
        assert_eq!(answer.status(), status, "{range}");
        assert_eq!(answer.bytes().await.unwrap(), bytes[part], "{range}");
    }
    assert_eq!(follow(&world, url, Some("bytes=600000-")).await.status(), 416);

    // Not without the signature, nor for another file, nor by another tenant.
    let (path, query) = url.split_once('?').unwrap();
    let others = path.replace(&tenant.id.to_string(), &other.id.to_string());
    for forged in
        [path.to_owned(), format!("{path}0?{query}"), format!("{others}?{query}"), url[..url.len() - 2].to_owned()]
    {
        assert_eq!(follow(&world, &forged, None).await.status(), 403, "{forged}");
    }
    let (status, _) = world.api.get(&format!("/tenants/{}/media/501", other.id), &other.key).await;
    assert_eq!(status, 404);

    // The same file again is there already.
    comes(&world, "image", "501", "image/jpeg").await;
    comes(&world, "document", "502", "application/pdf").await;
    assert_eq!(tried(&world, &tenant, "502").await["state"], "failed", "Meta does not have it");
    assert_eq!(world.sim.downloads(), 1);

    world.advance(TimeDelta::minutes(11));
    assert_eq!(follow(&world, url, None).await.status(), 410);
    let again = shown(&world, &tenant, "501").await;
    assert_eq!(follow(&world, again["url"].as_str().unwrap(), None).await.status(), 200);
    world.end().await;
}

#[tokio::test]
async fn what_is_not_to_be_kept_says_why() {
    let world = World::builder().set("MEDIA_TYPES", "image/*,text/plain").set("MEDIA_MAX_SIZE", "1000").start().await;
    let tenant = world.api.register("Acme", NUMBER, "token").await;
    let plain = || File::new("image/png", *b"a picture");
    let elsewhere = |url: &str| File { url: Some(url.to_owned()), ..plain() };
    let cases = [
        ("601", Some(File::new("image/png", vec![7; 1001])), "image/png", "failed", "MEDIA_MAX_SIZE"),
        ("602", Some(plain()), "application/zip", "failed", "MEDIA_TYPES"),
        ("603", None, "image/png", "failed", "does not exist"),
        ("604", Some(elsewhere("http://files.example.com/1")), "image/png", "failed", "https"),
        ("605", Some(elsewhere("https://127.0.0.1:9/1")), "image/png", "failed", "refused"),
        ("606", Some(elsewhere("https://169.254.169.254/latest")), "image/png", "failed", "refused"),
        ("607", Some(elsewhere("file:///etc/passwd")), "image/png", "failed", "file is not allowed"),
        ("608", Some(File { sha256: "0".repeat(64), ..plain() }), "image/png", "pending", "digest"),
        // Public, by https, and nobody knows it.
        ("610", Some(elsewhere("https://files.example.com/1")), "image/png", "pending", "MEDIA_HOSTS"),
        ("611", Some(elsewhere("https://fbcdn.net.example.com/1")), "image/png", "pending", "MEDIA_HOSTS"),
        ("609", Some(File::new("image/png", vec![7; 1000])), "image/png", "stored", ""),
    ];
    for (id, file, mime_type, state, reason) in cases {
        if let Some(file) = file {
            world.sim.put_file(id, file);
        }
        comes(&world, "image", id, mime_type).await;
        let known = tried(&world, &tenant, id).await;
        assert_eq!(known["state"], state, "{known}");
        assert!(known["reason"].as_str().unwrap_or_default().contains(reason), "{reason}: {known}");
        assert_eq!(known["url"].is_string(), state == "stored", "{known}");
    }
    // Altered bytes are no reason to give up at once, but they are one in the end.
    let before = world.sim.downloads();
    eventually("it is given up", async || {
        world.advance(TimeDelta::minutes(30));
        shown(&world, &tenant, "608").await["state"] == "failed"
    })
    .await;
    assert!(world.sim.downloads() > before);
    world.end().await;
}

#[tokio::test]
async fn what_passes_is_tried_again_and_also_by_the_next_process() {
    let mut world = World::start().await;
    let tenant = world.api.register("Acme", NUMBER, "token").await;
    world.sim.put_file("701", File::new("audio/ogg", *b"a voice"));
    world.sim.fail_downloads(503, 2);
    comes(&world, "audio", "701", "audio/ogg; codecs=opus").await;
    let known = tried(&world, &tenant, "701").await;
    assert_eq!(known["state"], "pending", "{known}");
    assert!(known["reason"].as_str().unwrap().contains("503"), "{known}");
    world.advance(TimeDelta::seconds(10));
    eventually("the second attempt", async || world.sim.downloads() == 2).await;
    world.stop().await;
    world.restart().await;
    world.advance(TimeDelta::seconds(20));
    eventually("it is stored", async || shown(&world, &tenant, "701").await["state"] == "stored").await;
    let known = shown(&world, &tenant, "701").await;
    assert_eq!((&known["mimeType"], &known["reason"]), (&"audio/ogg; codecs=opus".into(), &Value::Null));
    assert_eq!(world.sim.downloads(), 3);
    world.end().await;
}

#[tokio::test]
async fn a_refused_token_costs_no_attempt_and_a_new_one_brings_the_file() {
    let world = World::start().await;
    let tenant = world.api.register("Acme", NUMBER, "token").await;
    world.sim.revoke("token");
    world.sim.put_file("801", File::new("image/png", *b"a picture"));
    comes(&world, "image", "801", "image/png").await;
    let known = tried(&world, &tenant, "801").await;
    let reason = known["reason"].as_str().unwrap();
    // By Meta's words, or by those of a look at the token that was faster.
    let is_said = reason.contains("(#190)") || reason.contains("suspended");
    assert!(known["state"] == "pending" && is_said, "{known}");
    for _ in 0..12 {
        world.advance(TimeDelta::minutes(5));
    }
    assert_eq!(shown(&world, &tenant, "801").await["state"], "pending");
    let path = format!("/tenants/{}/channels/{NUMBER}", tenant.id);
    assert_eq!(world.api.put(&path, &tenant.key, &json!({ "accessToken": "better" })).await.0, 200);
    eventually("it is stored", async || {
        world.advance(TimeDelta::minutes(5));
        shown(&world, &tenant, "801").await["state"] == "stored"
    })
    .await;
    world.end().await;
}

#[tokio::test]
async fn nothing_is_asked_for_while_the_number_is_suspended() {
    let world = World::start().await;
    let tenant = world.api.register("Acme", NUMBER, "token").await;
    let channel: uuid::Uuid = sqlx::query_scalar("select id from channels").fetch_one(&world.db.pool).await.unwrap();
    world.store().suspend_channel(tenant.id, channel, None, "Meta said no").await.unwrap();
    world.sim.put_file("811", File::new("image/png", *b"a picture"));
    comes(&world, "image", "811", "image/png").await;
    let known = tried(&world, &tenant, "811").await;
    let reason = known["reason"].as_str().unwrap();
    assert!(known["state"] == "pending" && reason.contains("suspended: Meta said no"), "{known}");
    assert_eq!(world.sim.downloads(), 0);
    let path = format!("/tenants/{}/channels/{NUMBER}", tenant.id);
    assert_eq!(world.api.put(&path, &tenant.key, &json!({ "accessToken": "better" })).await.0, 200);
    eventually("it is stored", async || {
        world.advance(TimeDelta::minutes(5));
        shown(&world, &tenant, "811").await["state"] == "stored"
    })
    .await;
    world.end().await;
}

#[tokio::test]
async fn a_browser_is_told_one_plain_type_or_none() {
    let world = World::start().await;
    let tenant = world.api.register("Acme", NUMBER, "token").await;
    let (two, any) = ("image/png, text/html", "application/octet-stream");
    for (id, of_message, at_meta, expected, disposition) in [
        ("821", two, "image/png", "image/png", "inline"),
        ("822", two, two, any, "attachment"),
        ("823", "image/svg+xml", two, "image/svg+xml", "attachment"),
    ] {
        world.sim.put_file(id, File::new(at_meta, *b"<script>"));
        comes(&world, "image", id, of_message).await;
        let known = tried(&world, &tenant, id).await;
        assert_eq!((&known["state"], &known["mimeType"]), (&"stored".into(), &expected.into()), "{known}");
        let answer = follow(&world, known["url"].as_str().unwrap(), None).await;
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert_eq!((header("content-type"), header("content-disposition")), (expected.into(), disposition.into()));
    }
    // Whatever the row says.
    sqlx::query("update media set mime_type = $1").bind(two).execute(&world.db.pool).await.unwrap();
    let url = shown(&world, &tenant, "821").await["url"].as_str().unwrap().to_owned();
    let answer = follow(&world, &url, None).await;
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert_eq!((header("content-type"), header("content-disposition")), (any.into(), "attachment".into()));
    world.end().await;
}

#[tokio::test]
async fn files_go_when_their_time_is_over() {
    let mut world = World::builder().set("MEDIA_RETENTION", "1d").set("MEDIA_LINK_LIFE", "30d").start().await;
    let tenant = world.api.register("Acme", NUMBER, "token").await;
    world.sim.put_file("901", File::new("image/png", *b"a picture"));
    comes(&world, "image", "901", "image/png").await;
    let url = tried(&world, &tenant, "901").await["url"].as_str().unwrap().to_owned();
    world.advance(TimeDelta::days(2));
    world.sim.put_file("902", File::new("image/png", *b"a later picture"));
    comes(&world, "image", "902", "image/png").await;
    tried(&world, &tenant, "902").await;
    world.restart().await;
    let path = |id: &str| format!("/tenants/{}/media/{id}", tenant.id);
    eventually("it is gone", async || world.api.get(&path("901"), &tenant.key).await.0 == 404).await;
    assert_eq!(follow(&world, &url, None).await.status(), 410);
    let later = shown(&world, &tenant, "902").await["url"].as_str().unwrap().to_owned();
    assert_eq!(follow(&world, &later, None).await.status(), 200);
    assert_eq!(world.api.delete(&path("902"), &tenant.key).await.0, 204);
    assert_eq!(follow(&world, &later, None).await.status(), 410);
    world.end().await;
}
