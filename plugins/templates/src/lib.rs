//! The default template renderer. What templates are made of and how they are rendered is in `hoopoe-templates`,
//! which the host uses to check them; here it meets the contract.

use hoopoe_sdk::renderer::prelude::*;
use hoopoe_sdk::{ReplyButton, SendButtons, SendContent, SendMedia, SendTemplate, SendText};
use hoopoe_templates::{MediaKind, Rendered, Source, Template};
use serde_json::Value;

#[renderer]
fn render(request: &Request) -> RenderResult {
    let (components, metadata): (Value, Value) = (request.components()?, request.metadata()?);
    let template = Template::parse(&components, &metadata).map_err(RenderError::invalid)?;
    let rendered = template.render(&request.variables, &request.template.language).map_err(|error| match error {
        hoopoe_templates::RenderError::MissingVariables(names) => RenderError::MissingVariables(names),
        hoopoe_templates::RenderError::Invalid(reason) => RenderError::Invalid(reason),
    })?;
    Ok(content(rendered))
}

fn content(rendered: Rendered) -> SendContent {
    match rendered {
        Rendered::Text { body, preview_url } => SendContent::Text(SendText { body, preview_url }),
        Rendered::Media { kind, source, caption, filename } => {
            let media = match source {
                Source::Id(id) => SendMedia::id(id),
                Source::Link(link) => SendMedia::link(link),
            };
            let media = SendMedia { filename, ..media.caption(caption) };
            match kind {
                MediaKind::Image => SendContent::Image(media),
                MediaKind::Video => SendContent::Video(media),
                MediaKind::Document => SendContent::Document(media),
            }
        }
        Rendered::Buttons { header, body, footer, buttons } => {
            let buttons = buttons.into_iter().map(|(id, title)| ReplyButton { id, title }).collect();
            SendContent::Buttons(SendButtons { body, header, footer, buttons })
        }
        Rendered::Payload(payload) => SendContent::Raw(payload.to_string()),
        Rendered::Approved { name, language, components } => {
            SendContent::Template(SendTemplate { name, language, components: components.to_string() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_called_as_the_host_calls_it() {
        let manifest = render::manifest();
        assert_eq!((manifest.name.as_str(), manifest.events.len()), ("templates", 0));
    }

    #[test]
    fn each_kind_becomes_the_contracts() {
        let body = r#"{"type": "body", "text": "Hello {{name}}"}"#;
        let file = r#"{"type": "header", "format": "document", "link": "https://a.example/{{name}}.pdf"}"#;
        let buttons = r#"{"type": "buttons", "buttons": [{"type": "quick_reply", "text": "Yes"}]}"#;
        let text = |components: &str| render(&Request::sample("t", components, [("name", "Sam")])).unwrap();
        assert_eq!(text(&format!("[{body}]")), SendContent::text("Hello Sam"));

        let document = SendMedia::link("https://a.example/Sam.pdf").caption("Hello Sam");
        assert_eq!(text(&format!("[{file}, {body}]")), SendContent::Document(document));

        let SendContent::Buttons(sent) = text(&format!("[{body}, {buttons}]")) else { panic!("no buttons") };
        assert_eq!((sent.body.as_str(), sent.header, sent.footer), ("Hello Sam", None, None));
        assert_eq!((sent.buttons[0].id.as_str(), sent.buttons[0].title.as_str()), ("Yes", "Yes"));

        let SendContent::Raw(sent) = text(&format!("[{file}, {body}, {buttons}]")) else { panic!("not raw") };
        let sent: Value = serde_json::from_str(&sent).unwrap();
        assert_eq!(sent["interactive"]["header"]["document"]["link"], "https://a.example/Sam.pdf");
    }

    #[test]
    fn an_approved_template_goes_by_reference() {
        let mut request = Request::sample("t", r#"[{"type": "body", "text": "Hi {{1}}"}]"#, [("1", "Sam")]);
        request.template.metadata = r#"{"meta": {"name": "hello_world"}}"#.to_owned();
        request.template.language = "pt_BR".to_owned();
        let SendContent::Template(sent) = render(&request).unwrap() else { panic!("no template") };
        assert_eq!((sent.name.as_str(), sent.language.as_str()), ("hello_world", "pt_BR"));
        let components: Value = serde_json::from_str(&sent.components).unwrap();
        assert_eq!(components[0]["parameters"][0]["text"], "Sam");
    }

    #[test]
    fn what_cannot_be_rendered_is_said() {
        let body = r#"[{"type": "body", "text": "{{a}} {{b}} {{c|x}}"}]"#;
        let missing = render(&Request::sample("t", body, [("b", "1")]));
        assert_eq!(missing, Err(RenderError::MissingVariables(vec!["a".to_owned()])));

        let long = "x".repeat(5000);
        let Err(RenderError::Invalid(reason)) = render(&Request::sample("t", body, [("a", &long), ("b", "")])) else {
            panic!("it is too long");
        };
        assert!(reason.starts_with("components[0].text: ") && reason.contains("4096"), "{reason}");

        let Err(RenderError::Invalid(reason)) = render(&Request::sample("t", r#"{"body": 1}"#, [])) else {
            panic!("it is no template");
        };
        assert!(reason.contains("a list is needed"), "{reason}");
    }
}
