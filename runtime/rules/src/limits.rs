//! How large a rule set and what it does may be. They keep the slowest rule set within a run's fuel and memory.

/// Rules of a tenant.
pub const RULES: usize = 500;
/// The compiled rule set, in bytes: the contract's limit on a plugin's configuration.
pub const COMPILED: usize = 64 << 10;
/// Names: of rules, steps, variables and business hours, in characters.
pub const NAME: usize = 64;
/// A rule's description, in characters.
pub const DESCRIPTION: usize = 500;
/// A word or phrase to look for, an id, a value, in characters.
pub const PHRASE: usize = 256;
/// A regular expression, in characters.
pub const PATTERN: usize = 512;
/// Entries of one list within a match.
pub const LIST: usize = 100;
/// How deep `all`, `any` and `not` may be nested within each other.
pub const NESTING: usize = 8;
/// Phrases of a rule set that are compared with the text.
pub const PHRASES: usize = 1000;
/// Phrases are compared with this many characters of a text, the first ones.
pub const SEEN: usize = 1024;
/// Regular expressions of a rule set together, compiled, in bytes as regex-lite counts them.
pub const REGEXES: usize = 32 << 10;
/// One regular expression, compiled, in bytes.
pub const REGEX: usize = 16 << 10;
/// Regular expressions look at this many characters of a text, the first ones.
pub const REGEX_SEEN: usize = 512;
/// Actions of one rule.
pub const ACTIONS: usize = 10;
/// Actions of all rules with `continue` together: what one message can set off, with those of one more rule.
pub const CONTINUED_ACTIONS: usize = 40;
/// Variables of a template, or changed by one `set`.
pub const VARIABLES: usize = 50;
/// Variables of a conversation.
pub const CONVERSATION_VARIABLES: usize = 100;
/// A variable's value, in characters; longer ones are cut.
pub const VALUE: usize = 1024;
/// All variables of a conversation, as JSON, in bytes; a variable that does not fit any more is not set.
pub const VARIABLES_BYTES: usize = 48 << 10;
/// How long a step can wait, in seconds: 30 days.
pub const TIMEOUT: u64 = 30 * 24 * 3600;
/// Business hours of a tenant, by name.
pub const HOURS: usize = 20;
/// Shifts, and closed days, of one entry of the business hours.
pub const SHIFTS: usize = 50;
/// As [`SHIFTS`], for days.
pub const CLOSED: usize = 200;
/// A text, in characters (Meta's limit).
pub const TEXT: usize = 4096;
/// A text with buttons, in characters (Meta's limit).
pub const BUTTONS_TEXT: usize = 1024;
/// Header and footer of a text with buttons, in characters (Meta's limit).
pub const MARGIN: usize = 60;
/// Buttons of a message (Meta's limit).
pub const BUTTONS: usize = 3;
/// The id of a button, in characters (Meta's limit).
pub const BUTTON_ID: usize = 256;
/// The title of a button, in characters (Meta's limit).
pub const BUTTON_TITLE: usize = 20;
/// A template's key, in characters.
pub const TEMPLATE_KEY: usize = 64;
/// A contact's tag, in characters.
pub const TAG: usize = 64;
/// Tags of a contact.
pub const TAGS: usize = 64;
/// Why a conversation is handed off, in characters.
pub const REASON: usize = 1000;
