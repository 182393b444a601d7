//! A server that says nothing is as one that is away.

use std::time::{Duration, Instant};

use hoopoe_store::Error;
use hoopoe_store::group::Turns;
use hoopoe_store::journal::Kept;
use hoopoe_testing::{At, PATIENCE, Proxy};

use crate::ground::{Ground, journal};

#[tokio::test]
async fn all_that_wait_for_a_silent_server_hear_that_it_is_away_and_come_again_meanwhile() {
    let ground = Ground::new().await;
    let proxy = Proxy::start(&ground.db.url).await;
    let mut store = ground.process_by(&proxy.url());
    store.turns = Turns::new(1).bounded(Duration::from_secs(2));
    // One by one, so that the second waits behind the first.
    let journal = journal(&store, 1);
    let message = |id: &str| ground.message("16505551234", id);
    let written = async |id: &str| journal.write_until(message(id), Instant::now() + PATIENCE, |_| {}).await.unwrap();
    assert_eq!(written("wamid.before").await, Kept::New);

    proxy.once(At::Answer, "insert into events");
    for answer in ["wamid.held", "wamid.behind"].map(|id| journal.submit(message(id)).unwrap()) {
        let heard = tokio::time::timeout(PATIENCE, answer.committed()).await.unwrap();
        assert!(matches!(heard, Err(Error::Unavailable(_))), "{heard:?}");
    }
    proxy.happened().await;
    // The answer is held still: what comes again has another connection, and the outcome that was unknown is found.
    assert_eq!(written("wamid.held").await, Kept::Repeated);
    assert_eq!(written("wamid.behind").await, Kept::New);
    proxy.release();
    assert_eq!(written("wamid.after").await, Kept::New);
    assert_eq!(ground.db.count("select count(*) from events").await, 4);
    store.close().await;
}
