//! The simulator of Meta: writes to the tenant as a customer, and sees what the customer is sent.

use serde_json::{Value, json};
use ureq::Agent;

use crate::{Error, http};

/// Calls the simulator's control API.
pub struct Sim {
    agent: Agent,
    url: String,
}

/// A message that the customer was sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Received {
    /// Grows from message to message.
    pub seq: u64,
    /// As the Graph API took it.
    pub body: Value,
}

impl Sim {
    /// The simulator at this URL. Nothing is called yet.
    pub fn new(url: &str) -> Self {
        let url = url.trim_end_matches('/').to_owned();
        Self { agent: http::agent(&url), url }
    }

    /// The customer writes. Gives the ids of Meta, and fails when the host did not take the message.
    pub fn write(&self, order: &Value) -> Result<Vec<String>, Error> {
        let sent = self.agent.post(format!("{}/_sim/inbound", self.url)).send_json(order);
        let (_, answer) = http::answer(&self.url, sent)?;
        let delivery = &answer["deliveries"][0];
        if delivery["status"] != 200 {
            return Err(Error::failed(format!(
                "the host did not take the simulator's webhook: {delivery}; is the simulator that of this host?"
            )));
        }
        Ok(answer["ids"].as_array().into_iter().flatten().filter_map(|id| id.as_str().map(str::to_owned)).collect())
    }

    /// The last messages to this customer, oldest first.
    pub fn received(&self, by: &str, limit: usize) -> Result<Vec<Received>, Error> {
        let request = self.agent.get(format!("{}/_sim/accepted", self.url)).query("to", by);
        let (_, answer) = http::answer(&self.url, request.query("limit", limit.to_string()).call())?;
        let message = |value: &Value| {
            Some(Received { seq: value["seq"].as_u64()?, body: value.get("body").cloned().unwrap_or_default() })
        };
        Ok(answer["messages"].as_array().into_iter().flatten().filter_map(message).collect())
    }
}

/// What the customer writes: an order for the simulator's `/_sim/inbound`.
pub fn order(phone_number_id: &str, from: &str, name: &str, content: Value) -> Value {
    let mut order = json!({ "phone_number_id": phone_number_id, "from": from, "name": name });
    if let (Value::Object(order), Value::Object(content)) = (&mut order, content) {
        order.extend(content);
    }
    order
}

/// A message as the customer sees it, on some lines.
pub fn render(body: &Value) -> String {
    let text = |path: &str| body.pointer(path).and_then(Value::as_str).map(str::to_owned);
    let kind = body["type"].as_str().unwrap_or("message");
    match kind {
        "text" => text("/text/body").unwrap_or_default(),
        "interactive" => interactive(&body["interactive"]),
        "reaction" => text("/reaction/emoji").unwrap_or_else(|| "(reaction taken back)".to_owned()),
        "template" => format!("(template {})", text("/template/name").unwrap_or_default()),
        "location" => {
            let place = &body["location"];
            let name = place["name"].as_str().unwrap_or_default();
            format!("(location {}, {} {name})", place["latitude"], place["longitude"])
        }
        "image" | "video" | "audio" | "document" | "sticker" => {
            let file = &body[kind];
            let source = file["link"].as_str().or(file["id"].as_str()).unwrap_or_default();
            let caption = file["caption"].as_str().map(|caption| format!("\n{caption}")).unwrap_or_default();
            format!("({kind} {source}){caption}")
        }
        _ => body.to_string(),
    }
}

fn interactive(value: &Value) -> String {
    let mut lines = Vec::new();
    lines.extend(value["header"]["text"].as_str().map(str::to_owned));
    lines.extend(value["body"]["text"].as_str().map(str::to_owned));
    lines.extend(value["footer"]["text"].as_str().map(str::to_owned));
    let choice = |of: &Value| Some(format!("  [{}]  --button {}", of["title"].as_str()?, of["id"].as_str()?));
    let buttons = value["action"]["buttons"].as_array().into_iter().flatten();
    lines.extend(buttons.filter_map(|button| choice(&button["reply"])));
    for section in value["action"]["sections"].as_array().into_iter().flatten() {
        lines.extend(section["title"].as_str().map(|title| format!("  {title}")));
        let rows = section["rows"].as_array().into_iter().flatten();
        lines.extend(rows.filter_map(choice).map(|row| row.replace("--button", "--row")));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_shown_as_the_customer_sees_them() {
        let cases = [
            (json!({ "type": "text", "text": { "body": "hello\nyou" } }), "hello\nyou"),
            (
                json!({ "type": "interactive", "interactive": {
                    "type": "button", "header": { "type": "text", "text": "Order" }, "body": { "text": "What next?" },
                    "action": { "buttons": [{ "type": "reply", "reply": { "id": "track", "title": "Track it" } }] },
                } }),
                "Order\nWhat next?\n  [Track it]  --button track",
            ),
            (
                json!({ "type": "interactive", "interactive": {
                    "type": "list", "body": { "text": "Which?" }, "action": { "button": "Open", "sections": [
                        { "title": "All", "rows": [{ "id": "1", "title": "One" }] },
                    ] },
                } }),
                "Which?\n  All\n  [One]  --row 1",
            ),
            (
                json!({ "type": "image", "image": { "link": "https://x/y.jpg", "caption": "c" } }),
                "(image https://x/y.jpg)\nc",
            ),
            (json!({ "type": "template", "template": { "name": "hello_world" } }), "(template hello_world)"),
            (json!({ "type": "reaction", "reaction": { "message_id": "w", "emoji": "\u{1f44d}" } }), "\u{1f44d}"),
            (json!({ "type": "later" }), r#"{"type":"later"}"#),
        ];
        for (body, expected) in cases {
            assert_eq!(render(&body), expected);
        }
    }

    #[test]
    fn an_order_names_number_customer_and_content() {
        let order = order("1", "2", "Ann", json!({ "text": "hi" }));
        assert_eq!(order, json!({ "phone_number_id": "1", "from": "2", "name": "Ann", "text": "hi" }));
    }
}
