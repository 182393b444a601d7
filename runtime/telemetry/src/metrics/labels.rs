//! The labels of metrics and all their values. No label has a tenant, a contact or a message: the number of series is
//! fixed when the process starts.

/// A label with a fixed set of values.
pub trait Label: Copy + 'static {
    /// The label's name.
    const KEY: &'static str;
    /// Every value, in the order of [`Label::place`].
    const ALL: &'static [Self];

    /// As it is written.
    fn value(self) -> &'static str;

    /// Its place among [`Label::ALL`].
    fn place(self) -> usize;

    /// The value that is written so, if there is one.
    fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|value| value.value() == name)
    }
}

macro_rules! label {
    ($(#[$doc:meta])* $name:ident, $key:literal: $($variant:ident = $value:literal),+ $(,)?) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $(#[doc = concat!("`", $value, "`")] $variant,)+
        }

        impl Label for $name {
            const KEY: &'static str = $key;
            const ALL: &'static [Self] = &[$(Self::$variant),+];

            fn value(self) -> &'static str {
                match self {
                    $(Self::$variant => $value,)+
                }
            }

            fn place(self) -> usize {
                self as usize
            }
        }
    };
}

label!(
    /// How a webhook was answered.
    Answer, "outcome":
    Accepted = "accepted",
    BadSignature = "bad_signature",
    Malformed = "malformed",
    Shed = "shed",
    Unavailable = "unavailable",
);

label!(
    /// What an item of a webhook was.
    Item, "kind":
    Message = "message",
    Status = "status",
    Other = "other",
    Unowned = "unowned",
);

label!(
    /// What became of an item.
    Kept, "result":
    New = "new",
    Repeated = "repeated",
    Unrouted = "unrouted",
);

label!(
    /// A group commit: what shares transactions.
    Writer, "writer":
    Journal = "journal",
    Statuses = "statuses",
    Sends = "sends",
    Runs = "runs",
    Settlements = "settlements",
    Calls = "calls",
    Notices = "notices",
);

label!(
    /// A stage that works on what waits.
    Stage, "stage":
    Flows = "flows",
    Delivery = "delivery",
    Scheduled = "scheduled",
    Timers = "timers",
    Calls = "calls",
    Webhooks = "webhooks",
    Media = "media",
);

label!(
    /// How urgent waiting work is: events of flows, then messages by what queued them.
    Class, "class":
    Event = "event",
    Answer = "answer",
    Single = "single",
    Bulk = "bulk",
);

label!(
    /// Since when waiting work could be done.
    Ready, "state":
    Now = "ready",
    Later = "later",
);

label!(
    /// How the run of a flow ended: the codes that its record has, without those of the circuit breaker.
    Ended, "outcome":
    Done = "done",
    Retry = "retry",
    Reject = "reject",
    RetriesExhausted = "retries-exhausted",
    Panic = "panic",
    Trap = "trap",
    OutOfFuel = "out-of-fuel",
    DeadlineExceeded = "deadline-exceeded",
    MemoryLimit = "memory-limit",
    TableLimit = "table-limit",
    HandleLimit = "handle-limit",
    StackOverflow = "stack-overflow",
    OutputLimit = "output-limit",
    TooManyActions = "too-many-actions",
    TooManyTimers = "too-many-timers",
    ChainLimit = "chain-limit",
    InvalidAction = "invalid-action",
    UnsupportedAction = "unsupported-action",
    Template = "template",
    MigrationFailed = "migration-failed",
    CanaryFailed = "canary-failed",
    Unwanted = "unwanted",
    HandedOff = "handed-off",
    Busy = "busy",
    Internal = "internal",
    Other = "other",
);

label!(
    /// What became of the compilation of a plugin; `refused` is the plugin's fault, `failed` the host's.
    Compiled, "outcome":
    Done = "compiled",
    Refused = "refused",
    Limit = "limit",
    Crashed = "crashed",
    Waiting = "waiting",
    Failed = "failed",
);

label!(
    /// The verdict on a message; `spared` is what would have been given up, had not a status told that Meta has it, or
    /// somebody else taken it over.
    Verdict, "outcome":
    Sent = "sent",
    Retry = "retry",
    Unknown = "unknown",
    Postponed = "postponed",
    Dead = "dead",
    Spared = "spared",
);

label!(
    /// What is done about a request that Meta refused: the classes of the error table, `hoopoe_protocol::graph::Class`.
    FailureClass, "class":
    PausePair = "pause_pair",
    PauseNumber = "pause_number",
    Transient = "transient",
    Ambiguous = "ambiguous",
    Permanent = "permanent",
    SuspendTemplate = "suspend_template",
    SuspendChannel = "suspend_channel",
);

label!(
    /// What is suspended.
    Suspended, "what":
    Channel = "channel",
    Template = "template",
);

label!(
    /// What a suspension follows: a request that Meta refused, or the status of a message that it had taken.
    SuspendedBy, "by":
    Refusal = "refusal",
    Status = "status",
);

label!(
    /// How far a sent message has come, in Meta's words.
    Step, "step":
    Sent = "sent",
    Delivered = "delivered",
    Read = "read",
    Played = "played",
    Failed = "failed",
    Other = "other",
);

label!(
    /// Why nobody knows whether Meta has a message.
    Doubt, "cause":
    AnswerLost = "answer_lost",
    OwnerGone = "owner_gone",
);

label!(
    /// What became of an HTTP call of a flow.
    Called, "outcome":
    Answered = "answered",
    Failed = "failed",
    Again = "again",
);

label!(
    /// What became of an attempt to deliver a notice to a tenant's webhook.
    Posted, "outcome":
    Delivered = "delivered",
    Again = "again",
    Failed = "failed",
    Gone = "gone",
);

label!(
    /// Which connections to the database: those of the message's way, or all others.
    Pool, "pool":
    General = "general",
    Hot = "hot",
);

label!(
    /// What a connection to the database does.
    Connection, "state":
    InUse = "in_use",
    Idle = "idle",
);
