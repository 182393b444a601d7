//! Where Redis is.

use std::fmt;

use redis::IntoConnectionInfo;

/// A Redis, read from its URL: `redis://[[user]:password@]host[:port][/database]`, `rediss://` for TLS, or
/// `unix:///path/to/socket`.
#[derive(Clone)]
pub struct Address(pub(crate) redis::ConnectionInfo);

/// Not the URL of a Redis.
#[derive(Debug, thiserror::Error)]
#[error("not the URL of a Redis: {0}")]
pub struct NoAddress(redis::RedisError);

impl Address {
    /// Reads a URL. Nothing is connected yet.
    pub fn parse(url: &str) -> Result<Self, NoAddress> {
        url.into_connection_info().map(Self).map_err(NoAddress)
    }
}

/// Without the password.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.addr().fmt(f)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_and_passwords_are_not_shown() {
        for (url, shown) in [
            ("redis://localhost", Some("localhost:6379")),
            ("redis://:hush@127.0.0.1:7000/3", Some("127.0.0.1:7000")),
            ("rediss://user:hush@cache.example.com", Some("cache.example.com:6379")),
            ("unix:///run/redis.sock", Some("/run/redis.sock")),
            ("localhost:6379", None),
            ("http://localhost", None),
            ("", None),
        ] {
            let address = Address::parse(url);
            assert_eq!(address.as_ref().ok().map(ToString::to_string).as_deref(), shown, "{url}");
            assert!(!format!("{address:?}").contains("hush"));
        }
    }
}
