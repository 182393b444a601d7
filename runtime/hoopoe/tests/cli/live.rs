//! `hoopoe live` against a real runtime.

use std::time::Duration;

use hoopoe_testing::World;

use crate::support::Developer;

#[tokio::test]
async fn what_happens_is_shown_until_the_host_goes() {
    let mut world = World::start().await;
    let tenant = world.api.register("Acme", "106540352242922", "token").await;
    let folder = tempfile::tempdir().unwrap();
    let developer = Developer::of(&world, &tenant, folder.path());
    let mut live = developer.start(&["live", "--json"]);
    // When it has begun to watch it does not say.
    let writing = async {
        loop {
            world.says(&tenant, "16505551234", "hello").await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let first = tokio::select! {
        line = live.next() => line,
        () = writing => unreachable!(),
    };
    assert!(["event", "run", "message"].map(Some).contains(&first["type"].as_str()), "{first}");
    world.idle().await;
    world.stop().await;
    assert_eq!(live.code().await, Some(4));

    let refused = developer.with("HOOPOE_URL", "http://127.0.0.1:1").run(&["live"]).await;
    assert_eq!(refused.code, 4, "{refused:?}");
    world.end().await;
}
