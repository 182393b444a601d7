//! Plugins that were compiled for version 0.1.0 of the contract, byte for byte as they were then: they have to work with
//! every later host. The files in `frozen-0.1.0` are never built again.

use hoopoe_sandbox::contract::renderer::{Request, Template};
use hoopoe_sandbox::contract::{Event, HttpAnswer, HttpResponse, NextState, SendContent, Tenant, Timer};
use hoopoe_sandbox::{Digest, Limits};

use crate::common::{OWNER, context, replies, sandbox, text};

const FLOW: &[u8] = include_bytes!("frozen-0.1.0/flow.wasm");
const TEMPLATE: &[u8] = include_bytes!("frozen-0.1.0/template.wasm");

#[test]
fn the_files_are_those_of_then() {
    assert_eq!(Digest::of(FLOW).to_string(), "a2f1b46cf69cba2f35c16c9d111c0ea5a1032390723e2191848a22c44da40939");
    assert_eq!(Digest::of(TEMPLATE).to_string(), "4805b9a7465c48b8b1f7095f726ddc74c3663622b086f481c520b49c2a68edac");
}

#[tokio::test]
async fn a_flow_of_version_0_1_0_works() {
    let plugin = sandbox(Limits::default()).load(FLOW).await.unwrap();
    assert_eq!((plugin.manifest().name.as_str(), plugin.manifest().version.as_str()), ("test-guest", "0.1.0"));
    let run = async |event: Event, state: Option<&[u8]>| {
        plugin.on_event(OWNER, context(), event, state.map(<[u8]>::to_vec)).await.result.unwrap()
    };

    assert_eq!(replies(&run(text("echo still here"), None).await), ["still here"]);
    let NextState::Replace(state) = run(text("count"), None).await.state else { panic!("it keeps a count") };
    assert_eq!(replies(&run(text("count"), Some(&state)).await), ["2"]);
    assert_eq!(run(text("hand-off x"), None).await.actions.len(), 2);
    let timer = Event::Timer(Timer { name: "t".into(), due: 1, payload: "p".into() });
    assert_eq!(replies(&run(timer, None).await), ["timer t: p"]);
    let answer = HttpAnswer { status: 200, headers: Vec::new(), body: b"ok".to_vec() };
    let answer = Event::HttpResponse(HttpResponse { name: "r".into(), outcome: Ok(answer) });
    assert_eq!(replies(&run(answer, None).await), ["200 ok"]);
    assert!(plugin.migrate_state(OWNER, "0.0.9", &state).await.result.is_ok());
    assert!(
        plugin
            .on_event(OWNER, context(), text("panic so be it"), None)
            .await
            .result
            .unwrap_err()
            .to_string()
            .contains("so be it")
    );
}

#[tokio::test]
async fn a_renderer_of_version_0_1_0_works() {
    let renderer = sandbox(Limits::default()).load_renderer(TEMPLATE).await.unwrap();
    let request = Request {
        tenant: Tenant { id: "t-1".into(), name: "Acme".into() },
        template: Template {
            key: "welcome".into(),
            language: "en".into(),
            version: 1,
            components: r#"[{"do":"tell"}]"#.into(),
            metadata: "{}".into(),
        },
        variables: vec![("name".into(), "Ada".into())],
        now: 1_767_225_600_000,
        config: "{}".into(),
    };
    let SendContent::Text(text) = renderer.render(OWNER, request).await.result.unwrap() else {
        panic!("it renders a text")
    };
    assert!(text.body.contains("Ada"), "{}", text.body);
}
