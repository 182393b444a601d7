//! What an answer means for the notice, and when it is tried again.

use chrono::{DateTime, TimeDelta, Utc};
use hoopoe_outcalls::client::{Answer, Failure};
use hoopoe_store::webhooks::Outcome;

/// Pauses behind the first attempt, the second, and so on. After the one behind the last there is none.
pub const PAUSES: [TimeDelta; 7] = [
    TimeDelta::seconds(5),
    TimeDelta::minutes(5),
    TimeDelta::minutes(30),
    TimeDelta::hours(2),
    TimeDelta::hours(5),
    TimeDelta::hours(10),
    TimeDelta::hours(10),
];
/// Longest pause that a server can ask for.
const LONGEST: TimeDelta = TimeDelta::hours(24);
/// Bytes of an answer that are kept.
pub(crate) const EXCERPT: usize = 512;

/// What is written down of an attempt.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub outcome: Outcome,
    pub status: Option<i16>,
    pub response: String,
}

/// The verdict on an attempt, from 1. `chance` gives a number below its argument.
pub(crate) fn of(
    answer: Result<Answer, Failure>,
    attempt: i32,
    now: DateTime<Utc>,
    chance: impl Fn(usize) -> usize,
) -> Verdict {
    let (status, response, asked) = match &answer {
        Ok(answer) => {
            let waits = matches!(answer.status, 429 | 503);
            let asked = answer.retry_after(now).filter(|_| waits).unwrap_or_default();
            (i16::try_from(answer.status).ok(), excerpt(&answer.body), asked)
        }
        Err(Failure { code, message, .. }) => {
            (None, excerpt(format!("{code}: {message}").as_bytes()), TimeDelta::zero())
        }
    };
    let outcome = match status {
        Some(200..=299) => Outcome::Delivered,
        Some(410) => Outcome::Gone("the endpoint answered 410 Gone".to_owned()),
        _ => match usize::try_from(attempt - 1).ok().and_then(|place| PAUSES.get(place)) {
            Some(pause) => Outcome::Again(now + spread(*pause, chance).max(asked.min(LONGEST))),
            None => Outcome::Failed,
        },
    };
    Verdict { outcome, status, response }
}

/// The pause and up to a tenth on top, so that notices that failed together do not come back together.
fn spread(pause: TimeDelta, chance: impl Fn(usize) -> usize) -> TimeDelta {
    let tenth = usize::try_from(pause.num_milliseconds() / 10).unwrap_or(0);
    pause + TimeDelta::milliseconds(i64::try_from(chance(tenth)).unwrap_or(0))
}

/// The beginning, as text that Postgres takes.
fn excerpt(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes.get(..EXCERPT).unwrap_or(bytes));
    text.replace('\0', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, headers: &[(&str, &str)]) -> Result<Answer, Failure> {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Ok(Answer { status, headers, body: b"so it is\0".to_vec() })
    }

    fn pause(answer: Result<Answer, Failure>, attempt: i32) -> Option<i64> {
        match of(answer, attempt, DateTime::UNIX_EPOCH, |_| 0).outcome {
            Outcome::Again(at) => Some(at.timestamp()),
            _ => None,
        }
    }

    #[test]
    fn each_answer_has_its_verdict() {
        let outcome = |status| of(answered(status, &[]), 1, DateTime::UNIX_EPOCH, |_| 0).outcome;
        assert!([200, 202, 204, 299].into_iter().all(|status| outcome(status) == Outcome::Delivered));
        assert!(matches!(outcome(410), Outcome::Gone(_)));
        for status in [301, 302, 307, 400, 401, 404, 429, 500, 503] {
            assert_eq!(outcome(status), Outcome::Again(DateTime::UNIX_EPOCH + PAUSES[0]), "{status}");
        }
        let verdict = of(answered(500, &[]), 1, DateTime::UNIX_EPOCH, |_| 0);
        assert_eq!((verdict.status, verdict.response.as_str()), (Some(500), "so it is\u{fffd}"));
        let refused = Failure { code: "refused", message: "10.0.0.1 is private".to_owned(), unsent: false };
        let verdict = of(Err(refused), 1, DateTime::UNIX_EPOCH, |_| 0);
        assert_eq!((verdict.status, verdict.response.as_str()), (None, "refused: 10.0.0.1 is private"));
    }

    #[test]
    fn pauses_grow_and_end_after_eight_attempts() {
        let pauses: Vec<Option<i64>> = (1..=9).map(|attempt| pause(answered(500, &[]), attempt)).collect();
        let expected = [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000].map(Some);
        assert_eq!(pauses[..7], expected);
        assert_eq!(pauses[7..], [None, None]);
        assert_eq!(of(answered(500, &[]), 8, DateTime::UNIX_EPOCH, |_| 0).outcome, Outcome::Failed);
        let late = of(answered(500, &[]), 2, DateTime::UNIX_EPOCH, |below| below - 1).outcome;
        let Outcome::Again(at) = late else { panic!("{late:?}") };
        assert!((329..=330).contains(&at.timestamp()), "{at}");
    }

    #[test]
    fn a_server_that_is_busy_is_left_alone_for_as_long_as_it_asks() {
        let asked = |seconds: &'static str| [("retry-after", seconds)];
        assert_eq!(pause(answered(429, &asked("120")), 1), Some(120));
        assert_eq!(pause(answered(503, &asked("120")), 1), Some(120));
        assert_eq!(pause(answered(500, &asked("120")), 1), Some(5), "not asked by this status");
        assert_eq!(pause(answered(429, &asked("1")), 2), Some(300), "not sooner than without it");
        assert_eq!(pause(answered(429, &asked("999999")), 1), Some(86_400));
    }
}
