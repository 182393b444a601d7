//! The demo conversation: one message from a customer through the simulator, followed until the reply was read.
//!
//! In: a running instance and a tenant. Out: what happened, with times, or what is missing after a bounded wait.
//! A customer's number that was never used before makes sure that the reply belongs to this very message.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};

use crate::http::Client;
use crate::interrupt;
use crate::runtime::Instance;
use crate::tenant::{self, Tenant, random_number};

/// How long the whole conversation may take.
const LIMIT: Duration = Duration::from_secs(30);
const TEXT: &str = "Hi, do you have rye bread today?";
const STATUSES: [&str; 3] = ["sent", "delivered", "read"];

/// What happened, in order, each since the customer sent the message.
#[derive(Debug, Default)]
pub struct Conversation {
    customer: String,
    /// How the webhook was answered.
    ack: Option<(u16, Duration)>,
    accepted: Option<Duration>,
    statuses: Vec<(String, Duration)>,
}

/// Send the message and follow it. An error means that somebody does not answer at all.
pub fn hold(instance: &mut Instance, tenant: &Tenant) -> Result<Conversation> {
    let simulator = Client::new(&instance.simulator_url, None);
    let api = Client::new(&instance.url, Some(&tenant.key));
    let customer = random_number("1555", 7)?;
    let start = Instant::now();
    let mut conversation = Conversation { customer: customer.clone(), ..Conversation::default() };

    let message = json!({
        "phone_number_id": tenant.phone_number_id, "from": customer, "text": TEXT, "name": "Demo Customer",
    });
    let sent = simulator.post("/_sim/inbound", &message)?.succeeded("the simulator")?;
    conversation.ack = acknowledgement(&sent);

    let mut reply: Option<Value> = None;
    let mut message_path = None;
    while !conversation.is_complete() && start.elapsed() < LIMIT {
        instance.check()?;
        if reply.is_none() {
            let path = format!("/_sim/accepted?to={customer}");
            let accepted = simulator.get(&path)?.succeeded("the simulator")?;
            reply =
                accepted["messages"].as_array().and_then(|all| all.iter().find(|m| m["text"] == reply_text()).cloned());
            conversation.accepted = reply.as_ref().map(|_| start.elapsed());
        }
        if let (Some(reply), None) = (&reply, &message_path) {
            let list = api.get(&format!("/tenants/{}/messages", tenant.id))?.succeeded("the list of messages")?;
            message_path = find(&list, reply).map(|id| format!("/tenants/{}/messages/{id}", tenant.id));
        }
        if let Some(path) = &message_path {
            let message = api.get(path)?.succeeded("the reply in the API")?;
            conversation.add_statuses(&message, start.elapsed());
        }
        interrupt::tick()?;
    }
    Ok(conversation)
}

/// What the auto-reply answers.
fn reply_text() -> String {
    format!("thanks for reaching us\n- team {}", tenant::NAME)
}

/// Status and duration of the webhook that carried the message.
fn acknowledgement(sent: &Value) -> Option<(u16, Duration)> {
    let delivery = sent["deliveries"].get(0)?;
    let status = u16::try_from(delivery["status"].as_u64()?).ok()?;
    Some((status, Duration::try_from_secs_f64(delivery["latency_ms"].as_f64()? / 1000.0).ok()?))
}

/// The id, in the API's list of messages, of the message that the simulator accepted.
fn find(list: &Value, accepted: &Value) -> Option<String> {
    let messages = list["messages"].as_array()?;
    let is_it = |message: &&Value| message["direction"] == "OUT" && message["waMessageId"] == accepted["id"];
    Some(messages.iter().find(is_it)?["id"].as_str()?.to_owned())
}

impl Conversation {
    fn add_statuses(&mut self, message: &Value, since: Duration) {
        let timeline = message["timeline"].as_array().map(Vec::as_slice).unwrap_or_default();
        for status in STATUSES {
            let is_new = self.statuses.iter().all(|(known, _)| known != status);
            let there = |entry: &Value| entry["status"].as_str().is_some_and(|name| name.eq_ignore_ascii_case(status));
            if is_new && timeline.iter().any(there) {
                self.statuses.push((status.to_owned(), since));
            }
        }
    }

    fn is_complete(&self) -> bool {
        self.missing().is_empty()
    }

    /// What should have happened and did not.
    pub fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        match self.ack {
            Some((200, _)) => {}
            Some((0, _)) | None => missing.push("an answer to the webhook".to_owned()),
            Some((status, _)) => missing.push(format!("the webhook's 200 (it was answered with {status})")),
        }
        if self.accepted.is_none() {
            missing.push(format!("the reply {:?} at Meta", reply_text()));
        }
        let absent = |status: &&&str| self.statuses.iter().all(|(known, _)| known != **status);
        missing.extend(STATUSES.iter().filter(absent).map(|status| format!("the reply's status `{status}`")));
        missing
    }

    /// The conversation for people.
    pub fn print(&self) {
        println!("\n  customer +{}: {TEXT}", self.customer);
        if let Some((status, took)) = self.ack {
            println!("    webhook answered with {status} after {}", milliseconds(took));
        }
        if let Some(after) = self.accepted {
            println!("  {}: {}", tenant::NAME, reply_text().replace('\n', "\n  "));
            println!("    accepted by Meta (simulated) after {}", milliseconds(after));
        }
        for (status, after) in &self.statuses {
            println!("    {status} after {}", milliseconds(*after));
        }
        for missing in self.missing() {
            println!("    MISSING: {missing}");
        }
        println!();
    }
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.0} ms", duration.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complete_is_only_a_reply_that_was_acknowledged_accepted_and_read() {
        let ms = Duration::from_millis;
        let timeline = json!({ "timeline": [{ "status": "queued" }, { "status": "sent" }, { "status": "DELIVERED" }] });
        let mut conversation = Conversation::default();
        assert_eq!(conversation.missing().len(), 5);
        conversation.ack = Some((401, ms(2)));
        assert!(conversation.missing()[0].contains("401"));
        conversation.ack = acknowledgement(&json!({ "deliveries": [{ "status": 200, "latency_ms": 1.5 }] }));
        assert_eq!(conversation.ack, Some((200, Duration::from_micros(1_500))));
        conversation.accepted = Some(ms(5));
        conversation.add_statuses(&timeline, ms(6));
        conversation.add_statuses(&timeline, ms(9));
        assert_eq!(conversation.statuses, [("sent".to_owned(), ms(6)), ("delivered".to_owned(), ms(6))]);
        assert_eq!(conversation.missing(), ["the reply's status `read`"]);
        conversation.add_statuses(&json!({ "timeline": [{ "status": "read" }] }), ms(9));
        assert!(conversation.is_complete());
    }

    #[test]
    fn the_reply_is_found_by_metas_id() {
        let list = json!({ "messages": [
            { "id": "1", "direction": "IN", "waMessageId": "wamid.A" },
            { "id": "2", "direction": "OUT", "waMessageId": "wamid.B" },
        ] });
        assert_eq!(find(&list, &json!({ "id": "wamid.B" })).as_deref(), Some("2"));
        assert_eq!(find(&list, &json!({ "id": "wamid.A" })), None);
        assert_eq!(find(&json!({}), &json!({ "id": "wamid.B" })), None);
    }
}
