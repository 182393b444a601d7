//! What is run, and what it is given.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use hoopoe_rules::RuleSet;
use hoopoe_sandbox::contract::renderer::{Request, Template};
use hoopoe_sandbox::contract::{Channel, Contact, Content, Context, Conversation, Event, Message, Tenant, Text};
use hoopoe_sandbox::{Owner, Plugin, Renderer};
use serde_json::{Value, json};

use crate::webhooks;

/// A plugin with its input.
pub enum Subject {
    /// A flow, with its configuration.
    Flow(Plugin, String),
    /// A renderer.
    Template(Renderer),
}

impl Subject {
    /// How long one run takes. Making its input is not part of it, what becomes of it is.
    pub async fn time(&self) -> Result<Duration> {
        match self {
            Subject::Flow(plugin, config) => {
                let (context, event) = (Context { config: config.clone(), ..context() }, event());
                let begun = Instant::now();
                let run = plugin.on_event(Owner(1), context, event, None).await;
                let time = begun.elapsed();
                run.result.map(|_| time).map_err(Into::into)
            }
            Subject::Template(renderer) => {
                let request = request();
                let begun = Instant::now();
                let run = renderer.render(Owner(1), request).await;
                let time = begun.elapsed();
                run.result.map(|_| time).map_err(Into::into)
            }
        }
    }

    /// What one run decides: how many actions, or how long a text.
    pub async fn result(&self) -> Result<usize> {
        Ok(match self {
            Subject::Flow(plugin, config) => {
                let context = Context { config: config.clone(), ..context() };
                plugin.on_event(Owner(1), context, event(), None).await.result?.actions.len()
            }
            Subject::Template(renderer) => {
                use hoopoe_sandbox::contract::SendContent;
                match renderer.render(Owner(1), request()).await.result? {
                    SendContent::Text(text) => text.body.len(),
                    SendContent::Buttons(buttons) => buttons.body.len(),
                    _ => 0,
                }
            }
        })
    }
}

/// As the runtime makes it of a short text message.
pub fn context() -> Context {
    Context {
        tenant: Tenant { id: "0198f2c5-7a11-7c3e-9a52-3c1f0a6b7d10".into(), name: "Bench 0".into() },
        conversation: Conversation {
            id: "0198f2c5-7a11-7c3e-9a52-3c1f0a6b7d11".into(),
            channel: Channel {
                id: "0198f2c5-7a11-7c3e-9a52-3c1f0a6b7d12".into(),
                phone_number_id: "106000000000000".into(),
                display_phone_number: None,
            },
            contact: Contact {
                id: "0198f2c5-7a11-7c3e-9a52-3c1f0a6b7d13".into(),
                wa_id: Some("15550000000".into()),
                user_id: None,
                name: Some("Contact 0".into()),
                username: None,
                tags: Vec::new(),
            },
        },
        event_id: "1".into(),
        now: 1_767_225_600_000,
        seed: 7,
        attempt: 1,
        config: "{}".into(),
        attributes: Vec::new(),
    }
}

/// A short text message.
pub fn event() -> Event {
    let id = "wamid.HBgLMTU1NTAwMDAwMDAVAgASGBQz0000000000000001";
    Event::Message(Message {
        id: id.into(),
        timestamp: 1_767_225_600_000,
        content: Content::Text(Text { body: webhooks::TEXT.into() }),
        reply_to: None,
        referral: None,
        raw: webhooks::item("15550000000", id, 1_767_225_600),
    })
}

/// A template with a header, three variables and two buttons.
fn request() -> Request {
    let components = json!([
        { "type": "header", "format": "text", "text": "Your order {{order}}" },
        { "type": "body", "text": "Hello {{name|there}}, your order {{order}} is on its way and will be with you on {{day}}." },
        { "type": "footer", "text": "Bench 0" },
        { "type": "buttons", "buttons": [
            { "type": "quick_reply", "text": "Where is it?" },
            { "type": "quick_reply", "text": "Another day" },
        ] },
    ]);
    let variables = [("name", "Contact 0"), ("order", "A-1042"), ("day", "Friday")];
    Request {
        tenant: context().tenant,
        template: Template {
            key: "order_on_its_way".into(),
            language: "en".into(),
            version: 1,
            components: components.to_string(),
            metadata: "{}".into(),
        },
        variables: variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        now: 1_767_225_600_000,
        config: "{}".into(),
    }
}

/// The configuration of 100 rules with two phrases each, of which the last matches.
pub fn hundred_rules() -> Result<String> {
    let rule = |number: usize| {
        let words = if number == 99 { ["sunday".to_owned(), "saturday".to_owned()] } else { phrases(number) };
        json!({
            "id": format!("rule_{number}"),
            "match": { "contains": words },
            "action": { "type": "send_text", "text": format!("Answer {number} for {{{{contact.name}}}}") },
        })
    };
    let set: RuleSet = serde_json::from_value(json!({ "flows": (0..100).map(rule).collect::<Vec<Value>>() }))?;
    hoopoe_rules::compile(&set, &|_: &str| None).ok().context("the rules are right")
}

fn phrases(number: usize) -> [String; 2] {
    [format!("question {number}"), format!("topic {number} please")]
}
