//! What the outcome of an attempt means for a file that came in.

use chrono::{DateTime, TimeDelta, Utc};
use hoopoe_meta::media::NoBytes;
use hoopoe_meta::{Class, Failure};
use hoopoe_store::media::{Fetched, ToFetch};

use crate::files::{Kept, PutError};

/// Attempts at the most: with the pauses between them some hours.
const MOST: i32 = 10;
/// Pauses grow from the first to the longest.
const FIRST: TimeDelta = TimeDelta::seconds(5);
const LONGEST: TimeDelta = TimeDelta::hours(1);
/// Pause while nothing of the number can be fetched, or nothing can be kept.
const NOT_NOW: TimeDelta = TimeDelta::minutes(5);
/// Meta forgets files that came in after that.
const AT_META: TimeDelta = TimeDelta::days(7);

/// Why a file was not fetched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfetched {
    /// Meta.
    #[error("Meta: {0}")]
    Meta(Failure),
    /// The file is not to be kept.
    #[error("{0}")]
    Unwanted(String),
    /// Other bytes came than Meta's digest says.
    #[error("{0}")]
    Altered(String),
    /// Nothing that this file can help.
    #[error("{0}")]
    NotNow(String),
}

impl From<PutError<Failure>> for Unfetched {
    fn from(error: PutError<Failure>) -> Self {
        match error {
            PutError::Source(failure) => Self::Meta(failure),
            PutError::TooLarge(_) => Self::Unwanted(format!("{error}; MEDIA_MAX_SIZE is the limit")),
            PutError::Altered { .. } => Self::Altered(error.to_string()),
            PutError::Store(_) => Self::NotNow(error.to_string()),
        }
    }
}

impl From<NoBytes> for Unfetched {
    fn from(error: NoBytes) -> Self {
        match error {
            NoBytes::Failed(failure) => Self::Meta(failure),
            // The operator can let it in.
            NoBytes::Host(_) => Self::NotNow(error.to_string()),
        }
    }
}

/// The verdict on an attempt. `chance` gives a number below its argument.
pub(crate) fn of(
    outcome: Result<(Kept, String), Unfetched>,
    file: &ToFetch,
    now: DateTime<Utc>,
    chance: impl Fn(usize) -> usize,
) -> Fetched {
    let error = match outcome {
        Ok((Kept { size, sha256 }, mime_type)) => {
            return Fetched::Stored { size: i64::try_from(size).unwrap_or(i64::MAX), mime_type, sha256 };
        }
        Err(error) => error,
    };
    let reason = error.to_string();
    let (counts, pause) = match &error {
        Unfetched::Unwanted(_) => return Fetched::Failed { reason },
        Unfetched::NotNow(_) => (false, NOT_NOW),
        Unfetched::Altered(_) => (true, backoff(file.attempt)),
        Unfetched::Meta(failure) => match failure.class {
            Class::SuspendChannel => (false, NOT_NOW),
            Class::PauseNumber => (false, backoff(file.attempt)),
            Class::Transient | Class::Ambiguous => (true, backoff(file.attempt)),
            Class::Permanent | Class::PausePair | Class::SuspendTemplate => return Fetched::Failed { reason },
        },
    };
    let at = now + spread(pause, chance);
    if at >= file.created_at + AT_META {
        return Fetched::Failed { reason: format!("{reason}; Meta keeps files for {} days", AT_META.num_days()) };
    }
    if counts && file.attempt >= MOST {
        return Fetched::Failed { reason: format!("{reason}; given up after {MOST} attempts") };
    }
    Fetched::Again { at, reason, counts }
}

fn backoff(attempt: i32) -> TimeDelta {
    FIRST.checked_mul(1 << attempt.clamp(1, 16)).unwrap_or(LONGEST).min(LONGEST)
}

/// The pause, or up to half of it less, so that what failed together does not come back together.
fn spread(pause: TimeDelta, chance: impl Fn(usize) -> usize) -> TimeDelta {
    let millis = usize::try_from(pause.num_milliseconds()).unwrap_or_default();
    pause - TimeDelta::milliseconds(i64::try_from(chance(millis / 2 + 1)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use hoopoe_store::media::MediaLease;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn each_outcome_has_its_verdict() {
        let meta = |class| {
            Unfetched::Meta(Failure { class, http_status: None, code: None, subcode: None, message: "why".into() })
        };
        let altered = || Unfetched::Altered("why".into());
        let unwanted = || Unfetched::Unwanted("why".into());
        let later = || Unfetched::NotNow("why".into());
        let cases = [
            (meta(Class::Transient), 1, 0, "again after 10, counts"),
            (meta(Class::Transient), 3, 0, "again after 40, counts"),
            (meta(Class::Transient), 9, 0, "again after 2560, counts"),
            (meta(Class::Transient), 10, 0, "failed"),
            (meta(Class::PauseNumber), 10, 0, "again after 3600"),
            (meta(Class::SuspendChannel), 99, 6, "again after 300"),
            (meta(Class::SuspendChannel), 1, 7, "failed"),
            (meta(Class::Permanent), 1, 0, "failed"),
            (altered(), 2, 0, "again after 20, counts"),
            (altered(), 10, 0, "failed"),
            (unwanted(), 1, 0, "failed"),
            (later(), 50, 0, "again after 300"),
        ];
        let now = DateTime::from_timestamp(1_767_225_600, 0).expect("a time");
        for (outcome, attempt, days, expected) in cases {
            let file = ToFetch {
                lease: MediaLease { tenant_id: Uuid::nil(), id: "1".into(), token: 1 },
                channel_id: Uuid::nil(),
                mime_type: None,
                sha256: None,
                attempt,
                created_at: now - TimeDelta::days(days),
            };
            let label = format!("{outcome:?}, attempt {attempt}");
            let verdict = match of(Err(outcome), &file, now, |_| 0) {
                Fetched::Again { at, counts, reason } => {
                    assert!(reason.contains("why"), "{reason}");
                    format!("again after {}{}", (at - now).num_seconds(), if counts { ", counts" } else { "" })
                }
                Fetched::Failed { reason } => {
                    assert!(reason.contains("why"), "{reason}");
                    "failed".to_owned()
                }
                Fetched::Stored { .. } => "stored".to_owned(),
            };
            assert_eq!(verdict, expected, "{label}");
        }
        assert_eq!(spread(FIRST, |below| below - 1), FIRST / 2);
    }
}
