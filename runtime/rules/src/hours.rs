//! Business hours. The guest has no table of time zones: the host looks the zone's offsets up when a rule set is saved.

use std::collections::BTreeMap;

use crate::compile::Problem;
use crate::limits;
use crate::schema::{Day, Hours, Shift};
use crate::wire::{Malformed, Reader, Writer};

const DAY: i64 = 24 * 60;
const WEEK: i64 = 7 * DAY;

/// How far a place's clocks are from UTC, as far ahead as the host cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// Seconds east of UTC before the first change.
    pub first: i32,
    /// Changes, oldest first: the moment in Unix seconds, and seconds east of UTC from then on.
    pub changes: Vec<(i64, i32)>,
}

/// Finds a time zone by its IANA name.
pub type Zones<'a> = dyn Fn(&str) -> Option<Zone> + 'a;

/// Writes the hours. `path` is where they stand.
pub(crate) fn write(path: &str, hours: &Hours, zones: &Zones, writer: &mut Writer) -> Result<(), Problem> {
    let zone = zones(&hours.timezone).ok_or_else(|| {
        let message = format!("there is no time zone {:?}; give it an IANA name, like Europe/Berlin", hours.timezone);
        Problem::new(format!("{path}.timezone"), message)
    })?;
    if hours.open.is_empty() || hours.open.len() > limits::SHIFTS {
        let message = format!("it has {} entries; give it 1 to {}", hours.open.len(), limits::SHIFTS);
        return Err(Problem::new(format!("{path}.open"), message));
    }
    if hours.closed.len() > limits::CLOSED {
        let message = format!("it has {} days; at most {} are allowed", hours.closed.len(), limits::CLOSED);
        return Err(Problem::new(format!("{path}.closed"), message));
    }
    let mut open = Vec::new();
    for (place, shift) in hours.open.iter().enumerate() {
        open.extend(minutes(&format!("{path}.open[{place}]"), shift)?);
    }
    let mut closed = Vec::with_capacity(hours.closed.len());
    for (place, date) in hours.closed.iter().enumerate() {
        let day = day_of(date).ok_or_else(|| {
            Problem::new(format!("{path}.closed[{place}]"), format!("{date:?} is no day; write it like 2026-12-25"))
        })?;
        closed.push(day.to_string());
    }
    let changes: Vec<String> = zone.changes.iter().map(|(at, offset)| format!("{at}={offset}")).collect();
    let spans: Vec<String> = open.iter().map(|(from, to)| format!("{from}={to}")).collect();
    writer.leaf('z', &zone.first.to_string());
    writer.leaf('c', &changes.join(","));
    writer.leaf('o', &spans.join(","));
    writer.leaf('x', &closed.join(","));
    Ok(())
}

