//! What the context tells beyond its fields. The contract is frozen; attributes can be added to it. Each is a name and JSON
//! text.

use hoopoe_protocol::PlatformError;
use hoopoe_protocol::message::{self, Content, Message, Product, Referral};
use hoopoe_protocol::messenger::Platform;
use hoopoe_store::flow_work::Event;
use serde_json::{Map, Value, json};

/// The kind of a channel that is none of WhatsApp's; the messages of a burst before the event, a list, each as Meta sent it;
/// and of the message, when the event is one, what the contract's record has no field for.
pub(crate) fn attributes(event: &Event, message: Option<&Message>) -> Vec<(String, String)> {
    let kind = &event.around.channel_kind;
    let channel = Platform::of(kind).map(|_| ("channel.kind", json!(kind).to_string()));
    let before = &event.around.burst;
    // What is stored is JSON.
    let burst = (!before.is_empty()).then(|| ("burst", format!("[{}]", before.join(","))));
    let of_message = message.into_iter().flat_map(of_message);
    let all = channel.into_iter().chain(burst).chain(of_message);
    all.map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The group that a message was written into, by Meta's id.
pub(crate) fn group_of(event: &Event) -> Option<String> {
    // Few messages are of a group: the others are not read for it.
    if event.kind != "message" || !event.raw.contains("\"group_id\"") {
        return None;
    }
    message::parse(&event.raw).group_id
}

fn of_message(message: &Message) -> impl Iterator<Item = (&'static str, String)> {
    let reply = message.reply_to.as_ref();
    let all = [
        ("message.group-id", message.group_id.as_ref().map(|id| json!(id))),
        ("message.errors", errors(message)),
        ("message.reply-from", reply.and_then(|reply| reply.from.as_ref()).map(|from| json!(from))),
        ("message.product", reply.and_then(|reply| reply.product.as_ref()).map(product)),
        ("message.referral", message.referral.as_ref().and_then(shown)),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?.to_string())))
}

/// Those of an unsupported message are its content.
fn errors(message: &Message) -> Option<Value> {
    if message.errors.is_empty() || matches!(message.content, Content::Unsupported(_)) {
        return None;
    }
    let error = |it: &PlatformError| json!({ "code": it.code, "title": it.title, "details": it.details });
    Some(message.errors.iter().map(error).collect())
}

fn product(it: &Product) -> Value {
    json!({ "catalog_id": it.catalog_id, "product_retailer_id": it.product_retailer_id })
}

/// What the advertisement shows; its text and ids are in the contract's record.
fn shown(referral: &Referral) -> Option<Value> {
    let parts = [
        ("media_type", &referral.media_type),
        ("image_url", &referral.image_url),
        ("video_url", &referral.video_url),
        ("thumbnail_url", &referral.thumbnail_url),
    ];
    let given = parts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value.as_ref()?))));
    let given: Map<String, Value> = given.collect();
    (!given.is_empty()).then_some(Value::Object(given))
}
