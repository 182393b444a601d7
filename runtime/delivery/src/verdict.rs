//! What an answer means for the message: the error table of Meta, the number of attempts, the backoff.

use chrono::{DateTime, TimeDelta, Utc};
use hoopoe_protocol::graph::{Class, Failure};
use hoopoe_store::deliveries::Verdict;
use serde_json::json;

use crate::pace::NUMBER_REST;

/// Longest pause between two attempts.
const LONGEST: TimeDelta = TimeDelta::minutes(15);
/// Pause of a message whose number was refused: the number is tried again then.
const CHANNEL_PAUSE: TimeDelta = TimeDelta::minutes(5);

/// The verdict on a failed attempt: its number (from 1), and how many there may be. `doubt` is how long an unknown
/// outcome waits for a status; `chance` gives a number below its argument. How long a number rests is not known here
/// ([`crate::pace::Pace::number_rests`]): what waits for it waits for as long as a first rest takes.
pub(crate) fn of(
    failure: &Failure,
    (attempt, most): (i32, i32),
    doubt: TimeDelta,
    now: DateTime<Utc>,
    chance: impl Fn(usize) -> usize,
) -> Verdict {
    let counts = !matches!(failure.class, Class::SuspendChannel | Class::PauseNumber);
    let last = counts && attempt >= most;
    let error = describe(failure, attempt, last);
    match failure.class {
        // Even after the last attempt: a status may still tell that it arrived.
        Class::Ambiguous => Verdict::Unknown { until: now + doubt, error },
        // It is not the message's fault, and another token may help it.
        Class::SuspendChannel => Verdict::Postponed { at: now + CHANNEL_PAUSE, error: Some(error) },
        // Nor is it here. A quota of an hour outlasts any number of attempts: the message's validity is the end.
        Class::PauseNumber => Verdict::Postponed { at: now + NUMBER_REST, error: Some(error) },
        Class::Transient if !last => Verdict::Retry { at: now + backoff(attempt, chance), error },
        Class::PausePair if !last => Verdict::Retry { at: now + pair_rest(attempt), error },
        _ => Verdict::Dead { error, expired: false, asked: true },
    }
}

/// How long a number and a contact rest after this attempt met their limit: Meta asks for 4^attempt seconds. They are
/// one lane, so there is nothing to spread by chance.
pub(crate) fn pair_rest(attempt: i32) -> TimeDelta {
    TimeDelta::milliseconds(milliseconds(4.0, attempt))
}

/// 2^attempt / 2 seconds to 2^attempt, at random, so that messages that failed together do not come back together.
fn backoff(attempt: i32, chance: impl Fn(usize) -> usize) -> TimeDelta {
    let whole = milliseconds(2.0, attempt);
    let jitter = i64::try_from(chance(usize::try_from(whole / 2 + 1).unwrap_or(1))).unwrap_or(0);
    TimeDelta::milliseconds(whole - jitter)
}

/// `base`^attempt seconds, [`LONGEST`] at the most.
fn milliseconds(base: f64, attempt: i32) -> i64 {
    (base.powi(attempt.min(16)) * 1000.0).min(LONGEST.num_milliseconds() as f64) as i64
}

fn describe(failure: &Failure, attempt: i32, last: bool) -> String {
    json!({
        "class": failure.class.as_str(),
        "code": failure.code,
        "subcode": failure.subcode,
        "httpStatus": failure.http_status,
        "message": failure.message,
        "attempt": attempt,
        "last": last,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const DOUBT: TimeDelta = TimeDelta::seconds(30);

    fn failed(class: Class) -> Failure {
        Failure { class, http_status: None, code: Some(1), subcode: None, message: "why".into() }
    }

    #[test]
    fn each_class_has_its_verdict() {
        let now = DateTime::UNIX_EPOCH;
        let cases = [
            (Class::Transient, 1, "retry after 2"),
            (Class::Transient, 5, "retry after 32"),
            (Class::Transient, 6, "dead"),
            (Class::PauseNumber, 1, "postponed for 2"),
            (Class::PauseNumber, 6, "postponed for 2"),
            (Class::PausePair, 2, "retry after 16"),
            (Class::PausePair, 6, "dead"),
            (Class::Ambiguous, 1, "unknown for 30"),
            (Class::Ambiguous, 6, "unknown for 30"),
            (Class::Permanent, 1, "dead"),
            (Class::SuspendTemplate, 1, "dead"),
            (Class::SuspendChannel, 1, "postponed for 300"),
            (Class::SuspendChannel, 6, "postponed for 300"),
        ];
        for (class, attempt, expected) in cases {
            let verdict = match of(&failed(class), (attempt, 6), DOUBT, now, |_| 0) {
                Verdict::Retry { at, .. } => format!("retry after {}", (at - now).num_seconds()),
                Verdict::Unknown { until, .. } => format!("unknown for {}", (until - now).num_seconds()),
                Verdict::Postponed { at, error } => {
                    assert!(error.unwrap().contains("\"last\":false"), "it uses up no attempt");
                    format!("postponed for {}", (at - now).num_seconds())
                }
                Verdict::Dead { error, asked, .. } => {
                    assert!(asked && error.contains("why"), "{error}");
                    "dead".to_owned()
                }
                Verdict::Sent { .. } => "sent".to_owned(),
            };
            assert_eq!(verdict, expected, "{class:?}, attempt {attempt}");
        }
    }

    #[test]
    fn jitter_takes_at_most_half_and_the_pause_is_bounded() {
        assert_eq!(backoff(3, |below| below - 1), TimeDelta::seconds(4));
        assert_eq!(backoff(16, |_| 0), LONGEST);
        assert_eq!(pair_rest(16), LONGEST);
    }

    #[test]
    fn a_pair_rests_for_as_long_as_meta_asks() {
        let now = DateTime::UNIX_EPOCH;
        for (attempt, seconds) in [(1, 4), (2, 16), (3, 64)] {
            let verdict = of(&failed(Class::PausePair), (attempt, 6), DOUBT, now, |below| below - 1);
            let whole = now + TimeDelta::seconds(seconds);
            assert!(matches!(verdict, Verdict::Retry { at, .. } if at == whole), "attempt {attempt}: {verdict:?}");
        }
    }
}
