//! The rule set as a tenant writes it: JSON, camelCase for fields, snake_case for what they may say.

mod hours;
mod one_or_many;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
#[cfg(feature = "openapi")]
use utoipa::ToSchema;

pub use self::hours::{Closure, Day, Hours, Shift};
pub use self::one_or_many::OneOrMany;

/// What a tenant's flow does, as rules.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RuleSet {
    /// At most 500. They are tried by priority, greatest first; the first that matches acts.
    pub flows: Vec<Rule>,
    /// Key of the template that is sent when no rule matches a message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(example = "fallback_v1"))]
    pub fallback_template_key: Option<String>,
    /// The language of conversations whose variable `language` is not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(example = "en"))]
    pub default_language: Option<String>,
    /// Hours that rules refer to by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub business_hours: BTreeMap<String, Hours>,
}

/// When a message looks like `match`, do `action`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// 1 to 64 of letters, digits, `_`, `-` and `.`; unique in the rule set.
    #[cfg_attr(feature = "openapi", schema(example = "greeting_flow"))]
    pub id: String,
    /// For people: at most 500 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What the rule asks for; it matches always when this is absent.
    #[serde(rename = "match", default, skip_serializing_if = "Option::is_none")]
    pub matches: Option<Match>,
    /// What is done, in this order: one action or a list of at most 10.
    #[cfg_attr(feature = "openapi", schema(inline))]
    pub action: OneOrMany<Action>,
    /// Greater ones are tried first; 0 when absent. Among equals: rules of a step, then as listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    /// The rule counts only while the conversation is at this step, and takes it away from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// What the rule is tried on; `message` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<On>,
    /// Try the rules behind this one as though it had not matched.
    #[serde(rename = "continue", default, skip_serializing_if = "Option::is_none")]
    pub goes_on: Option<bool>,
}

/// What a rule is tried on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum On {
    /// Messages of the contact.
    Message,
    /// Nothing came while the conversation was at the rule's step.
    Timeout,
}

/// What a rule asks for. Everything that is given must hold; within a list, one entry is enough. What looks at text
/// sees the first 1024 characters of a message's text or caption, or the title of the button or row that was chosen.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// The text contains this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(inline))]
    pub contains: Option<OneOrMany<String>>,
    /// The text is this, but for spaces around it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(inline))]
    pub exact: Option<OneOrMany<String>>,
    /// The text begins with this, but for spaces before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(inline))]
    pub starts_with: Option<OneOrMany<String>>,
    /// The regular expression matches somewhere in the text's first 512 characters. Groups become `{{capture.1}}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(inline))]
    pub regex: Option<OneOrMany<String>>,
    /// The kind of message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(inline))]
    pub kind: Option<OneOrMany<Kind>>,
    /// Id of the reply button or list row that was chosen, or payload of the template's button.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(inline))]
    pub reply_id: Option<OneOrMany<String>>,
    /// The conversation's language; `pt` takes `pt_BR` as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(inline))]
    pub language: Option<OneOrMany<String>>,
    /// The contact has this tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(inline))]
    pub tags: Option<OneOrMany<String>>,
    /// It is within the rule set's business hours of this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(inline))]
    pub business_hours: Option<OneOrMany<String>>,
    /// Conversation variables have these values; `null` when they are not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<BTreeMap<String, Option<String>>>))]
    pub variables: Option<BTreeMap<String, Option<OneOrMany<String>>>>,
    /// All of these hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(no_recursion))]
    pub all: Option<Vec<Match>>,
    /// One of these holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(no_recursion))]
    pub any: Option<Vec<Match>>,
    /// This does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(no_recursion))]
    pub not: Option<Box<Match>>,
    /// What is taken for the same where text is compared, here and in what is nested; `case` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fold: Option<Fold>,
    /// `contains`, here and in what is nested, looks for whole words; not so when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<bool>,
}

/// What is taken for the same where text is compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Fold {
    /// Nothing.
    None,
    /// Capital and small letters.
    #[default]
    Case,
    /// Capital and small letters, and letters with and without accents.
    CaseAndAccents,
}

/// A kind of message, as in the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Kind {
    Text,
    Image,
    Video,
    Audio,
    Document,
    Sticker,
    Location,
    Contacts,
    Reaction,
    ButtonReply,
    ListReply,
    FormReply,
    CallPermissionReply,
    TemplateButton,
    Order,
    System,
    Edit,
    Revoke,
    Unsupported,
    Unknown,
}

/// Something to do. Which fields belong to it depends on `type`. Texts can have placeholders: `{{contact.name}}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Action {
    /// What is done.
    #[serde(rename = "type")]
    pub kind: ActionType,
    /// `send_template`: the template's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(example = "welcome_v1"))]
    pub template_key: Option<String>,
    /// `send_template`: the template's language; the conversation's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// `send_template`: values for the template. `set`: conversation variables; `null` takes one away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<BTreeMap<String, Option<String>>>))]
    pub variables: Option<BTreeMap<String, Option<String>>>,
    /// `send_text`: 1 to 4096 characters; `reply_buttons`: 1 to 1024.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// `send_text`: show a preview of the first link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview_url: Option<bool>,
    /// `reply_buttons`: at most 60 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// `reply_buttons`: at most 60 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub footer: Option<String>,
    /// `reply_buttons`: 1 to 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buttons: Option<Vec<Button>>,
    /// `go_to`: the step that waits for the next message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// `go_to`: how long it waits, in seconds, at most 30 days; for ever when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u64>,
    /// `hand_off`: why, for the people who take over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// `tag`: tags to put on the contact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub add: Option<Vec<String>>,
    /// `tag`: tags to take off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remove: Option<Vec<String>>,
}

/// What an action does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ActionType {
    /// Send one of the tenant's templates.
    SendTemplate,
    /// Send a text.
    SendText,
    /// Send a text with buttons.
    ReplyButtons,
    /// Set variables of the conversation.
    Set,
    /// Go to a step, and wait there for the next message.
    GoTo,
    /// Put tags on the contact, or take them off.
    Tag,
    /// Hand the conversation to people.
    HandOff,
    /// End here: no fallback, and no step.
    Stop,
}

/// A button of `reply_buttons`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Button {
    /// 1 to 256 characters; comes back as `reply_id`.
    pub id: String,
    /// 1 to 20 characters.
    pub title: String,
}
