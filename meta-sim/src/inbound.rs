//! Messages from users, as Meta would put them into a webhook.

use std::sync::{
    OnceLock,
    atomic::{AtomicU64, Ordering},
};

use serde_json::{Value, json};

use crate::{
    InboundKind,
    envelope::Part,
    state::{now_ms, unique},
};

/// A message from a user. Made by a constructor and changed by the methods that return it.
#[derive(Debug, Clone, PartialEq)]
pub struct Inbound {
    /// The business's number.
    pub phone_number_id: String,
    /// The user's WhatsApp id; absent for a user who shows a username only.
    pub from: Option<String>,
    /// The user's business-scoped id.
    pub user_id: Option<String>,
    /// Meta's message id. Constructors count: every message of a process has its own, and so do processes.
    pub id: String,
    /// Seconds since 1970; now, unless set.
    pub timestamp: i64,
    /// Profile name.
    pub profile_name: String,
    /// Username, when the user has one.
    pub username: Option<String>,
    /// The message that this one answers.
    pub reply_to: Option<String>,
    /// The WhatsApp Business account (`entry.id`), when it is not the simulator's default.
    pub account: Option<String>,
    /// The content.
    pub kind: InboundKind,
}

impl Inbound {
    /// A message with any content.
    pub fn new(phone_number_id: &str, from: &str, kind: InboundKind) -> Inbound {
        static RUN: OnceLock<String> = OnceLock::new();
        static COUNTER: AtomicU64 = AtomicU64::new(1);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        Inbound {
            phone_number_id: phone_number_id.to_owned(),
            from: Some(from.to_owned()),
            user_id: None,
            id: format!("wamid.IN{}.{number}", RUN.get_or_init(unique)),
            timestamp: (now_ms() / 1000) as i64,
            profile_name: "Test User".to_owned(),
            username: None,
            reply_to: None,
            account: None,
            kind,
        }
    }

    /// A text.
    pub fn text(phone_number_id: &str, from: &str, body: &str) -> Inbound {
        Inbound::new(phone_number_id, from, InboundKind::Text(body.to_owned()))
    }

    /// With this message id.
    pub fn id(self, id: &str) -> Inbound {
        Inbound { id: id.to_owned(), ..self }
    }

    /// Sent at this second since 1970.
    pub fn at(self, timestamp: i64) -> Inbound {
        Inbound { timestamp, ..self }
    }

    /// From a user with this name.
    pub fn named(self, profile_name: &str) -> Inbound {
        Inbound { profile_name: profile_name.to_owned(), ..self }
    }

    /// From a user with this business-scoped id, beside the number.
    pub fn user_id(self, user_id: &str) -> Inbound {
        Inbound { user_id: Some(user_id.to_owned()), ..self }
    }

    /// From a user who shows a username only: no number, this business-scoped id.
    pub fn username_only(self, user_id: &str, username: &str) -> Inbound {
        Inbound { from: None, user_id: Some(user_id.to_owned()), username: Some(username.to_owned()), ..self }
    }

    /// As an answer to this message.
    pub fn reply_to(self, message_id: &str) -> Inbound {
        Inbound { reply_to: Some(message_id.to_owned()), ..self }
    }

    /// To a number of this WhatsApp Business account.
    pub fn account(self, account: &str) -> Inbound {
        Inbound { account: Some(account.to_owned()), ..self }
    }

    pub(crate) fn part(self, default_account: &str) -> Part {
        let mut contact = json!({ "profile": { "name": self.profile_name } });
        let mut item = json!({ "id": self.id, "timestamp": self.timestamp.to_string() });
        if let Some(from) = &self.from {
            item["from"] = json!(from);
            contact["wa_id"] = json!(from.trim_start_matches('+'));
        }
        if let Some(user_id) = &self.user_id {
            item["from_user_id"] = json!(user_id);
            contact["user_id"] = json!(user_id);
        }
        if let Some(username) = &self.username {
            contact["profile"]["username"] = json!(username);
        }
        if let Some(reply_to) = &self.reply_to {
            item["context"] = json!({ "from": self.phone_number_id, "id": reply_to });
        }
        if let (Value::Object(item), Value::Object(content)) = (&mut item, self.kind.content()) {
            for (name, value) in content {
                // A raw kind takes fields away with null.
                if value.is_null() {
                    item.remove(&name);
                } else {
                    item.insert(name, value);
                }
            }
        }
        Part {
            account: self.account.unwrap_or_else(|| default_account.to_owned()),
            phone_number_id: self.phone_number_id,
            contact: Some(contact),
            list: "messages",
            item,
        }
    }
}
