//! Lists of hosts that may be called, a plugin's and the operator's.
//!
//! An entry is `api.example.com` (this name alone), `*.example.com` (every name below it, at any depth, not
//! `example.com` itself) or, in the operator's list, `*` (every name). It stands for port 443; `api.example.com:8443`
//! stands for that port and no other. An IP address is matched by an entry of the same address only. Names are compared
//! without regard to case and to a dot at the end, those with other letters than ASCII in punycode.

use std::str::FromStr;

use url::Host;

/// The port of entries that name none.
const HTTPS: u16 = 443;

/// One entry of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    name: Name,
    port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Name {
    Any,
    Below(String),
    Is(Host),
}

impl FromStr for Entry {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let advice = "give api.example.com, *.example.com or *, with :PORT for another port than 443";
        let wrong = |why: &str| format!("{text:?} {why}; {advice}");
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => {
                let port = port.parse().ok().filter(|port| *port != 0);
                (name, port.ok_or_else(|| wrong("has no port after its colon"))?)
            }
            _ => (text, HTTPS),
        };
        let host = |name: &str| match Host::parse(name) {
            Ok(Host::Domain(name)) => Ok(Host::Domain(without_dot(&name).to_owned())),
            Ok(address) => Ok(address),
            Err(_) => Err(wrong("is no host")),
        };
        let name = match name.strip_prefix("*.") {
            _ if name == "*" => Name::Any,
            Some(rest) if !rest.contains('*') => match host(rest)? {
                Host::Domain(name) if name.contains('.') => Name::Below(name),
                _ => return Err(wrong("stands for too many")),
            },
            _ if name.contains('*') => return Err(wrong("has a star in the middle")),
            _ => Name::Is(host(name)?),
        };
        Ok(Self { name, port })
    }
}

impl Entry {
    /// Whether the entry stands for every name.
    pub(crate) fn is_any(&self) -> bool {
        self.name == Name::Any
    }

    /// Whether the entry stands for this host, on this port; on every port when there is none.
    pub(crate) fn matches(&self, host: &Host<&str>, port: Option<u16>) -> bool {
        if port.is_some_and(|port| port != self.port) {
            return false;
        }
        match (&self.name, host) {
            (Name::Any, _) => true,
            (Name::Below(parent), Host::Domain(name)) => {
                let above = without_dot(name).strip_suffix(parent.as_str()).and_then(|rest| rest.strip_suffix('.'));
                above.is_some_and(|rest| !rest.is_empty())
            }
            (Name::Is(Host::Domain(entry)), Host::Domain(name)) => entry == without_dot(name),
            (Name::Is(Host::Ipv4(entry)), Host::Ipv4(address)) => entry == address,
            (Name::Is(Host::Ipv6(entry)), Host::Ipv6(address)) => entry == address,
            _ => false,
        }
    }
}

/// What is wrong with an entry of a plugin's list, if anything. A plugin names the hosts that it calls: `*` is for the
/// operator.
pub fn check_host(entry: &str) -> Result<(), String> {
    match entry.parse::<Entry>()?.is_any() {
        true => Err("\"*\" stands for every host; name those that the plugin calls".to_owned()),
        false => Ok(()),
    }
}

/// `example.com.` is `example.com`.
fn without_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_match_what_they_say_and_nothing_near_it() {
        let cases = [
            ("api.example.com", "https://api.example.com/", true),
            ("api.example.com", "https://API.Example.COM:443/x", true),
            ("API.example.com", "https://api.example.com./", true),
            ("api.example.com", "https://example.com/", false),
            ("api.example.com", "https://v2.api.example.com/", false),
            ("api.example.com", "https://api.example.com.evil.org/", false),
            ("api.example.com", "https://evilapi.example.com/", false),
            ("api.example.com", "https://api.example.com:8443/", false),
            ("api.example.com:8443", "https://api.example.com:8443/", true),
            ("api.example.com:8443", "https://api.example.com/", false),
            ("*.example.com", "https://api.example.com/", true),
            ("*.example.com", "https://a.b.example.com./", true),
            ("*.example.com", "https://example.com/", false),
            ("*.example.com", "https://evilexample.com/", false),
            ("*.example.com", "https://.example.com/", false),
            ("*.example.com:8443", "https://api.example.com:8443/", true),
            ("*", "https://anything.example/", true),
            ("*", "https://anything.example:25/", false),
            ("*:8443", "https://anything.example:8443/", true),
            ("b\u{fc}cher.example", "https://xn--bcher-kva.example/", true),
            ("xn--bcher-kva.example", "https://B\u{dc}CHER.example/", true),
            ("example.com", "https://ex\u{430}mple.com/", false),
            ("192.0.2.1", "https://192.0.2.1/", true),
            ("192.0.2.1", "https://0xc0000201/", true),
            ("192.0.2.1", "https://192.0.2.2/", false),
            ("[2001:db8::1]:8443", "https://[2001:db8:0::1]:8443/", true),
            ("[2001:db8::1]", "https://[2001:db8::2]/", false),
        ];
        for (entry, url, expected) in cases {
            let entry: Entry = entry.parse().unwrap_or_else(|error| panic!("{error}"));
            let url = url::Url::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
            let host = url.host().expect("a host");
            assert_eq!(entry.matches(&host, url.port_or_known_default()), expected, "{entry:?} {url}");
        }
    }

    #[test]
    fn entries_that_make_no_sense_are_named() {
        for entry in
            ["", "*.com", "*.*.example.com", "api.*.com", "a b", "a:0", "a:x", "*.127.0.0.1", "https://a.b", "a/b"]
        {
            let error = entry.parse::<Entry>().err().unwrap_or_else(|| panic!("{entry} is taken"));
            assert!(error.contains(&format!("{entry:?}")) && error.contains("api.example.com"), "{error}");
        }
    }
}
