//! Postgres, the truth: everything that must survive is here before anybody is told "ok".
//!
//! One module per table or per transaction of a message's way. In: values checked at the edge. Out: rows as plain
//! structs. What can fail: see [`Error`]; a caller learns whether to come back later or that the data was refused.
//!
//! Order of locks, the same in every transaction, so that they do not wait for each other in a ring: lanes of the
//! flow stage, conversations, scheduled messages, lanes of the delivery stage, then messages that exist; within a table by
//! key. (Messages that are new come before the delivery stage's lanes: only their idempotency keys can make others wait.)
//! Notices come last of all, and after them their webhooks. What still meets in a ring is tried again by
//! [`group::GroupCommit`].

pub mod alerts;
pub mod ambient;
pub mod channel_facts;
pub mod channel_tokens;
pub mod channels;
mod composite;
pub mod consent;
pub mod contacts;
pub mod conversation_settings;
pub mod conversations;
pub mod dead_letters;
mod decisions;
pub mod deliveries;
mod error;
pub mod events;
pub mod fault;
pub mod flow_runs;
pub mod flow_work;
pub mod group;
mod hot;
pub mod http_calls;
pub mod identity;
mod internal_events;
pub mod journal;
pub mod lanes;
pub mod media;
pub mod messages;
pub mod messenger;
pub mod meta_apps;
pub mod meta_templates;
mod migrating;
pub mod numbers;
pub mod outbound;
mod permission;
mod planning;
pub mod plugins;
mod pool;
pub mod queues;
pub mod replays;
pub mod routes;
pub mod rule_sets;
pub mod scheduled;
pub mod signups;
pub mod silence;
mod statuses;
pub mod suspended_templates;
pub mod templates;
pub mod tenants;
pub mod timers;
mod traces;
pub mod unrouted;
mod upkeep;
mod wakes;
pub mod webhooks;

pub use error::Error;
pub use planning::PLANNED;
pub use pool::{Settings, Store};
/// What a batch's transaction fails with; [`group::GroupCommit`] judges it.
pub use sqlx::Error as SqlError;
pub use sqlx::PgPool;
pub use wakes::{Wake, Wakes};
