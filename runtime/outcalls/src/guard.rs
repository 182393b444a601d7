//! Where a call may go: the operator's and the plugin's lists, the scheme, and the address behind the name.
//!
//! The URL is checked before a connection is thought of, and literal addresses with it, because a connector does not
//! resolve those. The addresses of a name are checked where the connector asks for them, so what is checked is what is
//! connected to: a name that means another address a moment later gains nothing.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use crate::address::Class;
use crate::hosts::Entry;

/// Why a call may not go where it was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

/// The operator's rules.
#[derive(Debug)]
pub struct Rules {
    allowed: Vec<Entry>,
    allow_http: bool,
    allow_private: bool,
}

impl Rules {
    /// Reads the operator's list. An error names the entry that makes no sense.
    pub fn new(allowed_hosts: &[String], allow_http: bool, allow_private: bool) -> Result<Self, String> {
        let allowed = allowed_hosts.iter().map(|entry| entry.trim().parse()).collect::<Result<_, _>>()?;
        Ok(Self { allowed, allow_http, allow_private })
    }

    /// Without a list of hosts: for calls whose place [`Rules::check_place`] alone decides.
    pub fn of_places(allow_http: bool, allow_private: bool) -> Self {
        Self { allowed: Vec::new(), allow_http, allow_private }
    }

    /// Whether this URL may be called by anybody: its scheme, and its address if it is one. What a name leads to is
    /// seen when the connection is made.
    pub fn check_place<'a>(&self, url: &'a Url) -> Result<Host<&'a str>, Refused> {
        let refused = |why: String| Err(Refused(why));
        let is_open = self.allow_http && url.scheme() == "http";
        if url.scheme() != "https" && !is_open {
            return refused(format!("{} is not allowed; call it by https", url.scheme()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refused("the URL has a user or a password in it".to_owned());
        }
        let Some(host) = url.host() else { return refused("the URL has no host".to_owned()) };
        match host {
            Host::Ipv4(address) => self.check_address(IpAddr::V4(address))?,
            Host::Ipv6(address) => self.check_address(IpAddr::V6(address))?,
            Host::Domain(_) => {}
        }
        Ok(host)
    }

    /// Whether a plugin with these hosts may call this URL.
    pub(crate) fn check(&self, url: &Url, plugin_hosts: &[String]) -> Result<(), Refused> {
        let refused = |why: String| Err(Refused(why));
        let host = self.check_place(url)?;
        // Servers of tests and of development listen anywhere.
        let port = if self.allow_private { None } else { url.port_or_known_default() };
        let at = url.port().map_or_else(|| host.to_string(), |port| format!("{host}:{port}"));
        // What the list of an older version holds and cannot be read stands for nothing; and a plugin names its hosts.
        let entries = plugin_hosts.iter().filter_map(|entry| entry.parse::<Entry>().ok());
        if !entries.filter(|entry| !entry.is_any()).any(|entry| entry.matches(&host, port)) {
            return refused(format!(
                "{at} is not among the hosts that the plugin may call; add it to the plugin's hosts"
            ));
        }
        if !self.allowed.iter().any(|entry| entry.matches(&host, port)) {
            return refused(format!("{at} is not among the hosts that this server's operator lets plugins call"));
        }
        Ok(())
    }

    fn check_address(&self, address: IpAddr) -> Result<(), Refused> {
        let class = Class::of(address);
        if class.is_allowed(self.allow_private) {
            return Ok(());
        }
        Err(Refused(format!("{address} is {class}")))
    }
}

/// What a lookup of a name gives.
pub type Found = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// Looks names up.
pub trait Lookup: Send + Sync + 'static {
    /// The addresses of `name`; their ports do not matter.
    fn lookup(&self, name: String) -> Found;
}

/// The operating system's resolver.
pub struct System;

impl Lookup for System {
    fn lookup(&self, name: String) -> Found {
        Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.collect()) })
    }
}

/// A resolver for the connector of an HTTP client: addresses that the rules refuse are not connected to.
pub fn resolver(rules: Arc<Rules>, lookup: Arc<dyn Lookup>) -> impl Resolve + 'static {
    Guarded { rules, lookup }
}

/// The resolver inside the connector.
pub(crate) struct Guarded {
    pub(crate) rules: Arc<Rules>,
    pub(crate) lookup: Arc<dyn Lookup>,
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let (rules, found) = (self.rules.clone(), self.lookup.lookup(name.as_str().to_owned()));
        Box::pin(async move {
            let addresses = found.await?;
            // One forbidden address is enough: a name with public and private addresses is an attempt, or a mistake.
            for address in &addresses {
                let class = Class::of(address.ip());
                if !class.is_allowed(rules.allow_private) {
                    // Not the address itself: it would tell of the network behind the host.
                    return Err(Refused(format!("{} leads to {class}", name.as_str())).into());
                }
            }
            let addresses: Addrs = Box::new(addresses.into_iter().map(|address| SocketAddr::new(address.ip(), 0)));
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests;
