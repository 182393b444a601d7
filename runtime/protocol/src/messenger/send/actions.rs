//! What is shown to a person without being a message: that theirs was read, that an answer is written, a reaction.

use serde_json::{Value, json};

use super::{MEMBER, refused, words};
use crate::messenger::Platform;
use crate::outbound::Invalid;

/// All that the person wrote counts as read: Meta takes no message id here.
pub(super) fn read(content: &Value) -> Value {
    let typing = content.get("typing") == Some(&Value::Bool(true));
    let words = ["mark_seen", "typing_on"].into_iter().take(1 + usize::from(typing));
    stored("read", words.map(|word| json!({ "sender_action": word })).collect())
}

/// Instagram has one reaction, and a reaction of none takes it back.
pub(super) fn reaction(platform: Platform, content: &Value) -> Result<Value, Invalid> {
    if platform == Platform::Messenger {
        return Err(refused(platform, "reaction", "send a text"));
    }
    let message = words(content, "message_id");
    let action = match words(content, "emoji") {
        "" => json!({ "sender_action": "unreact", "payload": { "message_id": message } }),
        "❤" | "❤\u{fe0f}" => {
            json!({ "sender_action": "react", "payload": { "message_id": message, "reaction": "love" } })
        }
        _ => return Err(refused(platform, "reaction.emoji", "give ❤, the only one that Meta takes, or leave it out")),
    };
    Ok(stored("reaction", vec![action]))
}

pub(super) fn stored(kind: &str, actions: Vec<Value>) -> Value {
    json!({ "type": kind, MEMBER: { "actions": actions } })
}
