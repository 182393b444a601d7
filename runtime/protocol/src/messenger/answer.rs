//! What Meta's answer to a send on Messenger or Instagram means. Source: the Messenger Platform's list of common error
//! codes, and the Instagram messaging API's for the codes that begin with 2534.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::graph::answer::{is_success, refused, unreadable};
use crate::graph::{Class, Failure};
use crate::wire;

/// Meta took it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Meta's id of the message; sender actions have none.
    pub message_id: Option<String>,
}

/// Reads the answer to a send; `names_message` says whether it has to name a message. A success that does not is
/// [`Class::Ambiguous`].
pub fn answer(http_status: u16, body: &[u8], names_message: bool) -> Result<Sent, Failure> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow)]
        message_id: Option<&'a RawValue>,
        recipient_id: Option<&'a RawValue>,
        error: Option<&'a RawValue>,
    }
    let text = String::from_utf8_lossy(body);
    let answer = wire::object::<Answer>(&text).ok();
    if let Some(error) = answer.as_ref().and_then(|answer| answer.error) {
        refused(http_status, error, classify)?;
    }
    let answer = answer.filter(|_| is_success(http_status));
    let message_id = answer.as_ref().and_then(|it| it.message_id).and_then(wire::text);
    let message_id = message_id.filter(|id| !id.is_empty() && id.len() <= wire::MAX_ID);
    match answer {
        Some(_) if message_id.is_some() => Ok(Sent { message_id }),
        Some(answer) if !names_message && answer.recipient_id.is_some() => Ok(Sent { message_id: None }),
        _ => Err(unreadable(http_status, &text, "an answer of success that names no message")),
    }
}

/// What to do about an answer. Code 10 and the codes from 200 mean a missing permission, and with some subcodes a person
/// who cannot be written to now: the channel itself is well then.
fn classify(http_status: u16, code: Option<i64>, subcode: Option<i64>) -> Class {
    match (code, subcode, http_status) {
        // Outside the 24 hours; blocked by, or unknown to, the person; a person without a role while the app is tested.
        (Some(10), Some(2_018_065 | 2_018_108 | 2_018_278 | 2_534_022), _) => Class::Permanent,
        (Some(200), Some(1_545_041 | 2_018_027 | 2_018_028 | 2_534_037), _) => Class::Permanent,
        // Meta says of it that the message may have been sent all the same.
        (Some(1), Some(1_357_046), _) => Class::Ambiguous,
        (Some(1 | 2 | 1200), _, _) => Class::Transient,
        (Some(4 | 17 | 32 | 613 | 80_001 | 80_002 | 80_006), _, _) => Class::PauseNumber,
        (Some(0 | 3 | 10 | 102 | 190 | 200..=299 | 368 | 467), _, _) => Class::SuspendChannel,
        (Some(100 | 551), _, _) => Class::Permanent,
        (_, _, 429) => Class::PauseNumber,
        (_, _, 500..) => Class::Transient,
        (_, _, 200..=299) => Class::Ambiguous,
        // Not Meta's word, but a gateway's.
        (None, _, _) => Class::Transient,
        _ => Class::Permanent,
    }
}
