//! Meta's wire formats, and nothing else: no I/O, no database, no async, no HTTP client.
//!
//! In: the raw bytes of a webhook POST ([`signature`], [`envelope`]), one stored item of it ([`message`],
//! [`status`], [`field`], [`messenger`]), the Graph API's answer to a send ([`graph::answer`]).
//! Out: typed heads and contents, request bodies ([`outbound`], [`graph`]) and a [`graph::Failure`] whose class
//! says what to do next.
//!
//! No input makes this crate panic. Strings that leave it hold no NUL character, because Postgres cannot store one.

pub mod envelope;
pub mod field;
pub mod graph;
pub mod identity;
pub mod media;
pub mod message;
pub mod messenger;
pub mod outbound;
pub mod phone;
pub mod signature;
pub mod status;
mod wire;

pub use status::StatusKind;
pub use wire::PlatformError;
