//! Business hours.

use serde::{Deserialize, Serialize};
#[cfg(feature = "openapi")]
use utoipa::ToSchema;

/// When a business is open.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Hours {
    /// An IANA time zone.
    #[cfg_attr(feature = "openapi", schema(example = "Europe/Berlin"))]
    pub timezone: String,
    /// The hours of a week.
    pub open: Vec<Shift>,
    /// Days on which it is closed all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub closed: Vec<Closure>,
}

/// A day, as `2026-12-25`.
pub type Closure = String;

/// Hours of some days of the week.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Shift {
    /// The days on which it begins.
    pub days: Vec<Day>,
    /// Local time, as `09:00`.
    #[cfg_attr(feature = "openapi", schema(example = "09:00"))]
    pub from: String,
    /// Local time; `24:00` is the end of the day, and an earlier time than `from` is one on the next day.
    #[cfg_attr(feature = "openapi", schema(example = "17:00"))]
    pub to: String,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}
