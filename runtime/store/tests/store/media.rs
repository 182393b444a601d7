//! The queue of files to fetch: who owns one, and for how long.

use chrono::TimeDelta;
use hoopoe_store::http_calls::Share;
use hoopoe_store::journal::{Arrival, Inbound};
use hoopoe_store::lanes::Births;
use hoopoe_store::media::{Fetched, InboundFile};
use std::collections::HashMap;
use std::sync::Arc;

use crate::ground::Ground;

const LEASE: TimeDelta = TimeDelta::seconds(10);

fn share() -> Share {
    Share { under_way: HashMap::new(), most: 10 }
}

/// A message of this id with a file of that one.
fn with_file(ground: &Ground, id: &str, file: &str) -> Arc<Arrival> {
    let Arrival::Message(message) = Arc::try_unwrap(ground.message("16505551234", id)).unwrap() else { unreachable!() };
    let file = InboundFile { id: file.to_owned(), mime_type: None, filename: None, sha256: None };
    Arc::new(Arrival::Message(Inbound { file: Some(file), ..message }))
}

#[tokio::test]
async fn a_file_has_one_owner_until_its_lease_is_over() {
    let ground = Ground::new().await;
    let (one, two) = (ground.process(), ground.process());
    // The same file in two messages, and in a message that comes again, is one file.
    for id in ["wamid.1", "wamid.2", "wamid.1"] {
        one.append(&[with_file(&ground, id, "77")], Births::NONE).await.unwrap();
    }
    let [first] = &one.claim_media(10, LEASE, share()).await.unwrap()[..] else { panic!("one file waits") };
    assert_eq!((first.lease.id.as_str(), first.attempt, first.channel_id), ("77", 1, ground.channel_id));
    assert!(two.claim_media(10, LEASE, share()).await.unwrap().is_empty());

    // A sign of life puts the end off.
    ground.ambient.advance(LEASE / 2);
    assert!(one.extend_media(&first.lease, ground.ambient.now() + LEASE).await.unwrap());
    ground.ambient.advance(LEASE / 2);
    assert!(two.claim_media(10, LEASE, share()).await.unwrap().is_empty());
    assert_eq!(two.next_media(&share()).await.unwrap(), Some(ground.ambient.now() + LEASE / 2));

    // Without one another takes it over, and the former owner has no say.
    ground.ambient.advance(LEASE / 2);
    let [second] = &two.claim_media(10, LEASE, share()).await.unwrap()[..] else { panic!("it waits again") };
    assert_eq!(second.attempt, 2);
    let failed = Fetched::Failed { reason: "late".to_owned() };
    assert!(!one.settle_media(&first.lease, &failed).await.unwrap());
    assert!(!one.extend_media(&first.lease, ground.ambient.now() + LEASE).await.unwrap());

    // What was no fault of its own counts for nothing.
    let at = ground.ambient.now() + TimeDelta::seconds(1);
    let again = Fetched::Again { at, reason: "token".to_owned(), counts: false };
    assert!(two.settle_media(&second.lease, &again).await.unwrap());
    let known = one.media(ground.tenant_id, "77").await.unwrap().unwrap();
    assert_eq!((known.state.as_str(), known.reason.as_deref()), ("pending", Some("token")));
    assert!(one.claim_media(10, LEASE, share()).await.unwrap().is_empty(), "not before its time");
    ground.ambient.advance(TimeDelta::seconds(1));
    let full = Share { under_way: HashMap::from([(ground.tenant_id, 1)]), most: 1 };
    assert!(one.claim_media(10, LEASE, full.clone()).await.unwrap().is_empty(), "the tenant has its share");
    assert_eq!(one.next_media(&full).await.unwrap(), None);
    let [third] = &one.claim_media(10, LEASE, share()).await.unwrap()[..] else { panic!("it waits again") };
    assert_eq!(third.attempt, 2);
    let stored = Fetched::Stored { size: 3, mime_type: "image/png".to_owned(), sha256: [1; 32] };
    assert!(one.settle_media(&third.lease, &stored).await.unwrap());
    assert!(!one.settle_media(&third.lease, &stored).await.unwrap(), "once");
    let known = one.media(ground.tenant_id, "77").await.unwrap().unwrap();
    assert_eq!((known.state.as_str(), known.size, known.reason), ("stored", Some(3), None));
    assert_eq!(one.next_media(&share()).await.unwrap(), None);
}

#[tokio::test]
async fn meta_s_id_of_an_upload_goes_with_its_time_and_its_file() {
    let ground = Ground::new().await;
    let store = ground.process();
    let (tenant, channel) = (ground.tenant_id, ground.channel_id);
    let now = ground.ambient.now();
    store.keep_meta_media(tenant, "media_1", channel, "70", now + TimeDelta::days(30)).await.unwrap();
    assert_eq!(store.meta_media(tenant, "media_1", channel, now).await.unwrap(), None, "there is no such file");

    store.begin_upload(tenant, "media_1", "image/png", None).await.unwrap();
    store.end_upload(tenant, "media_1", 3, &[1; 32]).await.unwrap();
    for id in ["70", "71"] {
        store.keep_meta_media(tenant, "media_1", channel, id, now + TimeDelta::days(30)).await.unwrap();
    }
    let at = async |days| store.meta_media(tenant, "media_1", channel, now + TimeDelta::days(days)).await.unwrap();
    assert_eq!((at(29).await.as_deref(), at(30).await), (Some("71"), None));
    store.forget_meta_media(tenant, "media_1", channel, "70").await.unwrap();
    assert_eq!(at(1).await.as_deref(), Some("71"), "another id than the one that is gone");
    store.forget_meta_media(tenant, "media_1", channel, "71").await.unwrap();
    assert_eq!(at(1).await, None);
    store.keep_meta_media(tenant, "media_1", channel, "72", now + TimeDelta::days(30)).await.unwrap();
    assert!(store.delete_media(tenant, "media_1").await.unwrap());
    assert_eq!(at(1).await, None);
    assert!(!store.delete_media(tenant, "media_1").await.unwrap());
}
