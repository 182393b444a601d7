//! That Meta takes a message lets a channel go on that it had refused, and not one that a status has suspended.

use chrono::{DateTime, TimeDelta, Utc};
use hoopoe_secrets::Sealed;
use hoopoe_store::Store;
use hoopoe_store::journal::Progress;

use crate::ground::Ground;

const NUMBER: &str = "106540352242922";

/// When the channel was tried last, while it is suspended.
async fn tried_at(ground: &Ground, store: &Store) -> Option<DateTime<Utc>> {
    let sender = store.sender(ground.tenant_id, ground.channel_id).await.unwrap().unwrap();
    sender.suspended.map(|(at, _)| at)
}

#[tokio::test]
async fn only_what_was_refused_goes_on_when_it_is_taken() {
    let ground = Ground::new().await;
    let (store, tenant, channel) = (ground.process(), ground.tenant_id, ground.channel_id);
    let token = Sealed { key_id: "k".to_owned(), bytes: vec![1; 40] };
    store.suspend_channel(tenant, channel, None, "unpaid").await.unwrap();
    ground.ambient.advance(TimeDelta::minutes(1));
    assert!(!store.resume_refused_channel(tenant, channel).await.unwrap());
    store.suspended_channel_took(tenant, channel).await.unwrap();
    assert_eq!(tried_at(&ground, &store).await, Some(ground.ambient.now()), "the next one waits from here");
    let stranger = Progress {
        item: ground.item("status", "s1"),
        wa_message_id: "wamid.of.nobody".to_owned(),
        message_id: None,
        status: "delivered".to_owned(),
        error: None,
        for_flow: false,
    };
    assert!(!store.resume_reported_channel(&stranger).await.unwrap());

    // The latest reason counts.
    store.suspend_channel(tenant, channel, Some(&token), "refused").await.unwrap();
    store.suspended_channel_took(tenant, channel).await.unwrap();
    assert!(store.resume_refused_channel(tenant, channel).await.unwrap());
    assert_eq!(tried_at(&ground, &store).await, None);
    store.suspend_channel(tenant, channel, None, "unpaid").await.unwrap();
    assert!(store.resume_channel(tenant, NUMBER, None, None).await.unwrap(), "the tenant says so");
    assert_eq!(tried_at(&ground, &store).await, None);
}

/// A process of the release before knows nothing of statuses that suspend, and leaves behind what is known of one.
#[tokio::test]
async fn what_the_release_before_suspends_goes_on_when_it_is_taken() {
    let ground = Ground::new().await;
    let (store, tenant, channel) = (ground.process(), ground.tenant_id, ground.channel_id);
    store.suspend_channel(tenant, channel, None, "unpaid").await.unwrap();
    ground.db.execute("update channels set suspended_at = null, suspended_reason = null").await;
    assert_eq!(tried_at(&ground, &store).await, None);
    assert!(store.resume_refused_channel(tenant, channel).await.unwrap(), "nothing keeps it");
    let refused = "update channels set suspended_at = taken_at + interval '1 minute', suspended_reason = 'refused'";
    ground.db.execute(refused).await;
    assert_eq!(tried_at(&ground, &store).await, Some(ground.ambient.now() + TimeDelta::minutes(1)));
    assert!(store.resume_refused_channel(tenant, channel).await.unwrap());
    assert_eq!(tried_at(&ground, &store).await, None);
}
