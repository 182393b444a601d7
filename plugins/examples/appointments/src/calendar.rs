//! The configuration, and the days and times that it offers.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use hoopoe_sdk::prelude::*;
use serde::Deserialize;

use crate::Appointment;

/// Nobody can come in less than this.
const NOTICE: TimeDelta = TimeDelta::hours(1);
/// Where the search for open days ends.
const FURTHEST_DAYS: u64 = 60;

/// The tenant's configuration, see `config.schema.json`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Config {
    services: Vec<String>,
    times: Vec<String>,
    #[serde(default)]
    closed: Vec<String>,
    #[serde(default = "five")]
    days: usize,
    #[serde(default)]
    utc_offset_minutes: i64,
    #[serde(default = "twenty_four")]
    pub(crate) remind_hours: u64,
    pub(crate) reminder_template: Option<String>,
}

fn five() -> usize {
    5
}

fn twenty_four() -> u64 {
    24
}

impl Config {
    pub(crate) fn services(&self) -> Vec<(String, String)> {
        self.services.iter().map(|service| (service.clone(), service.clone())).collect()
    }

    /// The next open days that have a time left: ids such as `2026-01-05`, and words.
    pub(crate) fn days(&self, now: u64) -> Vec<(String, String)> {
        let Some(today) = self.local(now) else { return Vec::new() };
        (0..FURTHEST_DAYS)
            .filter_map(|ahead| today.date().checked_add_days(chrono::Days::new(ahead)))
            .filter(|day| !self.closed.iter().any(|closed| *closed == day.weekday().to_string()))
            .map(|day| day.to_string())
            .filter(|day| !self.times(now, day).is_empty())
            .take(self.days)
            .map(|day| (day.clone(), day_in_words(&day)))
            .collect()
    }

    /// The times of a day that are not too close.
    pub(crate) fn times(&self, now: u64, day: &str) -> Vec<(String, String)> {
        let earliest = self.local(now).map(|now| now + NOTICE);
        let is_open = |time: &&String| earliest.is_some_and(|earliest| at(day, time).is_some_and(|at| at >= earliest));
        self.times.iter().filter(is_open).map(|time| (time.clone(), time.clone())).collect()
    }

    /// When an appointment begins, in milliseconds.
    pub(crate) fn begin(&self, appointment: &Appointment) -> Result<u64, FlowError> {
        let local = at(&appointment.day, &appointment.time).or_reject("the appointment has no readable time")?;
        let utc = local - TimeDelta::minutes(self.utc_offset_minutes);
        Ok(u64::try_from(utc.and_utc().timestamp_millis())?)
    }

    /// For example `Haircut on Mon 5 Jan at 09:00`.
    pub(crate) fn words(&self, appointment: &Appointment) -> String {
        let Appointment { service, day, time } = appointment;
        format!("{service} on {} at {time}", day_in_words(day))
    }

    /// A moment on the tenant's clock.
    fn local(&self, millis: u64) -> Option<NaiveDateTime> {
        let utc = DateTime::from_timestamp_millis(i64::try_from(millis).ok()?)?.naive_utc();
        Some(utc + TimeDelta::minutes(self.utc_offset_minutes))
    }
}

/// `Mon 5 Jan` of `2026-01-05`.
pub(crate) fn day_in_words(day: &str) -> String {
    match day.parse::<NaiveDate>() {
        Ok(date) => date.format("%a %-d %b").to_string(),
        Err(_) => day.to_owned(),
    }
}

fn at(day: &str, time: &str) -> Option<NaiveDateTime> {
    let time = NaiveTime::parse_from_str(time, "%H:%M").ok()?;
    Some(day.parse::<NaiveDate>().ok()?.and_time(time))
}
