//! What commands print: sentences and tables for people, JSON for scripts.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use chrono::{DateTime, Local};
use clap::Args;
use serde_json::Value;

/// For people or for scripts.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct Output {
    /// Print JSON, for scripts; errors too, on standard error.
    #[arg(long, global = true)]
    pub json: bool,
}

impl Output {
    /// The value for scripts, or what `text` makes of it for people.
    pub fn show(self, value: &Value, text: impl FnOnce(&Value) -> String) {
        if self.json {
            line(&format!("{value:#}"));
        } else {
            line(text(value).trim_end());
        }
    }

    /// One value per line for scripts, a line for people. For commands that go on.
    pub fn event(self, value: &Value, text: &str) {
        line(&if self.json { value.to_string() } else { text.to_owned() });
    }
}

/// Print a line. When nobody reads any more (`| head`), there is nothing left to do.
pub fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    if writeln!(out, "{text}").and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

/// Columns as wide as they have to be; the last one is not padded. No rows give an empty text.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let head: Vec<String> = head.iter().map(|title| (*title).to_owned()).collect();
    let all = || std::iter::once(&head).chain(rows);
    let width = |column: usize| all().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..head.len()).map(|column| width(column).unwrap_or_default()).collect();
    let mut text = String::new();
    for row in all() {
        let mut cells = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            // Writing to a String does not fail.
            let _ = write!(cells, "{cell:width$}  ");
        }
        text.push_str(cells.trim_end());
        text.push('\n');
    }
    text
}

/// Names and values, a pair per line; pairs without a value are left out.
pub fn fields(pairs: &[(&str, String)]) -> String {
    let known = || pairs.iter().filter(|(_, value)| !value.is_empty());
    let width = known().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    known().map(|(name, value)| format!("{name:width$}  {value}\n")).collect()
}

/// `12 ms`, `1.24 s`.
pub fn duration(duration: Duration) -> String {
    let ms = duration.as_millis();
    if ms < 1000 { format!("{ms} ms") } else { format!("{:.2} s", duration.as_secs_f64()) }
}

/// `640 B`, `42.1 KiB`, `1.5 MiB`.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

/// The beginning of a digest, enough to tell versions apart and to name one.
pub fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

/// A field as a text: strings as they are, nothing for null, else JSON.
pub fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A moment of the API (RFC 3339) in the reader's own time; as it came when it is none.
pub fn moment(value: &Value) -> String {
    let text = text(value);
    match DateTime::parse_from_rfc3339(&text) {
        Ok(moment) => moment.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["caf\u{e9}".to_owned(), "1".to_owned()], vec!["b".to_owned(), "twenty".to_owned()]];
        assert_eq!(table(&["NAME", "N"], &rows), "NAME  N\ncaf\u{e9}  1\nb     twenty\n");
        assert_eq!(table(&["NAME"], &[]), "");
    }

    #[test]
    fn fields_without_a_value_are_left_out() {
        let pairs = [("id", "1".to_owned()), ("given up", String::new()), ("status", "sent".to_owned())];
        assert_eq!(fields(&pairs), "id      1\nstatus  sent\n");
    }

    #[test]
    fn figures_are_for_people() {
        let durations = [(0, "0 ms"), (999, "999 ms"), (1000, "1.00 s"), (61_249, "61.25 s")];
        for (ms, expected) in durations {
            assert_eq!(duration(Duration::from_millis(ms)), expected);
        }
        for (bytes, expected) in [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (3_145_728, "3.0 MiB")] {
            assert_eq!(size(bytes), expected);
        }
        assert_eq!((short("0123456789abcdef"), short("01")), ("0123456789ab", "01"));
        assert_eq!([json!(null), json!("a"), json!(3), json!([1])].map(|value| text(&value)), ["", "a", "3", "[1]"]);
        assert_eq!(moment(&json!("yesterday")), "yesterday");
        assert_eq!(moment(&json!("2026-01-01T00:00:00Z")).len(), "2026-01-01 00:00:00".len());
    }
}
