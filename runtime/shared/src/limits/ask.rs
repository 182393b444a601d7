//! What is asked of the limits, and what they answer.

use std::fmt::Write;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Limit;

/// One of a tenant's buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope<'a> {
    /// All that the tenant sends.
    Tenant,
    /// What one of its numbers sends; Meta's id of the number.
    Number(&'a str),
    /// What one of its numbers sends to one contact.
    Pair {
        /// Meta's id of the number.
        number: &'a str,
        /// The contact, as Meta names it.
        contact: &'a str,
    },
}

impl Scope<'_> {
    /// Writes the bucket's key. The part in braces makes Redis Cluster keep a tenant's buckets together.
    pub(super) fn write_key(&self, key: &mut String, namespace: &str, tenant: Uuid) {
        let tenant = tenant.simple();
        // Writing to a string cannot fail.
        let _ = match self {
            Self::Tenant => write!(key, "{namespace}:limit:{{{tenant}}}"),
            Self::Number(number) => write!(key, "{namespace}:limit:{{{tenant}}}:{number}"),
            Self::Pair { number, contact } => write!(key, "{namespace}:limit:{{{tenant}}}:{number}:{contact}"),
        };
    }

    /// The same for this process alone, where it need not be read.
    pub(super) fn write_short_key(&self, key: &mut Vec<u8>, tenant: Uuid) {
        key.extend(tenant.as_bytes());
        match self {
            Self::Tenant => {}
            Self::Number(number) => key.extend(number.as_bytes()),
            Self::Pair { number, contact } => {
                key.extend(number.as_bytes());
                // In no text.
                key.push(0xff);
                key.extend(contact.as_bytes());
            }
        }
    }
}

/// One send: it needs a token of each of its buckets.
///
/// ```
/// # use hoopoe_shared::limits::{Ask, Limit};
/// # let tenant = uuid::Uuid::nil();
/// let ask = Ask::of(tenant)
///     .number("106540352242922", Limit::per_second(80.0))
///     .pair("106540352242922", "16505551234", Limit::new(1.0 / 6.0, 45.0));
/// # let _ = ask;
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Ask<'a> {
    pub(super) tenant: Uuid,
    pub(super) buckets: Vec<(Scope<'a>, Limit)>,
}

impl<'a> Ask<'a> {
    /// Without any bucket yet: such an ask is always granted.
    pub fn of(tenant: Uuid) -> Self {
        Self { tenant, buckets: Vec::with_capacity(3) }
    }

    /// Also from this bucket. Each at most once, and at most 255; in one call a bucket has the limit that is given
    /// first.
    pub fn bucket(mut self, scope: Scope<'a>, limit: Limit) -> Self {
        self.buckets.push((scope, limit));
        self
    }

    /// Also from the tenant's bucket.
    pub fn tenant(self, limit: Limit) -> Self {
        self.bucket(Scope::Tenant, limit)
    }

    /// Also from the number's bucket.
    pub fn number(self, number: &'a str, limit: Limit) -> Self {
        self.bucket(Scope::Number(number), limit)
    }

    /// Also from the bucket of number and contact.
    pub fn pair(self, number: &'a str, contact: &'a str, limit: Limit) -> Self {
        self.bucket(Scope::Pair { number, contact }, limit)
    }
}

/// The answer to an [`Ask`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// A token was taken from each bucket.
    Granted,
    /// Nothing was taken.
    Wait {
        /// When to ask again. Of several that wait for one bucket each gets a time of its own; no token is reserved.
        until: DateTime<Utc>,
        /// The bucket that is waited for longest.
        bucket: Scope<'a>,
    },
}

impl Verdict<'_> {
    /// Whether the send may go out.
    pub fn is_granted(&self) -> bool {
        matches!(self, Self::Granted)
    }
}
