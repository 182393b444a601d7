//! An upload is a plugin with everything known of it, or refused with what to do about it.

use hoopoe_sandbox::load::Error;
use hoopoe_sandbox::{Digest, Inspection, Limits, World};

use crate::common::{DESCRIBE, WIT, component, core, embed, encode, guest, sandbox};

async fn inspect(bytes: &[u8]) -> Result<Inspection, Error> {
    sandbox(Limits::default()).inspect(bytes).await
}

#[tokio::test]
async fn a_component_is_told_by_everything_known_of_it() {
    let bytes = component("auto-reply");
    let sandbox = sandbox(Limits::default());
    let found = sandbox.inspect(&bytes).await.unwrap();
    assert_eq!((&found.component, found.size, found.digest), (&bytes, bytes.len(), Digest::of(&bytes)));
    assert_eq!((found.world, found.contract.as_str()), (World::Flow, "0.1.0"));
    assert_eq!(found.manifest.name, "auto-reply");
    assert!(found.imports.contains(&"hoopoe:flow/host@0.1.0".to_owned()), "{:?}", found.imports);
    assert!(found.exports.contains(&"hoopoe:flow/handler@0.1.0".to_owned()), "{:?}", found.exports);
    assert!(!found.compile_time.is_zero() && found.flow().is_some() && found.renderer().is_none());
    // It is kept: nothing is compiled again, and the same is told.
    let again = sandbox.inspect(&bytes).await.unwrap();
    assert_eq!(again.compile_time, found.compile_time);
}

#[tokio::test]
async fn a_core_module_with_its_wit_becomes_a_component() {
    let core = core(DESCRIBE, "unreachable", "");
    let found = inspect(&embed(&core, &[WIT], "flow")).await.unwrap();
    assert_eq!(found.component, encode(&core, WIT));
    assert_eq!((found.digest, found.size), (Digest::of(&found.component), found.component.len()));
}

#[tokio::test]
async fn what_is_refused_is_told_what_to_do() {
    let newer = |version| {
        let replaced = |text: &str| text.replace("0.1.0", version);
        encode(&replaced(&core(DESCRIBE, "unreachable", "")), &replaced(WIT))
    };
    let no_wit = wat::parse_str("(module)").unwrap();
    let http = wat::parse_str(
        r#"(component (import "wasi:http/outgoing-handler@0.2.0" (instance))
            (instance $i) (export "hoopoe:flow/handler@0.1.0" (instance $i)))"#,
    )
    .unwrap();
    let other = wat::parse_str(r#"(component (instance $i) (export "wasi:cli/run@0.2.0" (instance $i)))"#).unwrap();
    let both = wat::parse_str(
        r#"(component (instance $i) (export "hoopoe:flow/handler@0.1.0" (instance $i))
            (instance $j) (export "hoopoe:flow/renderer@0.1.0" (instance $j)))"#,
    )
    .unwrap();
    let unlinked = embed(&core(DESCRIBE, "unreachable", r#"(import "env" "read" (func))"#), &[WIT], "flow");
    let mut cut = component("auto-reply");
    cut.truncate(5000);
    let cases: [(&[u8], &str, &[&str]); 13] = [
        (b"", "not-wasm", &["upload the .wasm"]),
        (b"(module)", "not-wasm", &["\\0asm"]),
        (b"\x7fELF\x02\x01\x01", "precompiled", &[".cwasm", "never accepted", "made of"]),
        (&no_wit, "not-componentizable", &["carries no WIT", "hoopoe-sdk"]),
        (&unlinked, "not-componentizable", &["env"]),
        (&other, "wrong-world", &["but wasi:cli/run@0.2.0", "hoopoe:flow/handler@0.1.0", "world template"]),
        (&both, "wrong-world", &["one plugin for each"]),
        (
            &newer("0.3.0"),
            "newer-contract",
            &["made for contract 0.3.0", "needs a newer Hoopoe", "this host has 0.1.0"],
        ),
        (&newer("0.0.9"), "unknown-contract", &["0.0.9", "build it for 0.1.0"]),
        (&http, "forbidden-import", &["wasi:http/outgoing-handler@0.2.0", "`http-request`"]),
        (&cut, "not-compilable", &[]),
        (&guest("unreachable", "unreachable"), "describe-failed", &["unreachable"]),
        (&guest("(i32.const 1024)", "unreachable"), "malformed-manifest", &["the name has to be"]),
    ];
    for (bytes, code, words) in cases {
        let error = inspect(bytes).await.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(!error.is_ours(), "{error}");
        for word in words {
            assert!(error.to_string().to_lowercase().contains(&word.to_lowercase()), "{word} in {error}");
        }
    }
}

#[tokio::test]
async fn what_becomes_too_large_as_a_component_is_refused() {
    let module = embed(&core(DESCRIBE, "unreachable", ""), &[WIT], "flow");
    let size = encode(&core(DESCRIBE, "unreachable", ""), WIT).len();
    assert!(size > module.len());
    let limits = Limits { component_bytes: module.len(), ..Limits::default() };
    let error = sandbox(limits).inspect(&module).await.unwrap_err();
    assert_eq!(error, Error::TooLarge { size, limit: module.len() });
}
