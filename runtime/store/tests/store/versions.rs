//! Versions of a plugin have an order of their own: that of their uploads.

use chrono::TimeDelta;
use hoopoe_store::plugins::{Inserted, NewVersion};

use crate::ground::Ground;

fn version(number: usize) -> NewVersion {
    NewVersion {
        plugin: "shop".to_owned(),
        world: "flow".to_owned(),
        // The later, the smaller.
        digest: format!("{:064x}", 100 - number),
        version: "1.0.0".to_owned(),
        events: vec!["message".to_owned()],
        config_schema: None,
        contract: "0.1.0".to_owned(),
        imports: Vec::new(),
        exports: Vec::new(),
        compile_micros: 1,
        component: vec![1],
    }
}

#[tokio::test]
async fn the_newest_is_the_one_that_came_last() {
    let ground = Ground::new().await;
    let (one, other) = (ground.process(), ground.process());
    // The clock stands: all of them have the same instant.
    for number in 0..5 {
        let process = if number % 2 == 0 { &one } else { &other };
        let inserted = process.insert_plugin_version(ground.tenant_id, &version(number)).await.unwrap();
        assert_eq!(inserted, Inserted::New);
    }
    assert_eq!(one.insert_plugin_version(ground.tenant_id, &version(1)).await.unwrap(), Inserted::Known);
    let versions = one.plugin_versions(ground.tenant_id, "shop").await.unwrap();
    let found: Vec<&str> = versions.iter().map(|version| version.digest.as_str()).collect();
    let expected: Vec<String> = (0..5).rev().map(|number| version(number).digest).collect();
    assert_eq!(found, expected);
    let distance = versions[0].created_at - versions[4].created_at;
    assert_eq!(distance, TimeDelta::microseconds(4));
}