/// Whether it is within the hours, as [`write`] wrote them; `now` in Unix seconds.
pub(crate) fn is_open(hours: &str, now: i64) -> Result<bool, Malformed> {
    let mut parts = Reader::new(hours);
    let first = number(parts.expect(b'z')?)?;
    let changes = pairs(parts.expect(b'c')?);
    let spans = pairs(parts.expect(b'o')?);
    let closed = parts.expect(b'x')?;
    let mut offset = first;
    for change in changes {
        let (at, next) = change?;
        if at > now {
            break;
        }
        offset = next;
    }
    let minutes = now.saturating_add(offset).div_euclid(60);
    let day = minutes.div_euclid(DAY);
    if closed.split(',').any(|date| date.parse() == Ok(day)) {
        return Ok(false);
    }
    // 1970-01-01 was a Thursday; the week begins on Monday.
    let minute = (minutes + 3 * DAY).rem_euclid(WEEK);
    for span in spans {
        let (from, to) = span?;
        if (from..to).contains(&minute) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Spans in minutes of the week, cut at midnight.
fn minutes(path: &str, shift: &Shift) -> Result<Vec<(i64, i64)>, Problem> {
    let time = |name: &str, text: &str| {
        minute_of(text).ok_or_else(|| {
            Problem::new(format!("{path}.{name}"), format!("{text:?} is no time; write it like 09:00, up to 24:00"))
        })
    };
    let (from, to) = (time("from", &shift.from)?, time("to", &shift.to)?);
    if shift.days.is_empty() {
        return Err(Problem::new(format!("{path}.days"), "name at least one day, like mon"));
    }
    if from == to || from == DAY {
        let message = "the hours are empty; for a whole day, write 00:00 to 24:00";
        return Err(Problem::new(format!("{path}.to"), message));
    }
    let mut spans = Vec::new();
    for day in &shift.days {
        let start = DAY * *day as i64;
        if from < to {
            spans.push((start + from, start + to));
        } else {
            let next = DAY * (*day as i64 + 1) % WEEK;
            spans.push((start + from, start + DAY));
            spans.extend((to > 0).then_some((next, next + to)));
        }
    }
    Ok(spans)
}

fn minute_of(text: &str) -> Option<i64> {
    let (hour, minute) = text.split_once(':')?;
    let two = |text: &str| (text.len() == 2).then(|| text.parse::<u8>().ok()).flatten().map(i64::from);
    let (hour, minute) = (two(hour)?, two(minute)?);
    ((hour < 24 && minute < 60) || (hour == 24 && minute == 0)).then_some(hour * 60 + minute)
}

/// Days since 1970-01-01 of a date in the Gregorian calendar, `None` for what is none.
fn day_of(date: &str) -> Option<i64> {
    let mut parts = date.split('-');
    let mut part = |length: usize| {
        let part = parts.next()?;
        let digits = part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| part.parse::<i64>().ok()).flatten()
    };
    let (year, month, day) = (part(4)?, part(2)?, part(2)?);
    if parts.next().is_some() {
        return None;
    }
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    // Years that begin in March have their odd day at the end.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    Some(days + (153 * month + 2) / 5 + day - 1 - 719_468)
}

fn number(text: &str) -> Result<i64, Malformed> {
    text.parse().map_err(|_| Malformed)
}

fn pairs(text: &str) -> impl Iterator<Item = Result<(i64, i64), Malformed>> + '_ {
    text.split(',').filter(|pair| !pair.is_empty()).map(|pair| {
        let (left, right) = pair.split_once('=').ok_or(Malformed)?;
        Ok((number(left)?, number(right)?))
    })
}

/// The names of the hours, each with its place in the compiled form.
pub(crate) fn places(hours: &BTreeMap<String, Hours>) -> BTreeMap<&str, usize> {
    hours.keys().enumerate().map(|(place, name)| (name.as_str(), place)).collect()
}

