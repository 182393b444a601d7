//! Reading single values, each with advice when it is wrong.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use chrono::TimeDelta;
use hoopoe_shared::Address;
use secrecy::SecretString;

use super::Error;

pub(super) fn wrong(name: &'static str, value: &str, advice: impl ToString) -> Error {
    Error::Wrong { name, value: value.to_owned(), advice: advice.to_string() }
}

pub(super) struct Values<'a>(pub(super) &'a HashMap<String, String>);

impl<'a> Values<'a> {
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    pub(super) fn secret(&self, name: &'static str, advice: &'static str) -> Result<SecretString, Error> {
        let value = self.get(name).ok_or(Error::Missing { name, advice })?;
        Ok(value.to_owned().into())
    }

    pub(super) fn database_url(&self) -> Result<SecretString, Error> {
        const NAME: &str = "DATABASE_URL";
        const ADVICE: &str = "set it to postgres://user:password@host:5432/database";
        let url = self.get(NAME).ok_or(Error::Missing { name: NAME, advice: ADVICE })?;
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(url.to_owned().into());
        }
        Err(wrong(NAME, "<hidden>", ADVICE))
    }

    pub(super) fn redis(&self) -> Result<Option<Address>, Error> {
        const ADVICE: &str = "set it to redis://host:6379, rediss://user:password@host:6379, unix:///path/to/socket or \
                              redis-cluster://host:6379,host:6379, or leave it empty";
        let read = |url| Address::parse(url).map_err(|_| wrong("REDIS_URL", "<hidden>", ADVICE));
        self.get("REDIS_URL").map(read).transpose()
    }

    pub(super) fn parse<T: FromStr>(&self, name: &'static str, default: &str, expected: &str) -> Result<T, Error> {
        let value = self.get(name).unwrap_or(default);
        value.parse().map_err(|_| wrong(name, value, format!("set it to {expected}, for example {default}")))
    }

    pub(super) fn at_least_one<T: FromStr + Default + PartialEq>(
        &self,
        name: &'static str,
        default: &str,
    ) -> Result<T, Error> {
        let value = self.parse(name, default, "a number, at least 1")?;
        if value == T::default() { Err(wrong(name, "0", "set it to at least 1")) } else { Ok(value) }
    }

    /// An address to listen on, if one is given.
    pub(super) fn address(&self, name: &'static str) -> Result<Option<SocketAddr>, Error> {
        let read = |value: &str| {
            let address = value.parse();
            address.map_err(|_| wrong(name, value, "set it to an IP address and a port, for example 127.0.0.1:9464"))
        };
        self.get(name).map(read).transpose()
    }

    /// One of Meta's ids, if one is given.
    pub(super) fn id(&self, name: &'static str) -> Result<Option<String>, Error> {
        let read = |value: &str| {
            let is_id = (5..=32).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_digit());
            is_id.then(|| value.to_owned()).ok_or_else(|| wrong(name, value, "set it to Meta's id: 5 to 32 digits"))
        };
        self.get(name).map(read).transpose()
    }

    /// Words between commas.
    pub(super) fn list(&self, name: &str, default: &str) -> Vec<String> {
        let words = self.get(name).unwrap_or(default).split(',');
        words.map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect()
    }

    pub(super) fn flag(&self, name: &'static str) -> Result<bool, Error> {
        let value = self.get(name).unwrap_or("false");
        value.parse().map_err(|_| wrong(name, value, "set it to true or false"))
    }

    pub(super) fn url(&self, name: &'static str, default: &str) -> Result<String, Error> {
        let value = self.get(name).unwrap_or(default);
        let host = value.strip_prefix("https://").or(value.strip_prefix("http://"));
        if host.is_none_or(|host| host.is_empty() || host.contains(char::is_whitespace)) {
            return Err(wrong(name, value, format!("set it to an http or https address, for example {default}")));
        }
        Ok(value.trim_end_matches('/').to_owned())
    }

    /// Where an HTTP proxy is; it may hold a password.
    pub(super) fn proxy(&self, name: &'static str) -> Result<Option<SecretString>, Error> {
        const ADVICE: &str = "set it to http://user:password@host:port, or https:// for a proxy that speaks TLS";
        let Some(value) = self.get(name) else { return Ok(None) };
        let place = value.strip_prefix("http://").or(value.strip_prefix("https://"));
        match place {
            Some(place) if !place.is_empty() && !place.contains(char::is_whitespace) => {
                Ok(Some(value.to_owned().into()))
            }
            _ => Err(wrong(name, "<hidden>", ADVICE)),
        }
    }

    pub(super) fn version(&self, name: &'static str, default: &str) -> Result<String, Error> {
        let value = self.get(name).unwrap_or(default);
        let number = value.strip_prefix('v').and_then(|number| number.split_once('.'));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if number.is_some_and(|(major, minor)| digits(major) && digits(minor)) {
            return Ok(value.to_owned());
        }
        Err(wrong(name, value, format!("set it to a version of the Graph API, for example {default}")))
    }

    /// A number with a unit: `250ms`, `30s`, `5m`; at most a day.
    pub(super) fn duration(&self, name: &'static str, default: &str) -> Result<Duration, Error> {
        self.duration_up_to(name, default, 1)
    }

    /// A number with a unit: `12h`, `7d`.
    pub(super) fn days(&self, name: &'static str, default: &str) -> Result<TimeDelta, Error> {
        let duration = self.duration_up_to(name, default, 3650)?;
        Ok(TimeDelta::from_std(duration).expect("ten years are within TimeDelta's range"))
    }

    fn duration_up_to(&self, name: &'static str, default: &str, days: u64) -> Result<Duration, Error> {
        let value = self.get(name).unwrap_or(default);
        let unit = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
        let (number, unit) = value.split_at(unit);
        let millis = match unit {
            "ms" => Some(1),
            "s" | "" => Some(1000),
            "m" => Some(60_000),
            "h" => Some(3_600_000),
            "d" => Some(86_400_000),
            _ => None,
        };
        let parsed = number.parse::<u64>().ok().zip(millis).and_then(|(number, millis)| number.checked_mul(millis));
        match parsed {
            Some(millis) if (1..=days * 86_400_000).contains(&millis) => Ok(Duration::from_millis(millis)),
            _ => {
                let most = if days == 1 { "a day".to_owned() } else { format!("{days} days") };
                Err(wrong(name, value, format!("set it to a time up to {most}, for example {default} or 30s")))
            }
        }
    }

    pub(super) fn span(&self, name: &'static str, default: &str) -> Result<TimeDelta, Error> {
        let duration = self.duration(name, default)?;
        Ok(TimeDelta::from_std(duration).expect("a day is within TimeDelta's range"))
    }
}
