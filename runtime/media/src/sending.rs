//! Messages that name uploads: Meta knows these by ids of its own, one per number, for 30 days.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::TimeDelta;
use hoopoe_meta::media::Upload;
use hoopoe_meta::{Class, Failure};
use hoopoe_protocol::media::Kind;
use hoopoe_store::media::Media as Row;
use secrecy::SecretString;
use serde_json::Value;
use uuid::Uuid;

use crate::Media;
use crate::fetch::broken;

/// What the id of an upload begins with. Meta's ids are digits.
pub const HANDLE: &str = "media_";
/// How long Meta keeps an upload.
const AT_META: TimeDelta = TimeDelta::days(30);
/// An id that expires sooner is not used: the message may be under way for a while.
const MARGIN: TimeDelta = TimeDelta::hours(1);
/// Meta's codes of a message whose file it does not have (any more), or could not read.
const GONE: [i64; 4] = [100, 131_009, 131_052, 131_053];

/// A payload as Meta understands it.
#[derive(Debug, PartialEq, Eq)]
pub struct AtMeta {
    /// The Graph API message: JSON text.
    pub payload: String,
    /// Which uploads it names.
    pub used: Vec<Used>,
}

/// An upload in a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    /// The handle.
    pub handle: String,
    /// Meta's id of it.
    pub meta_id: String,
    /// Meta was given it just now.
    pub fresh: bool,
}

/// Which upload of which tenant goes to which number.
type Key = (Uuid, String, Uuid);

/// Uploads to Meta under way in this process: many messages with one file wait for one upload.
#[derive(Default)]
pub(crate) struct Under(Mutex<HashMap<Key, Waiting>>);

/// Those who want the same upload.
#[derive(Default)]
struct Waiting {
    lock: Arc<tokio::sync::Mutex<()>>,
    turns: usize,
}

/// A place in the row for an upload. The last one leaves nothing behind, even if nobody waits for it to its end.
struct Turn<'a> {
    under: &'a Under,
    key: &'a Key,
    lock: Arc<tokio::sync::Mutex<()>>,
}

/// A number to send from.
pub struct Number<'a> {
    /// Whose.
    pub tenant_id: Uuid,
    /// The channel.
    pub channel_id: Uuid,
    /// Meta's id of it.
    pub phone_number_id: &'a str,
    /// Its token.
    pub token: &'a SecretString,
}

