//! What webhooks can be told: the types of notices. `docs/events.md` gives the shape of each.

/// Meta has the message.
pub const MESSAGE_SENT: &str = "message.sent";
/// Flow and channel, as they are named elsewhere in the store.
pub(crate) const FLOW_FAILED: &str = "flow.failed";
pub(crate) const FLOW_PAUSED: &str = "flow.paused";
pub(crate) const FLOW_RESUMED: &str = "flow.resumed";
pub(crate) const FLOW_HANDED_OFF: &str = "flow.handed_off";
pub(crate) const CHANNEL_SUSPENDED: &str = "channel.suspended";
pub(crate) const CHANNEL_RESUMED: &str = "channel.resumed";
pub(crate) const CHANNEL_UPDATED: &str = "channel.updated";
pub(crate) const TEMPLATE_SUSPENDED: &str = "template.suspended";
pub(crate) const MESSAGE_RECEIVED: &str = "message.received";
pub(crate) const MESSAGE_CANCELED: &str = "message.canceled";
pub(crate) const MESSAGE_DEAD: &str = "message.dead";
pub(crate) const MESSAGE_EXPIRED: &str = "message.expired";
pub(crate) const ALERT_DEAD_LETTERS: &str = "alert.dead_letters";
pub(crate) const ALERT_QUEUE_AGE: &str = "alert.queue_age";
pub(crate) const ALERT_RESOLVED: &str = "alert.resolved";
pub(crate) const ALERT_TOKEN_EXPIRING: &str = "alert.token_expiring";
/// Sent on request only, to the webhook that is tried.
pub(crate) const TEST: &str = "webhook.test";

/// Every type that can be wanted, sorted.
pub const TYPES: [&str; 21] = [
    ALERT_DEAD_LETTERS,
    ALERT_QUEUE_AGE,
    ALERT_RESOLVED,
    ALERT_TOKEN_EXPIRING,
    CHANNEL_RESUMED,
    CHANNEL_SUSPENDED,
    CHANNEL_UPDATED,
    FLOW_FAILED,
    FLOW_HANDED_OFF,
    FLOW_PAUSED,
    FLOW_RESUMED,
    MESSAGE_CANCELED,
    MESSAGE_DEAD,
    "message.delivered",
    MESSAGE_EXPIRED,
    "message.failed",
    "message.played",
    "message.read",
    MESSAGE_RECEIVED,
    MESSAGE_SENT,
    TEMPLATE_SUSPENDED,
];

/// The type that tells of a status which Meta reports; none for words that are no step of a message.
pub(crate) fn of_status(status: &str) -> Option<&'static str> {
    match status {
        "sent" => Some(MESSAGE_SENT),
        "delivered" => Some("message.delivered"),
        "read" => Some("message.read"),
        "played" => Some("message.played"),
        "failed" => Some("message.failed"),
        _ => None,
    }
}

/// `message.*` for `message.sent`.
pub(crate) fn family(kind: &str) -> String {
    format!("{}.*", kind.split('.').next().unwrap_or_default())
}

/// Whether what a webhook wants stands for at least one type: `*`, a family such as `message.*`, or a type.
pub fn is_wish(wish: &str) -> bool {
    wish == "*" || TYPES.iter().any(|kind| *kind == wish || family(kind) == wish)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_types_families_or_everything() {
        assert!(TYPES.is_sorted() && TYPES.iter().all(|kind| kind.split('.').count() == 2));
        for (wish, fits) in [
            ("*", true),
            ("message.*", true),
            ("alert.*", true),
            ("message.read", true),
            ("message", false),
            ("message.re*", false),
            ("messages.*", false),
            ("webhook.test", false),
            ("", false),
        ] {
            assert_eq!(is_wish(wish), fits, "{wish}");
        }
        for status in ["sent", "delivered", "read", "played", "failed"] {
            assert!(of_status(status).is_some_and(|kind| TYPES.contains(&kind)), "{status}");
        }
    }
}
