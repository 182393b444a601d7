//! Template plugins: what they get and give, and how they fail.

use hoopoe_sandbox::contract::renderer::{Request, Template};
use hoopoe_sandbox::contract::{SendContent, SendText, Tenant};
use hoopoe_sandbox::load::Error;
use hoopoe_sandbox::{Digest, Failure, GetError, Limits, Renderer, World};

use crate::common::{DESCRIBE, OWNER, WIT, component_of, context, core, encode, sandbox, text};

/// A renderer whose `render` has this body; it returns the address of its result.
fn renderer_component(render: &str) -> Vec<u8> {
    let core = core(DESCRIBE, "unreachable", "");
    let exports = core.find(r#"(func (export "hoopoe:flow/handler@0.1.0#describe")"#).unwrap();
    let core = format!(
        r#"{}
        (func (export "hoopoe:flow/renderer@0.1.0#describe") (result i32) {DESCRIBE})
        (func (export "hoopoe:flow/renderer@0.1.0#render") (param i32) (result i32) {render}))"#,
        &core[..exports]
    );
    component_of(&core, &[WIT], "template")
}

async fn renderer(render: &str) -> Renderer {
    sandbox(Limits::default()).load_renderer(&renderer_component(render)).await.unwrap()
}

fn request() -> Request {
    Request {
        tenant: Tenant { id: "t-1".into(), name: "Acme".into() },
        template: Template {
            key: "welcome".into(),
            language: "en".into(),
            version: 3,
            components: "[]".into(),
            metadata: "{}".into(),
        },
        variables: vec![("name".into(), "Zoë".into())],
        now: 1_767_225_600_000,
        config: "{}".into(),
    }
}

/// Ok, text, with the template's key as body: the key is the fifth and sixth word of the request.
const ECHO: &str = "
    (i32.store8 (i32.const 2048) (i32.const 0))
    (i32.store8 (i32.const 2056) (i32.const 0))
    (i32.store (i32.const 2064) (i32.load offset=16 (local.get 0)))
    (i32.store (i32.const 2068) (i32.load offset=20 (local.get 0)))
    (i32.const 2048)";

#[tokio::test]
async fn a_template_is_rendered() {
    let bytes = renderer_component(ECHO);
    let renderer = sandbox(Limits::default()).load_renderer(&bytes).await.unwrap();
    assert_eq!((renderer.manifest().name.as_str(), renderer.digest()), ("guest", &Digest::of(&bytes)));
    let (one, two) = (renderer.render(OWNER, request()).await, renderer.render(OWNER, request()).await);
    assert_eq!(one.result, Ok(SendContent::Text(SendText { body: "welcome".into(), preview_url: false })));
    assert_eq!((&one.result, one.fuel), (&two.result, two.fuel));
    assert!(one.fuel > 0 && one.memory_bytes > 0);
}

#[tokio::test]
async fn each_failure_has_its_name() {
    // Err, missing variables: a list of the two strings at 0 and 8, "guest" and "1.0.0".
    let missing = "
        (i32.store8 (i32.const 2048) (i32.const 1))
        (i32.store8 (i32.const 2056) (i32.const 0))
        (i32.store (i32.const 2060) (i32.const 0))
        (i32.store (i32.const 2064) (i32.const 2))
        (i32.const 2048)";
    // Err, invalid: the text "guest".
    let invalid = "
        (i32.store8 (i32.const 2048) (i32.const 1))
        (i32.store8 (i32.const 2056) (i32.const 1))
        (i32.store (i32.const 2060) (i32.const 64))
        (i32.store (i32.const 2064) (i32.const 5))
        (i32.const 2048)";
    // Ok, stored: all zeros but the number of the case.
    let stored = "(i32.store8 (i32.const 2056) (i32.const 11)) (i32.const 2048)";
    let cases = [
        (missing, "missing-variables", "the template lacks values for guest, 1.0.0"),
        (invalid, "invalid", "the template cannot be rendered: guest"),
        (stored, "trap", "it rendered `stored`"),
        ("unreachable", "trap", "unreachable"),
        ("(loop $l (br $l)) unreachable", "out-of-fuel", "fuel"),
        ("(call $recurse (i32.const 0))", "stack-overflow", "stack"),
    ];
    for (render, code, words) in cases {
        let failure = renderer(render).await.render(OWNER, request()).await.result.unwrap_err();
        assert_eq!(failure.code(), code, "{failure}");
        assert!(failure.to_string().contains(words), "{failure}");
    }
    let names = vec!["guest".to_owned(), "1.0.0".to_owned()];
    assert_eq!(renderer(missing).await.render(OWNER, request()).await.result, Err(Failure::MissingVariables(names)));
}

#[tokio::test]
async fn a_plugin_is_of_one_world() {
    let sandbox = sandbox(Limits::default());
    let (flow, template) = (encode(&core(DESCRIBE, "unreachable", ""), WIT), renderer_component(ECHO));
    let error = sandbox.load(&template).await.unwrap_err();
    assert!(matches!(&error, Error::WrongWorld { missing } if missing.contains("`template`")), "{error}");
    let error = sandbox.load_renderer(&flow).await.unwrap_err();
    assert!(matches!(&error, Error::WrongWorld { missing } if missing.contains("`flow`")), "{error}");
    // Both are loaded nevertheless, and found by those who want them.
    let fetch = async || Err::<Vec<u8>, &str>("not needed");
    assert!(sandbox.get_renderer(Digest::of(&template), fetch()).await.is_ok());
    let flow = sandbox.get(Digest::of(&flow), fetch()).await.unwrap();
    assert!(flow.on_event(OWNER, context(), text("hi"), None).await.result.is_err());
    let error = sandbox.get(Digest::of(&template), fetch()).await.unwrap_err();
    assert!(matches!(error, GetError::Load(Error::WrongWorld { .. })));
    assert_eq!(sandbox.inspect(&template).await.unwrap().world, World::Template);
}