const _: () = assert!(Day::Mon as i64 == 0 && Day::Sun as i64 == 6);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Berlin in 2026.
    fn berlin(name: &str) -> Option<Zone> {
        let changes = vec![(1_774_746_000, 7200), (1_792_890_000, 3600)];
        (name == "Europe/Berlin").then_some(Zone { first: 3600, changes })
    }

    fn hours(open: &str, closed: &[&str]) -> Hours {
        let closed = serde_json::to_string(closed).unwrap();
        let json = format!(r#"{{"timezone": "Europe/Berlin", "open": {open}, "closed": {closed}}}"#);
        serde_json::from_str(&json).unwrap()
    }

    fn compiled(hours: &Hours) -> Result<String, String> {
        let mut writer = Writer::default();
        write("h", hours, &berlin, &mut writer).map_err(|problem| problem.to_string())?;
        Ok(writer.text)
    }

    /// Unix seconds of a moment in UTC.
    fn at(date: &str, time: &str) -> i64 {
        day_of(date).unwrap() * 86_400 + minute_of(time).unwrap() * 60
    }

    #[test]
    fn days_are_counted() {
        let cases = [
            ("1970-01-01", Some(0)),
            ("1969-12-31", Some(-1)),
            ("2000-02-29", Some(11_016)),
            ("2026-01-01", Some(20_454)),
            ("2026-12-25", Some(20_812)),
            ("2100-02-29", None),
            ("2026-13-01", None),
            ("2026-00-01", None),
            ("2026-04-31", None),
            ("2026-4-3", None),
            ("2026-04-03-01", None),
            ("+026-04-03", None),
            ("", None),
        ];
        for (date, expected) in cases {
            assert_eq!(day_of(date), expected, "{date}");
        }
    }

    #[test]
    fn it_is_open_when_the_clock_on_the_wall_says_so() {
        let office = hours(
            r#"[{"days": ["mon", "tue", "wed", "thu", "fri"], "from": "09:00", "to": "17:00"},
                {"days": ["sat", "sun"], "from": "22:00", "to": "02:00"}]"#,
            &["2026-12-25"],
        );
        let office = compiled(&office).unwrap();
        let cases = [
            ("a Thursday in winter, 09:00", "2026-01-01", "08:00", true),
            ("a minute before", "2026-01-01", "07:59", false),
            ("a minute before the end", "2026-01-01", "15:59", true),
            ("the end", "2026-01-01", "16:00", false),
            ("a Thursday in summer, 09:00", "2026-07-02", "07:00", true),
            ("and a minute before", "2026-07-02", "06:59", false),
            ("an hour before the change in spring", "2026-03-27", "08:00", true),
            ("after the change", "2026-03-30", "07:00", true),
            ("a Saturday by day", "2026-01-03", "10:00", false),
            ("a Saturday night", "2026-01-03", "21:30", true),
            ("early on Sunday", "2026-01-04", "00:30", true),
            ("too late on Sunday", "2026-01-04", "01:00", false),
            ("early on Monday, from Sunday", "2026-01-05", "00:59", true),
            ("later on Monday", "2026-01-05", "01:00", false),
            ("a closed Friday", "2026-12-25", "10:00", false),
            ("the closed day begins at the place's midnight", "2026-12-24", "23:30", false),
            ("before 1970", "1969-12-31", "10:00", true),
        ];
        for (label, date, time, expected) in cases {
            assert_eq!(is_open(&office, at(date, time)), Ok(expected), "{label}");
        }
    }

    #[test]
    fn whole_days_have_no_gap() {
        let always = hours(
            r#"[{"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "from": "00:00", "to": "24:00"}]"#,
            &[],
        );
        let always = compiled(&always).unwrap();
        for minute in 0..WEEK {
            assert_eq!(is_open(&always, 1_767_225_600 + minute * 60), Ok(true), "{minute}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        let shift = |days: &str, from: &str, to: &str| {
            hours(&format!(r#"[{{"days": [{days}], "from": "{from}", "to": "{to}"}}]"#), &[])
        };
        let nowhere = Hours { timezone: "Europe/Bielefeld".to_owned(), ..shift(r#""mon""#, "09:00", "17:00") };
        let cases = [
            (nowhere, "h.timezone: there is no time zone \"Europe/Bielefeld\""),
            (hours("[]", &[]), "h.open: it has 0 entries"),
            (shift("", "09:00", "17:00"), "h.open[0].days: name at least one day"),
            (shift(r#""mon""#, "9:00", "17:00"), "h.open[0].from: \"9:00\" is no time"),
            (shift(r#""mon""#, "09:00", "24:01"), "h.open[0].to: \"24:01\" is no time"),
            (shift(r#""mon""#, "09:60", "17:00"), "h.open[0].from: \"09:60\" is no time"),
            (shift(r#""mon""#, "09:00", "09:00"), "h.open[0].to: the hours are empty"),
            (shift(r#""mon""#, "24:00", "02:00"), "h.open[0].to: the hours are empty"),
            (
                hours(r#"[{"days": ["mon"], "from": "09:00", "to": "17:00"}]"#, &["2026-12-24", "25.12."]),
                "h.closed[1]: \"25.12.\" is no day",
            ),
        ];
        for (hours, expected) in cases {
            let problem = compiled(&hours).unwrap_err();
            assert!(problem.starts_with(expected), "{problem}");
        }
    }
}
