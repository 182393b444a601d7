//! What is no plugin is refused with an error that says what it is instead.

use hoopoe_sandbox::load::Error;
use hoopoe_sandbox::{Failure, Limits};

use crate::common::{DESCRIBE, WIT, component, core, encode, guest, sandbox};

async fn refused(bytes: &[u8], limits: Limits) -> Error {
    sandbox(limits).load(bytes).await.expect_err("this is no plugin")
}

#[tokio::test]
async fn other_files_are_told_from_components() {
    let limits = Limits::default;
    assert_eq!(refused(b"", limits()).await, Error::NotWasm);
    assert_eq!(refused(b"#!/bin/sh\n", limits()).await, Error::NotWasm);
    assert_eq!(refused(&wat::parse_str("(module)").unwrap(), limits()).await, Error::NotComponent);
    let small = Limits { component_bytes: 10, ..limits() };
    assert_eq!(refused(&[0; 11], small).await, Error::TooLarge { size: 11, limit: 10 });
    let mut cut = component("auto-reply");
    cut.truncate(5000);
    assert!(matches!(refused(&cut, limits()).await, Error::Compile(_)));
}

#[tokio::test]
async fn a_component_of_another_world_is_told_what_is_missing() {
    let cases = [
        ("(component)", "it does not export hoopoe:flow/handler@0.1.0"),
        (r#"(component (instance $i) (export "hoopoe:flow/handler@0.1.0" (instance $i)))"#, "describe"),
    ];
    for (wat, words) in cases {
        let error = refused(&wat::parse_str(wat).unwrap(), Limits::default()).await;
        assert!(matches!(error, Error::WrongWorld { .. }), "{error:?}");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[tokio::test]
async fn a_newer_contract_is_named() {
    let bytes = encode(&core(DESCRIBE, "unreachable", "").replace("0.1.0", "0.2.0"), &WIT.replace("0.1.0", "0.2.0"));
    assert_eq!(refused(&bytes, Limits::default()).await, Error::NewerContract { found: "0.2.0".into() });
}

#[tokio::test]
async fn imports_beyond_the_contract_are_forbidden_by_name() {
    let wit =
        WIT.replace("import host;", "import host;\n import files;") + "\ninterface files { read: func() -> string; }";
    let import = r#"(import "hoopoe:flow/files@0.1.0" "read" (func (param i32)))"#;
    let error = refused(&encode(&core(DESCRIBE, "unreachable", import), &wit), Limits::default()).await;
    assert_eq!(error, Error::ForbiddenImport { names: vec!["hoopoe:flow/files@0.1.0".into()] });
    assert!(error.to_string().contains("files"), "{error}");
}

#[tokio::test]
async fn a_plugin_that_cannot_describe_itself_is_refused() {
    let error = refused(&guest("unreachable", "unreachable"), Limits::default()).await;
    assert!(matches!(&error, Error::Describe(Failure::Trap(_))), "{error:?}");
    let fuel = Limits { fuel: 100_000, ..Limits::default() };
    let error = refused(&guest("(loop $l (br $l)) unreachable", "unreachable"), fuel).await;
    assert_eq!(error, Error::Describe(Failure::OutOfFuel { limit: 100_000 }));
    // A name and version of no characters: the pointer leads to zeros.
    let error = refused(&guest("(i32.const 1024)", "unreachable"), Limits::default()).await;
    assert!(matches!(&error, Error::Manifest(_)), "{error:?}");
}

#[tokio::test]
async fn a_memory_beyond_the_limit_is_refused_before_it_exists() {
    let large = core(DESCRIBE, "unreachable", "")
        .replace(r#"(memory (export "memory") 2)"#, r#"(memory (export "memory") 200)"#);
    let limits = Limits { memory_bytes: 1 << 20, ..Limits::default() };
    let error = refused(&encode(&large, WIT), limits).await;
    assert!(error.to_string().contains("memory"), "{error}");
}
