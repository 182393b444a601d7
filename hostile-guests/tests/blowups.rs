//! Small uploads that mean much work or much room, for the compiler first.

#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use common::Stage;
use hoopoe_hostile_guests::bombs;

/// Every bomb is refused, or is no bomb: then it is refused for not being a plugin.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compile_bombs() {
    let stage = Stage::start().await;
    let attacker = stage.tenant().await;
    for (name, upload) in [
        ("many-locals", bombs::many_locals(2_000)),
        ("huge-function", bombs::huge_function(400_000)),
        ("deep-blocks", bombs::deep_blocks(300_000)),
        ("joins", bombs::joins(2_000, 2_000)),
        ("jump-tables", bombs::jump_tables(40)),
    ] {
        let size = upload.len();
        let (status, answer) = stage.meanwhile(name, stage.put(&attacker, "", upload)).await;
        println!("{name}: {size} bytes: {status} {answer}");
    }
    stage.end().await;
}
