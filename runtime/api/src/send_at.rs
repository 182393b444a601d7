//! The field `send_at`: when a message is to be sent.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::error::{ApiError, invalid_field};

/// How far ahead a message can be scheduled.
const FURTHEST: TimeDelta = TimeDelta::days(90);
/// How long ago the moment may be: clocks differ, and a request takes its time. The message is sent at once then.
const SKEW: TimeDelta = TimeDelta::minutes(1);

/// A moment.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code)] // For the API's description: what is wrong is told better by hand.
pub enum SendAt {
    /// RFC 3339 with an offset, such as `2026-03-01T09:00:00+05:30`.
    Time(DateTime<Utc>),
    /// Unix time in seconds.
    Seconds(i64),
}

/// The moment that the field names, if it names one.
pub fn checked_time(given: Option<Value>, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, ApiError> {
    let wrong = |message: String| invalid_field("send_at", message);
    let Some(given) = given.filter(|given| !given.is_null()) else { return Ok(None) };
    let at = match &given {
        Value::String(text) => DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc()),
        Value::Number(seconds) => seconds.as_i64().and_then(|seconds| DateTime::from_timestamp(seconds, 0)),
        _ => None,
    };
    let Some(at) = at else {
        let advice = "give it a time with its offset, such as 2026-03-01T09:00:00+05:30, or Unix seconds";
        return Err(wrong(format!("it is {given}; {advice}")));
    };
    // As Postgres keeps it.
    let at = DateTime::from_timestamp_micros(at.timestamp_micros()).unwrap_or(at);
    if at < now - SKEW {
        return Err(wrong(format!("{at} is past; give it a time to come, or leave it out to send at once")));
    }
    if at > now + FURTHEST {
        let advice = "give it one within the next 90 days; numbers are seconds, not milliseconds";
        return Err(wrong(format!("{at} is too far ahead; {advice}")));
    }
    Ok(Some(at))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_moment_is_read_and_bounded() {
        let now = DateTime::from_timestamp(1_767_225_600, 0).expect("in range");
        let taken = [
            (json!("2026-01-01T00:00:10Z"), 10),
            (json!("2026-01-01T05:30:10+05:30"), 10),
            (json!(1_767_225_610), 10),
            (json!("2025-12-31T23:59:00Z"), -60),
            (json!("2026-04-01T00:00:00Z"), 90 * 86_400),
        ];
        for (given, seconds) in taken {
            let at = checked_time(Some(given.clone()), now).ok().flatten();
            assert_eq!(at, Some(now + TimeDelta::seconds(seconds)), "{given}");
        }
        for given in [None, Some(Value::Null)] {
            assert!(checked_time(given, now).is_ok_and(|at| at.is_none()));
        }
        let refused = [
            (json!("2025-12-31T23:58:59Z"), "past"),
            (json!("2026-04-01T00:00:01Z"), "90 days"),
            (json!(1_767_225_610_000_i64), "not milliseconds"),
            (json!(i64::MAX), "Unix seconds"),
            (json!(1_767_225_610.5), "Unix seconds"),
            (json!("2026-01-01T00:00:10"), "with its offset"),
            (json!("1767225610"), "with its offset"),
            (json!("tomorrow"), "with its offset"),
            (json!({}), "with its offset"),
        ];
        for (given, word) in refused {
            let error = checked_time(Some(given.clone()), now).err().map(|error| format!("{error:?}"));
            assert!(error.as_ref().is_some_and(|error| error.contains(word)), "{given}: {error:?}");
        }
    }
}
