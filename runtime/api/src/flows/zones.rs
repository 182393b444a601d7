//! Time zones of business hours, looked up when rules are saved: the plugin that runs them has no table of them.

use chrono::{DateTime, Days, Months, Offset, TimeZone, Utc};
use chrono_tz::Tz;
use hoopoe_rules::Zone;

/// How far ahead the offsets reach. Rules that are not saved again by then keep the last one.
const AHEAD: Months = Months::new(12 * 15);
/// Replays run rules on events of earlier times.
const BACK: Months = Months::new(12);

/// The offsets of a zone around `now`; `None` when there is no such zone.
pub(super) fn zone(name: &str, now: DateTime<Utc>) -> Option<Zone> {
    let zone: Tz = name.parse().ok()?;
    let offset = |at: DateTime<Utc>| zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc();
    let (mut at, end) = (now.checked_sub_months(BACK)?, now.checked_add_months(AHEAD)?);
    let first = offset(at);
    let (mut current, mut changes) = (first, Vec::new());
    while at < end {
        let next = at.checked_add_days(Days::new(1))?;
        if offset(next) != current {
            let moment = change(at.timestamp(), next.timestamp(), |second| {
                DateTime::from_timestamp(second, 0).is_some_and(|at| offset(at) != current)
            });
            current = offset(next);
            changes.push((moment, current));
        }
        at = next;
    }
    Some(Zone { first, changes })
}

/// The first second between the two at which it has changed.
fn change(mut before: i64, mut after: i64, has_changed: impl Fn(i64) -> bool) -> i64 {
    while after - before > 1 {
        let middle = before + (after - before) / 2;
        *if has_changed(middle) { &mut after } else { &mut before } = middle;
    }
    after
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        text.parse::<DateTime<Utc>>().map(|at| at.timestamp()).unwrap_or_default()
    }

    #[test]
    fn changes_are_found_to_the_second() {
        let now = DateTime::from_timestamp(at("2026-01-01T12:34:56Z"), 0).unwrap_or_default();
        let zone = |name| zone(name, now);
        assert_eq!(zone("Europe/Bielefeld"), None);
        assert_eq!(zone("UTC"), Some(Zone { first: 0, changes: Vec::new() }));
        assert_eq!(zone("Asia/Kolkata"), Some(Zone { first: 19_800, changes: Vec::new() }));
        let Some(berlin) = zone("Europe/Berlin") else { panic!("Berlin has a time zone") };
        assert_eq!(berlin.first, 3600);
        for (text, offset) in [
            ("2025-03-30T01:00:00Z", 7200),
            ("2025-10-26T01:00:00Z", 3600),
            ("2026-03-29T01:00:00Z", 7200),
            ("2026-10-25T01:00:00Z", 3600),
            ("2040-10-28T01:00:00Z", 3600),
        ] {
            assert!(berlin.changes.contains(&(at(text), offset)), "{text}: {:?}", berlin.changes);
        }
        assert_eq!(berlin.changes.len(), 32);
    }
}
