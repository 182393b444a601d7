//! Small uploads that mean much work or much room, for the compiler first.

use hoopoe_hostile_guests::{bombs, guest};
use serde_json::json;

use crate::common::Stage;

/// What takes too long is stopped, and what does not is refused for being no plugin.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compile_bombs() {
    let stage = Stage::start().await;
    let attacker = stage.tenant().await;
    let exceeded = &["compile-cpu", "compile-memory"];
    let cases: [(&str, Vec<u8>, &[&str]); 9] = [
        ("types-doubling", guest("types-doubling"), &["not-compilable"]),
        ("repeated-types", bombs::repeated_types(1_000_001), &["not-compilable"]),
        ("nested-components", bombs::nested_components(2_000), &["wrong-world", "not-compilable"]),
        ("many-functions", bombs::many_functions(1_000_000), exceeded),
        ("many-locals", bombs::many_locals(20_000), exceeded),
        ("huge-function", bombs::huge_function(700_000), exceeded),
        ("deep-blocks", bombs::deep_blocks(300_000), exceeded),
        ("joins", bombs::joins(2_000, 2_000), exceeded),
        ("jump-tables", bombs::jump_tables(190), &["not-compilable"]),
    ];
    for (name, upload, reasons) in cases {
        let size = upload.len();
        let (status, answer) = stage.meanwhile(name, stage.put(&attacker, "", upload)).await;
        println!("{name}: {size} bytes: {answer}");
        let reason = answer["details"]["reason"].as_str().unwrap_or_default();
        assert!(status == 400 && reasons.contains(&reason), "{name}: {status} {answer}");
    }
    stage.end().await;
}

/// Plugins that are padded with what means nothing are taken for what they are, up to the size that is allowed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn padding() {
    const LARGEST: usize = 32 << 20;
    let stage = Stage::start().await;
    let attacker = stage.tenant().await;
    let plugin = guest("answers-one");
    let fits = bombs::padded(&plugin, LARGEST - plugin.len() - 20);
    assert!(fits.len() <= LARGEST && fits.len() > LARGEST - 20);
    let (status, answer) = stage.meanwhile("padded", stage.put(&attacker, "?activate=true", fits)).await;
    assert_eq!(status, 201, "{answer}");
    assert_eq!(stage.says(&attacker, "hello").await.result(), "done");
    let (status, answer) =
        stage.meanwhile("padded too much", stage.put(&attacker, "", bombs::padded(&plugin, LARGEST))).await;
    assert_eq!((status, &answer["code"]), (413, &json!("too_large")), "{answer}");
    stage.end().await;
}

/// What is known of a plugin stays small, whatever it exports.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_exports() {
    let stage = Stage::start().await;
    let attacker = stage.tenant().await;
    let plugin = bombs::many_exports(&guest("answers-one"), 100_000);
    let (status, answer) = stage.meanwhile("many-exports", stage.put(&attacker, "?activate=true", plugin)).await;
    let size = answer.to_string().len();
    println!("{status}: an answer of {size} bytes");
    let (_, listed) = stage.world.api.get(&format!("/tenants/{}/plugins/evil", attacker.id), &attacker.key).await;
    println!("listed: {}", listed.to_string().len());
    assert!(size < 64 << 10, "{status}: an answer of {size} bytes");
    stage.end().await;
}
