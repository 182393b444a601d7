//! Uploads that are refused: with a code and words that say why, and without harm to others.

use hoopoe_hostile_guests::{WIT, bombs, embed, encode, guest};

use crate::common::Stage;

struct Refusal {
    name: &'static str,
    upload: Vec<u8>,
    reasons: &'static [&'static str],
    words: &'static str,
}

fn refusal(name: &'static str, upload: Vec<u8>, reasons: &'static [&'static str], words: &'static str) -> Refusal {
    Refusal { name, upload, reasons, words }
}

/// Each is refused with 400, one of the reasons, and the words.
async fn refuse(cases: Vec<Refusal>) {
    let stage = Stage::start().await;
    let attacker = stage.tenant().await;
    for Refusal { name, upload, reasons, words } in cases {
        let (status, answer) = stage.meanwhile(name, stage.put(&attacker, "?activate=true", upload)).await;
        let short: String = answer.to_string().chars().take(1000).collect();
        assert_eq!((status, &answer["code"]), (400, &"plugin_refused".into()), "{name}: {short}");
        let reason = answer["details"]["reason"].as_str().unwrap_or_default();
        assert!(reasons.contains(&reason), "{name}: {short}");
        assert!(answer["message"].as_str().unwrap().contains(words), "{name}: {short}");
        assert!(answer.to_string().len() < 16 << 10, "{name}: an answer of {} bytes", answer.to_string().len());
    }
    let path = format!("/tenants/{}/plugins", attacker.id);
    let (_, plugins) = stage.world.api.get(&path, &attacker.key).await;
    assert_eq!(plugins["plugins"], serde_json::json!([]), "nothing is kept");
    stage.end().await;
}

/// A plugin whose WIT has more in it than the contract, and which imports that.
fn with_import(wit: &str, import: &str) -> Vec<u8> {
    encode(&embed_with(wit, import))
}

fn embed_with(wit: &str, import: &str) -> Vec<u8> {
    let handler = "hoopoe:flow/handler@0.1.0#";
    let module = format!(
        r#"(module {import} (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
            (func (export "{handler}describe") (result i32) unreachable)
            (func (export "{handler}on-event") (param i32) (result i32) unreachable)
            (func (export "{handler}migrate-state") (param i32 i32 i32 i32) (result i32) unreachable))"#
    );
    embed(&module, wit)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn start_and_describe() {
    let failed = &["describe-failed"];
    refuse(vec![
        refusal("loop-in-start", guest("loop-in-start"), failed, ""),
        refusal("loop-in-describe", guest("loop-in-describe"), failed, ""),
        refusal("recursion-in-describe", guest("recursion-in-describe"), failed, "stack"),
        refusal("memory-in-describe", guest("memory-in-describe"), failed, "67108864 bytes of memory"),
        refusal("trap-in-start", guest("trap-in-start"), failed, "unreachable"),
        refusal("trap-in-describe", guest("trap-in-describe"), failed, "out of bounds"),
        refusal("panic-in-describe", guest("panic-in-describe"), failed, "panicked: xxxx"),
        refusal("utf8-in-manifest", guest("utf8-in-manifest"), failed, ""),
        refusal("manifest-huge", guest("manifest-huge"), failed, "output"),
        refusal("manifest-name", guest("manifest-name"), &["malformed-manifest"], "the name"),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_that_is_declared() {
    let refused = &["not-compilable", "describe-failed"];
    refuse(vec![
        refusal("memory-declared", guest("memory-declared"), refused, "memory"),
        refusal("table-declared", guest("table-declared"), refused, "table"),
        refusal("tables-declared", guest("tables-declared"), refused, "tables"),
        refusal("instances-many", guest("instances-many"), &["not-compilable", "wrong-world"], ""),
        refusal("sparse-data", bombs::sparse_data(), &["not-compilable", "wrong-world"], ""),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worlds_and_imports() {
    let files = WIT.replace("import host;", "import host;\n import files;")
        + "\ninterface files { read: func(path: string) -> string; }";
    let grown = WIT.replace("abort: func(message: string);", "abort: func(message: string); secret: func() -> u32;");
    let root = WIT.replace("import host;", "import host;\n import system: func(command: u32) -> u32;");
    let many = (0..2000).map(|n| format!("(import \"{}{n}\" (instance))", "x".repeat(1000))).collect::<String>();
    let many = format!("(component {many} (instance $h) (export \"hoopoe:flow/handler@0.1.0\" (instance $h)))");
    let read = r#"(import "hoopoe:flow/files@0.1.0" "read" (func (param i32 i32 i32)))"#;
    let secret = r#"(import "hoopoe:flow/host@0.1.0" "secret" (func (result i32)))"#;
    let system = r#"(import "$root" "system" (func (param i32) (result i32)))"#;
    let env = embed_with(WIT, "");
    let mut foreign = wat::parse_str(r#"(module (import "env" "system" (func (param i32) (result i32))))"#).unwrap();
    // The foreign import with the WIT of a good plugin.
    foreign.extend_from_slice(&env[env.windows(14).position(|window| window == b"component-type").unwrap_or(0)..]);
    refuse(vec![
        refusal("imports-everything", guest("imports-everything"), &["forbidden-import"], "wasi:http/outgoing-handler"),
        refusal("imports-files", with_import(&files, read), &["forbidden-import"], "hoopoe:flow/files@0.1.0"),
        refusal("imports-system", with_import(&root, system), &["forbidden-import"], "system"),
        refusal("imports-more-of-host", with_import(&grown, secret), &["wrong-world"], "secret"),
        refusal("imports-many", wat::parse_str(many).unwrap(), &["forbidden-import", "not-compilable"], ""),
        refusal("handler-empty", guest("handler-empty"), &["wrong-world"], "describe"),
        refusal("module-of-env", foreign, &["not-componentizable", "not-compilable"], ""),
        refusal("script", b"#!/bin/sh\nrm -rf /\n".to_vec(), &["not-wasm"], "no WebAssembly"),
        refusal("machine-code", b"\x7fELF\x02\x01\x01\0".to_vec(), &["precompiled"], "never accepted"),
        refusal("nothing", Vec::new(), &["not-wasm"], "no WebAssembly"),
    ])
    .await;
}

/// What plugins do not need is switched off, so that nobody can attack it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn features_that_are_off() {
    let cases = [
        ("memory64", "(memory (export \"memory\") i64 1)"),
        ("threads", "(memory (export \"memory\") 17 17 shared)"),
        ("atomics", "(func $a (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1))))"),
        ("tail-calls", "(func $a (return_call $a))"),
        ("garbage-collection", "(type $s (struct (field i32))) (func $a (drop (struct.new_default $s)))"),
        ("exceptions", "(tag $t) (func $a (throw $t))"),
        ("relaxed-simd", "(func $a (param v128) (drop (i32x4.relaxed_trunc_f32x4_s (local.get 0))))"),
        ("wide-arithmetic", "(func $a (drop (drop (i64.mul_wide_s (i64.const 1) (i64.const 1)))))"),
        (
            "multi-memory",
            "(memory (export \"memory\") 17) (memory $two 1) (func $a (drop (i32.load $two (i32.const 0))))",
        ),
        ("page-sizes", "(memory (export \"memory\") 1114112 (pagesize 1))"),
    ];
    let stage = Stage::start().await;
    let attacker = stage.tenant().await;
    for (name, fields) in cases {
        // What is no plugin besides is not seen before it is compiled.
        let upload = wat::parse_str(format!("(component (core module {fields}))")).unwrap();
        let (status, answer) = stage.meanwhile(name, stage.put(&attacker, "", upload)).await;
        assert_eq!(status, 400, "{name}: {answer}");
        assert_eq!(answer["details"]["reason"], "not-compilable", "{name}: {answer}");
    }
    stage.end().await;
}
