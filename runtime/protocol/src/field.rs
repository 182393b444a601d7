//! Changes that are neither messages nor statuses: templates, accounts, numbers, preferences, echoes, calls, groups.
//!
//! In: the change's field and the raw item, as [`crate::envelope`] gives them. Out: a [`Field`]. Nothing fails: what
//! cannot be read is [`Field::Unknown`], and the raw item is still there. Source: Meta's webhook reference of each
//! field. Words of Meta (`APPROVED`, `GREEN`) stay as they are, because new ones appear without warning.

mod read;

use crate::{
    identity::Identity,
    message::{self, Message},
    wire::PlatformError,
};

pub use read::parse;

/// What a change tells.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)] // The types say it.
pub enum Field {
    TemplateStatus(TemplateStatus),
    TemplateQuality(TemplateQuality),
    TemplateCategory(TemplateCategory),
    TemplateComponents(Template),
    AccountUpdate(AccountUpdate),
    AccountAlert(AccountAlert),
    /// `APPROVED`, `REJECTED`, `PENDING` or `DEFERRED`.
    AccountReview(String),
    Capability(Capability),
    NumberQuality(NumberQuality),
    NumberName(NumberName),
    Preference(Preference),
    Echo(Box<Echo>),
    Call(Call),
    History(History),
    ContactSync(ContactSync),
    Security(Security),
    Group(Group),
    /// What is wrong with the number or a request, outside of any message.
    Error(PlatformError),
    /// A field that is not known here, or one that cannot be read.
    Unknown,
}

/// Which template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Meta's id, digits.
    pub id: Option<String>,
    /// Its name.
    pub name: String,
    /// For example `en_US`.
    pub language: Option<String>,
}

/// `message_template_status_update`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateStatus {
    /// Which.
    pub template: Template,
    /// For example `APPROVED`, `REJECTED`, `PAUSED`, `FLAGGED`, `DISABLED`, `PENDING_DELETION`.
    pub event: String,
    /// Why, for example `INVALID_FORMAT`; absent for Meta's `NONE`.
    pub reason: Option<String>,
    /// For example `MARKETING`.
    pub category: Option<String>,
    /// More of it, for people.
    pub details: Option<String>,
}

/// `message_template_quality_update`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateQuality {
    /// Which.
    pub template: Template,
    /// `GREEN`, `YELLOW`, `RED` or `UNKNOWN`.
    pub new: String,
    /// The same until now.
    pub previous: Option<String>,
}

/// `template_category_update`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateCategory {
    /// Which.
    pub template: Template,
    /// The category that counts now.
    pub new: String,
    /// The one until now; absent when a change is only announced.
    pub previous: Option<String>,
    /// The category that will count, when a change is announced.
    pub correct: Option<String>,
}

/// `account_update`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountUpdate {
    /// For example `ACCOUNT_VIOLATION`, `ACCOUNT_RESTRICTION`, `DISABLED_UPDATE`, `PARTNER_REMOVED`.
    pub event: String,
    /// The account that it is about, when it is a customer's.
    pub account: Option<String>,
    /// The kind of violation, the restrictions, or the state of a ban, separated by commas.
    pub details: Option<String>,
}

/// `account_alerts`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // Named as in Meta's reference.
pub struct AccountAlert {
    pub entity_type: Option<String>,
    pub entity_id: Option<String>,
    pub severity: Option<String>,
    pub status: Option<String>,
    pub kind: String,
    pub description: Option<String>,
}

/// `business_capability_update`: how much the business may do; -1 is unlimited.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capability {
    /// People that may be written to first in 24 hours, by each number.
    pub people_per_number: Option<i64>,
    /// The same, by all numbers together; also as a tier, for example `TIER_2K`.
    pub people: Option<String>,
    /// Numbers that the account may have.
    pub numbers: Option<i64>,
}

/// `phone_number_quality_update`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberQuality {
    /// The number as people write it.
    pub display_phone_number: Option<String>,
    /// For example `FLAGGED`, `UNFLAGGED`, `UPGRADE`, `DOWNGRADE`, `THROUGHPUT_UPGRADE`.
    pub event: String,
    /// For example `TIER_1K`.
    pub current_limit: Option<String>,
    /// The same until now.
    pub old_limit: Option<String>,
}

/// `phone_number_name_update`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberName {
    /// The number as people write it.
    pub display_phone_number: Option<String>,
    /// `APPROVED`, `REJECTED`, `DEFERRED` or `PENDING`.
    pub decision: String,
    /// The name that was asked for.
    pub name: Option<String>,
    /// Why not; absent for Meta's `NONE`.
    pub reason: Option<String>,
}

/// `user_preferences`: a person stops or resumes marketing messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preference {
    /// Whose; never empty.
    pub person: Identity,
    /// `marketing_messages`.
    pub category: String,
    /// `stop` or `resume`.
    pub value: String,
    /// In Meta's words.
    pub detail: Option<String>,
    /// When, in milliseconds.
    pub timestamp: Option<i64>,
}

/// `smb_message_echoes`: a message that the business sent from its own app.
#[derive(Debug, Clone, PartialEq)]
pub struct Echo {
    /// To whom; never empty.
    pub to: Identity,
    /// What, with Meta's id of it.
    pub message: Message,
}

impl Echo {
    /// Kind and text of the message, as a list of messages shows them.
    pub fn shown(&self) -> (String, Option<String>) {
        let content = &self.message.content;
        (content.kind().to_owned(), message::preview_of(content))
    }
}

/// `calls`: a call begins, makes progress or ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Meta's id (`wacid...`).
    pub id: String,
    /// `connect`, `terminate`, `ringing`, `accepted`, `rejected`, ...: lower case.
    pub event: String,
    /// `user_initiated` or `business_initiated`: lower case.
    pub direction: Option<String>,
    /// The person at the other end.
    pub person: Identity,
    /// When, in milliseconds.
    pub timestamp: Option<i64>,
    /// How long it was, in seconds.
    pub duration: Option<i64>,
}

/// `history`: messages from before the number came to the Cloud API, or why there are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// 0: the first day; 1: up to 90 days; 2: up to 180 days.
    pub phase: Option<i64>,
    /// Place of this part; parts come in any order.
    pub chunk_order: Option<i64>,
    /// How much has come, in percent.
    pub progress: Option<i64>,
    /// How many messages this part holds.
    pub messages: usize,
    /// Why nothing comes.
    pub errors: Vec<PlatformError>,
}

/// `smb_app_state_sync`: the business's own address book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactSync {
    /// Whose entry; never empty.
    pub person: Identity,
    /// As the business wrote it.
    pub name: Option<String>,
    /// `add` or `remove`.
    pub action: String,
}

/// `security`: settings of a number changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Security {
    /// The number as people write it.
    pub display_phone_number: Option<String>,
    /// `PIN_CHANGED`, `PIN_RESET_REQUEST`, ...
    pub event: String,
    /// Meta's id of who asked for it.
    pub requester: Option<String>,
}

/// `group_lifecycle_update`, `group_participants_update`, `group_settings_update`, `group_status_update`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Meta's id; absent when a group could not be created.
    pub id: Option<String>,
    /// For example `group_create`, `group_participants_add`.
    pub event: String,
    /// The request that led to it.
    pub request_id: Option<String>,
    /// The subject, when it is told.
    pub subject: Option<String>,
    /// Who came.
    pub added: Vec<Identity>,
    /// Who went.
    pub removed: Vec<Identity>,
    /// What failed.
    pub errors: Vec<PlatformError>,
}
