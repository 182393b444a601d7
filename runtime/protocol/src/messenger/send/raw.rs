//! Payloads that the caller wrote in the format of the Send API. What is known is checked; the rest is left to Meta.

use serde_json::{Value, json};

use super::{Purpose, actions, is_raw, stored, text, words};
use crate::messenger::Platform;
use crate::outbound::{Invalid, length};

/// What belongs to a single attempt, or to the channel, and so not to a stored payload.
const REFUSED: [(&str, &str, &str); 3] = [
    ("", "recipient", "does not belong in the payload; name the recipient beside it"),
    ("", "access_token", "does not belong in the payload; the channel has one"),
    ("/message", "metadata", "carries Hoopoe's message id and cannot be set"),
];

const ACTIONS: [&str; 5] = ["mark_seen", "typing_on", "typing_off", "react", "unreact"];

/// `reply_to` is Meta's id of the message that this one answers.
pub(super) fn payload(
    platform: Platform,
    purpose: Purpose,
    post: &Value,
    reply_to: Option<&Value>,
) -> Result<Value, Invalid> {
    let Some(object) = post.as_object().filter(|object| is_raw(object)) else {
        return Err(Invalid::new("message", "is missing; give the object message, or sender_action"));
    };
    for (place, name, advice) in REFUSED {
        if post.pointer(place).is_some_and(|object| object.get(name).is_some()) {
            return Err(Invalid::new(format!("{place}/{name}").trim_matches('/').replace('/', "."), advice));
        }
    }
    if let Some(action) = object.get("sender_action") {
        if object.contains_key("message") {
            return Err(Invalid::new("sender_action", "is not possible beside message; send two"));
        }
        if !action.as_str().is_some_and(|word| ACTIONS.contains(&word)) {
            return Err(Invalid::new(
                "sender_action",
                format!("is {action}; it must be one of {}", ACTIONS.join(", ")),
            ));
        }
        let kind = if words(post, "sender_action").ends_with("react") { "reaction" } else { "read" };
        return Ok(actions::stored(kind, vec![post.clone()]));
    }
    let message = post.get("message").filter(|message| message.is_object());
    let message = message.ok_or_else(|| Invalid::new("message", "is not an object"))?;
    let kind = match (message.get("text"), message.get("attachment"), message.get("attachments")) {
        (Some(body), None, None) => {
            text(platform, "message.text", body.as_str().unwrap_or_default())?;
            "text"
        }
        (None, Some(attachment), None) => match words(attachment, "type") {
            "" => {
                return Err(Invalid::new(
                    "message.attachment.type",
                    "is missing; give image, video, audio, file or template",
                ));
            }
            "file" => "document",
            "template" => "interactive",
            other => other,
        },
        (None, None, Some(_)) => "image",
        (None, None, None) => {
            return Err(Invalid::new("message", "has neither text nor attachment; give one of the two"));
        }
        _ => return Err(Invalid::new("message.text", "is not possible beside attachment; send two")),
    };
    quick_replies(message)?;
    let mut post = post.clone();
    if post.get("messaging_type").is_none() {
        post["messaging_type"] = json!(if post.get("tag").is_some() { "MESSAGE_TAG" } else { purpose.word() });
    }
    if let Some(id) = reply_to {
        post["reply_to"] = json!({ "mid": id });
    }
    Ok(stored(kind, post))
}

fn quick_replies(message: &Value) -> Result<(), Invalid> {
    let Some(replies) = message.get("quick_replies") else { return Ok(()) };
    let at = "message.quick_replies";
    let replies = replies.as_array().ok_or_else(|| Invalid::new(at, "is not a list"))?;
    if replies.len() > 13 {
        return Err(Invalid::new(format!("{at}[13]"), "at most 13 quick replies"));
    }
    for (number, reply) in replies.iter().enumerate() {
        if words(reply, "content_type") == "text" {
            length(&format!("{at}[{number}].title"), words(reply, "title"), 1, 20)?;
            length(&format!("{at}[{number}].payload"), words(reply, "payload"), 0, 1000)?;
        }
    }
    Ok(())
}
