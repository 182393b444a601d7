//! What comes of an attempt: the event for the flow, or another attempt.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use crate::client::{Answer, Failure};

/// Attempts that are answered with "try again" before that is the answer.
const TRIES: i32 = 3;
/// Claims of a call after which it is given up: its owners were lost each time.
pub(crate) const MOST_CLAIMS: i32 = 6;
/// Pause after the first attempt that came to nothing; doubled with each.
const PAUSE: TimeDelta = TimeDelta::seconds(1);

/// A call under way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Round<'a> {
    /// Comes back with the answer.
    pub name: &'a str,
    /// From 1.
    pub attempt: i32,
    /// When the flow asked for it.
    pub created_at: DateTime<Utc>,
    /// What the flow gave it.
    pub timeout: TimeDelta,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Give the flow this `http-response`: JSON text.
    Answer(String),
    /// Call again then.
    Again(DateTime<Utc>),
}

impl Round<'_> {
    /// How long this attempt may take: what earlier ones left of the call's time. All of it when there is none left:
    /// that is no retry but a call whose owner was lost, or one that waited long.
    pub(crate) fn time(&self, now: DateTime<Utc>) -> TimeDelta {
        let left = self.created_at + self.timeout - now;
        if self.attempt > 1 && left > TimeDelta::zero() { left.min(self.timeout) } else { self.timeout }
    }

    /// The verdict on an attempt. `chance` gives a number below its argument.
    pub(crate) fn verdict(
        &self,
        outcome: Result<Answer, Failure>,
        now: DateTime<Utc>,
        chance: impl Fn(usize) -> usize,
    ) -> Verdict {
        let pause = match &outcome {
            Ok(answer) if matches!(answer.status, 429 | 503) => answer.retry_after(now),
            Err(failure) if failure.unsent => {
                let pause = PAUSE * (1 << (self.attempt - 1).clamp(0, 4));
                // Calls that failed together do not come back together.
                let spread = usize::try_from(pause.num_milliseconds() / 2).unwrap_or(0);
                Some(pause + TimeDelta::milliseconds(i64::try_from(chance(spread)).unwrap_or(0)))
            }
            _ => None,
        };
        let at = pause.map(|pause| now + pause).filter(|at| *at < self.created_at + self.timeout);
        match at {
            Some(at) if self.attempt < TRIES => Verdict::Again(at),
            _ => Verdict::Answer(self.raw(outcome)),
        }
    }

    fn raw(&self, outcome: Result<Answer, Failure>) -> String {
        let raw = match outcome {
            Ok(Answer { status, headers, body }) => {
                json!({ "name": self.name, "status": status, "headers": headers, "body": BASE64.encode(body) })
            }
            Err(Failure { code, message, .. }) => {
                json!({ "name": self.name, "error": format!("{code}: {message}") })
            }
        };
        raw.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "stock";

    fn answer(status: u16, retry_after: &str) -> Result<Answer, Failure> {
        let headers = if retry_after.is_empty() { vec![] } else { vec![("retry-after".into(), retry_after.into())] };
        Ok(Answer { status, headers, body: b"hi".to_vec() })
    }

    fn unsent() -> Result<Answer, Failure> {
        Err(Failure { code: "unreachable", message: "connection refused".into(), unsent: true })
    }

    #[test]
    fn only_what_cannot_have_happened_is_tried_again_and_only_in_time() {
        let created_at = DateTime::UNIX_EPOCH;
        // Attempt, seconds since the call was asked for, outcome, seconds until the next try.
        let cases = [
            (1, 0, unsent(), Some(1)),
            (2, 2, unsent(), Some(2)),
            (3, 4, unsent(), None),
            (1, 9, unsent(), None),
            (1, 0, answer(503, "2"), Some(2)),
            (1, 0, answer(429, " 9 "), Some(9)),
            (1, 0, answer(429, "0"), Some(0)),
            (1, 0, answer(429, "Thu, 01 Jan 1970 00:00:05 GMT"), Some(5)),
            (1, 5, answer(429, "Thu, 01 Jan 1970 00:00:01 GMT"), Some(0)),
            (1, 0, answer(429, "10"), None),
            (1, 0, answer(429, "86400"), None),
            (1, 0, answer(429, "soon"), None),
            (1, 0, answer(429, ""), None),
            (3, 0, answer(429, "1"), None),
            (1, 0, answer(500, "1"), None),
            (1, 0, answer(200, "1"), None),
            (1, 0, Err(Failure::new("broken", "reset")), None),
            (1, 0, Err(Failure::new("timeout", "no whole answer")), None),
            (1, 0, Err(Failure::new("refused", "a private address")), None),
        ];
        for (attempt, seconds, outcome, expected) in cases {
            let round = Round { name: NAME, attempt, created_at, timeout: TimeDelta::seconds(10) };
            let now = created_at + TimeDelta::seconds(seconds);
            let told = format!("{attempt}, {seconds} s: {outcome:?}");
            match (round.verdict(outcome, now, |_| 0), expected) {
                (Verdict::Again(at), Some(pause)) => assert_eq!((at - now).num_seconds(), pause, "{told}"),
                (Verdict::Answer(_), None) => {}
                (verdict, _) => panic!("{verdict:?} on {told}"),
            }
        }
    }

    #[test]
    fn retries_share_the_calls_time() {
        let round =
            |attempt| Round { name: NAME, attempt, created_at: DateTime::UNIX_EPOCH, timeout: TimeDelta::seconds(10) };
        for (attempt, seconds, expected) in [(1, 0, 10), (1, 60, 10), (2, 4, 6), (3, 9, 1), (2, 10, 10), (2, 45, 10)] {
            let now = DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
            assert_eq!(round(attempt).time(now), TimeDelta::seconds(expected), "{attempt}, {seconds} s");
        }
    }

    #[test]
    fn answers_are_told_as_the_contract_says() {
        let round = Round { name: NAME, attempt: 1, created_at: DateTime::UNIX_EPOCH, timeout: TimeDelta::seconds(10) };
        for (outcome, expected) in [
            (answer(404, "7"), r#"{"body":"aGk=","headers":[["retry-after","7"]],"name":"stock","status":404}"#),
            (Err(Failure::new("timeout", "x")), r#"{"error":"timeout: x","name":"stock"}"#),
        ] {
            let expected: serde_json::Value = serde_json::from_str(expected).expect("JSON");
            let Verdict::Answer(raw) = round.verdict(outcome, DateTime::UNIX_EPOCH, |_| 0) else {
                panic!("{expected}")
            };
            assert_eq!(serde_json::from_str::<serde_json::Value>(&raw).expect("JSON"), expected);
        }
    }
}