/// The uploads that a payload names, each with the kind of file that is expected there: `{"image": {"id": "media_..."}}`,
/// wherever it stands.
pub fn handles(payload: &Value) -> Vec<(Kind, &str)> {
    match payload {
        Value::Array(list) => list.iter().flat_map(handles).collect(),
        Value::Object(object) => object
            .iter()
            .flat_map(|(name, it)| {
                let id = it.get("id").and_then(Value::as_str).filter(|id| id.starts_with(HANDLE));
                match (Kind::of(name), id) {
                    (Some(kind), Some(id)) => vec![(kind, id)],
                    _ => handles(it),
                }
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// Whether a payload may name an upload: to read all would cost more than to look.
fn may_name(payload: &str) -> bool {
    payload.contains(concat!('"', "media_"))
}

/// Puts Meta's ids in place of handles.
fn replace(payload: &mut Value, used: &[Used]) {
    match payload {
        Value::Array(list) => list.iter_mut().for_each(|it| replace(it, used)),
        Value::Object(object) => {
            for (name, it) in object {
                let known = used.iter().find(|used| it.get("id") == Some(&Value::String(used.handle.clone())));
                match (Kind::of(name), known) {
                    (Some(_), Some(used)) => it["id"] = Value::String(used.meta_id.clone()),
                    _ => replace(it, used),
                }
            }
        }
        _ => {}
    }
}

impl Media {
    /// Puts Meta's ids into a payload in place of the handles of uploads, which are given to Meta where it does not have
    /// them. `None` when the payload names none.
    pub async fn at_meta(&self, number: &Number<'_>, payload: &str) -> Result<Option<AtMeta>, Failure> {
        if !may_name(payload) {
            return Ok(None);
        }
        // What is no JSON is refused by who sends it.
        let Ok(mut payload) = serde_json::from_str::<Value>(payload) else { return Ok(None) };
        let mut used: Vec<Used> = Vec::new();
        for (_, handle) in handles(&payload) {
            if !used.iter().any(|known| known.handle == handle) {
                used.push(self.given(number, handle.to_owned()).await?);
            }
        }
        replace(&mut payload, &used);
        Ok((!used.is_empty()).then(|| AtMeta { payload: payload.to_string(), used }))
    }

    /// Whether a failed message may fare better once its files are given to Meta anew; Meta's ids of them are forgotten
    /// then.
    pub async fn were_gone(&self, number: &Number<'_>, used: &[Used], failure: &Failure) -> bool {
        let stale: Vec<&Used> = used.iter().filter(|used| !used.fresh).collect();
        if stale.is_empty() || !failure.code.is_some_and(|code| GONE.contains(&code)) {
            return false;
        }
        let Number { tenant_id, channel_id, .. } = *number;
        for Used { handle, meta_id, .. } in stale {
            if let Err(error) = self.store.forget_meta_media(tenant_id, handle, channel_id, meta_id).await {
                tracing::warn!(tenant = %tenant_id, media = handle, %error, "could not forget Meta's id of a file");
                return false;
            }
        }
        true
    }

    /// Meta's id of an upload, which it is given when it has none.
    async fn given(&self, number: &Number<'_>, handle: String) -> Result<Used, Failure> {
        let key: Key = (number.tenant_id, handle, number.channel_id);
        let (meta_id, fresh) = {
            let turn = self.under.turn(&key);
            let _held = turn.lock.lock().await;
            self.given_in_turn(number, &key.1).await?
        };
        Ok(Used { handle: key.1, meta_id, fresh })
    }

    async fn given_in_turn(&self, number: &Number<'_>, handle: &str) -> Result<(String, bool), Failure> {
        let Number { tenant_id, channel_id, phone_number_id, token } = *number;
        let now = self.store.ambient.now();
        let away = |error: hoopoe_store::Error| passing(format!("the file {handle} cannot be looked up now: {error}"));
        if let Some(id) = self.store.meta_media(tenant_id, handle, channel_id, now + MARGIN).await.map_err(away)? {
            return Ok((id, false));
        }
        let row = self.store.media(tenant_id, handle).await.map_err(away)?;
        let missing = || broken(format!("there is no file {handle} (any more); upload it again and send its new id"));
        let Row { mime_type: Some(mime_type), size: Some(size), filename, .. } = row.ok_or_else(missing)? else {
            return Err(missing());
        };
        let unreadable = |error: object_store::Error| passing(format!("the file {handle} cannot be read now: {error}"));
        let bytes = self.files.get(tenant_id, handle, None).await.map_err(unreadable)?.ok_or_else(missing)?;
        let boundary = hex::encode(self.store.ambient.bytes::<16>());
        let size = u64::try_from(size).unwrap_or_default();
        let upload = Upload { mime_type, filename, size, boundary, bytes };
        let id = self.graph.upload_media(token, phone_number_id, upload).await?;
        tracing::info!(tenant = %tenant_id, media = handle, number = phone_number_id, "Meta was given a file");
        if let Err(error) = self.store.keep_meta_media(tenant_id, handle, channel_id, &id, now + AT_META).await {
            // The message goes all the same; the next one gives the file again.
            tracing::warn!(tenant = %tenant_id, media = handle, %error, "could not remember Meta's id of a file");
        }
        Ok((id, true))
    }
}

impl Under {
    fn turn<'a>(&'a self, key: &'a Key) -> Turn<'a> {
        let mut under = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = under.entry(key.clone()).or_default();
        waiting.turns += 1;
        Turn { under: self, key, lock: waiting.lock.clone() }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut under = self.under.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiting) = under.get_mut(self.key) {
            waiting.turns -= 1;
            if waiting.turns == 0 {
                under.remove(self.key);
            }
        }
    }
}

fn passing(message: String) -> Failure {
    Failure { class: Class::Transient, ..broken(message) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn handles_are_found_wherever_a_file_may_stand() {
        let cases = [
            (json!({"type": "image", "image": {"id": "media_1", "caption": "x"}}), vec![(Kind::Image, "media_1")]),
            (json!({"type": "image", "image": {"id": "1013859600285441"}}), vec![]),
            (json!({"type": "image", "image": {"link": "https://x/media_1"}}), vec![]),
            (json!({"type": "text", "text": {"body": "\"media_1\""}}), vec![]),
            (
                json!({"type": "interactive", "interactive": {"type": "button", "header": {"type": "video",
                "video": {"id": "media_2"}}, "action": {"buttons": [{"reply": {"id": "media_3"}}]}}}),
                vec![(Kind::Video, "media_2")],
            ),
            (
                json!({"type": "template", "template": {"components": [{"type": "carousel", "cards": [
                    {"components": [{"type": "header", "parameters": [{"type": "image", "image": {"id": "media_4"}}]}]},
                    {"components": [{"type": "header", "parameters": [{"type": "document", "document": {"id": "media_5"}}]}]},
                ]}]}}),
                vec![(Kind::Image, "media_4"), (Kind::Document, "media_5")],
            ),
        ];
        for (payload, expected) in cases {
            assert_eq!(handles(&payload), expected, "{payload}");
            assert!(expected.is_empty() || may_name(&payload.to_string()), "{payload}");
            let used: Vec<Used> = expected
                .iter()
                .map(|(_, handle)| Used {
                    handle: (*handle).into(),
                    meta_id: handle.replace("media_", "77"),
                    fresh: true,
                })
                .collect();
            let mut at_meta = payload.clone();
            replace(&mut at_meta, &used);
            assert!(handles(&at_meta).is_empty(), "{at_meta}");
            let expected = used.iter().fold(payload.to_string(), |text, it| {
                text.replacen(&format!("\"id\":\"{}\"", it.handle), &format!("\"id\":\"{}\"", it.meta_id), 1)
            });
            assert_eq!(at_meta.to_string(), expected);
        }
    }
    #[tokio::test]
    async fn who_goes_before_its_turn_leaves_nothing_behind() {
        let under = Under::default();
        let key: Key = (Uuid::nil(), "media_1".to_owned(), Uuid::nil());
        let turns = || under.0.lock().expect("no panic").get(&key).map(|waiting| waiting.turns);
        let first = under.turn(&key);
        let held = first.lock.lock().await;
        let next = async {
            let turn = under.turn(&key);
            let _held = turn.lock.lock().await;
        };
        let waited = tokio::time::timeout(std::time::Duration::from_millis(1), next).await;
        assert!(waited.is_err(), "it is the first one's turn");
        assert_eq!(turns(), Some(1));
        drop(held);
        drop(first);
        assert_eq!(turns(), None);
    }
}
