//! Where Redis is.

use std::fmt;

use redis::{ConnectionInfo, ErrorKind, IntoConnectionInfo, RedisError, RedisResult};

/// A Redis, read from its URL: `redis://[[user]:password@]host[:port][/database]`, `rediss://` for TLS, or
/// `unix:///path/to/socket`. A cluster, by some of its nodes: `redis-cluster://[[user]:password@]host[:port],...`, or
/// `rediss-cluster://`.
#[derive(Clone)]
pub struct Address {
    /// One, or nodes of the cluster.
    pub(crate) nodes: Vec<ConnectionInfo>,
    pub(crate) is_cluster: bool,
}

/// Not the URL of a Redis.
#[derive(Debug, thiserror::Error)]
#[error("not the URL of a Redis: {0}")]
pub struct NoAddress(RedisError);

impl Address {
    /// Reads a URL. Nothing is connected yet.
    pub fn parse(url: &str) -> Result<Self, NoAddress> {
        let cluster = [("redis-cluster://", "redis"), ("rediss-cluster://", "rediss")];
        let cluster = cluster.into_iter().find_map(|(prefix, scheme)| Some((scheme, url.strip_prefix(prefix)?)));
        let nodes: RedisResult<Vec<ConnectionInfo>> = match cluster {
            None => url.into_connection_info().map(|server| vec![server]),
            Some((scheme, rest)) => {
                let (login, hosts) =
                    rest.rsplit_once('@').map_or(("", rest), |(_, hosts)| (&rest[..rest.len() - hosts.len()], hosts));
                hosts.split(',').map(|host| node(&format!("{scheme}://{login}{host}"))).collect()
            }
        };
        Ok(Self { nodes: nodes.map_err(NoAddress)?, is_cluster: cluster.is_some() })
    }

    /// The server, or the first node that is named.
    pub(crate) fn first(&self) -> &ConnectionInfo {
        &self.nodes[0]
    }

    pub(crate) fn database(&self) -> i64 {
        self.first().redis_settings().db()
    }
}

/// A node of a cluster.
fn node(url: &str) -> RedisResult<ConnectionInfo> {
    let node = url.into_connection_info()?;
    if node.redis_settings().db() != 0 {
        return Err(RedisError::from((ErrorKind::InvalidClientConfig, "a cluster has no database numbers")));
    }
    Ok(node)
}

/// Without the password.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, node) in self.nodes.iter().enumerate() {
            if place > 0 {
                f.write_str(",")?;
            }
            node.addr().fmt(f)?;
        }
        Ok(())
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
            ("redis-cluster://user:hush@one:7000,two", Some("one:7000,two:6379")),
            ("rediss-cluster://one", Some("one:6379")),
            ("redis-cluster://one,", None),
            ("redis-cluster://one/3", None),
            ("redis-cluster://", None),
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
