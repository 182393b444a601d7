//! The examples once more, each as a stored template.

use hoopoe_testing::World;
use serde_json::{Value, json};

use crate::{NUMBER, content, example};

/// The example that it makes, the template's components, and values of its variables.
type Case = (&'static str, Value, Value);

/// All that templates can be: free texts and, where the example is of a template, such as Meta has approved.
fn cases() -> Vec<Case> {
    let body = |text: &str| json!({ "type": "body", "text": text });
    let file = |format: &str, by: &str, place: &str| json!({ "type": "header", "format": format, by: place });
    let buttons = |buttons: Value| json!({ "type": "buttons", "buttons": buttons });
    let reply = |text: &str, id: &str| json!({ "type": "quick_reply", "text": text, "id": id });
    let url = |text: &str, url: &str| json!({ "type": "url", "text": text, "url": url });
    let footer = json!({ "type": "footer", "text": "Lucky Shrub" });
    let mut bill = file("document", "link", "https://example.com/{{2}}.pdf");
    bill["filename"] = json!("invoice.pdf");
    vec![
        ("Text", json!([body("Hello {{whom}}")]), json!({ "whom": "there" })),
        (
            "Image",
            json!([file("image", "link", "https://example.com/{{file}}"), body("Your new shoe")]),
            json!({ "file": "shoe.jpg" }),
        ),
        ("Video", json!([file("video", "id", "1013859600285441"), body("How to tie it")]), json!({})),
        ("Document", json!([bill, body("The {{1}}")]), json!(["bill", "1"])),
        (
            "Buttons",
            json!([
                file("image", "link", "https://example.com/parcel.jpg"),
                body("Shall we deliver {{day}}?"),
                footer,
                buttons(json!([reply("Yes", "yes"), reply("No", "no")]))
            ]),
            json!({ "day": "today" }),
        ),
        (
            "CTA URL",
            json!([
                body("All dates are on our website"),
                buttons(json!([url("See dates", "https://example.com/{{page}}")]))
            ]),
            json!({ "page": "dates" }),
        ),
        ("Template", json!([body("Hello world")]), json!({})),
        (
            "Template with positional values",
            json!([body("{{1}}, you paid {{2}} on {{3}}")]),
            json!(["Sam", "$100.99", "February 25, 2027"]),
        ),
        (
            "Template with named values",
            json!([body("{{first_name}}, order {{order}} is on its way")]),
            json!({ "first_name": "Sam", "order": 1234 }),
        ),
        ("Template with a file in its header", json!([bill, body("Bill {{1}}")]), json!(["1234", "1"])),
        (
            "Template with buttons",
            json!([
                body("It is summer"),
                buttons(json!([
                    reply("Stop", "STOP"),
                    url("Look", "https://example.com/{{1}}"),
                    { "type": "copy_code", "code": "25OFF" }
                ]))
            ]),
            json!(["summer?id=1"]),
        ),
        (
            "Authentication template",
            json!([body("{{1}} is your code"), buttons(json!([{ "type": "otp", "code": "{{1}}" }]))]),
            json!(["J8K4-2"]),
        ),
    ]
}

/// What an example is as a rendered template: amounts and dates are texts, places of buttons as well.
fn rendered(mut content: Value) -> Value {
    if content.is_string() {
        return json!({ "body": content, "preview_url": false });
    }
    for component in content.get_mut("components").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(index) = component["index"].as_u64() {
            component["index"] = json!(index.to_string());
        }
        for parameter in component.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
            let shown = ["currency", "date_time"].iter().find_map(|kind| parameter[kind]["fallback_value"].as_str());
            if let Some(shown) = shown.map(str::to_owned) {
                *parameter = json!({ "type": "text", "text": shown });
            }
        }
    }
    content
}

#[tokio::test]
async fn every_kind_of_template_is_taken_by_meta() {
    let world = World::start().await;
    let tenant = world.api.register("Acme", NUMBER, "token").await;
    let mut expected = Vec::new();
    for (place, (heading, components, variables)) in cases().into_iter().enumerate() {
        let request = example(heading);
        let (name, content) = content(&request);
        let meta = json!({ "name": content["name"], "language": content["language"]["code"] });
        let metadata = if name == "template" { json!({ "meta": meta }) } else { json!({}) };
        let template = json!({ "key": format!("t{place}"), "components": components, "metadata": metadata });
        let path = format!("/tenants/{}/templates", tenant.id);
        let (status, answer) = world.api.post(&path, &tenant.key, &template).await;
        assert_eq!(status, 201, "{heading}: {answer}");

        let send = json!({ "to": request["to"], "templateKey": template["key"], "variables": variables });
        let path = format!("/tenants/{}/send/template", tenant.id);
        let (status, answer) = world.api.post(&path, &tenant.key, &send).await;
        assert_eq!((status, &answer["type"]), (202, &json!(name)), "{heading}: {answer}");
        expected.push((heading, name.to_owned(), rendered(content.clone())));
    }
    world.idle().await;
    assert_eq!(world.sim.refused_count(), 0);
    let accepted = world.sim.accepted();
    assert_eq!(accepted.len(), expected.len(), "{accepted:?}");
    for ((heading, name, content), sent) in expected.iter().zip(&accepted) {
        assert_eq!((&sent.body["type"], &sent.body[name]), (&json!(name), content), "{heading}");
    }
    world.end().await;
}
