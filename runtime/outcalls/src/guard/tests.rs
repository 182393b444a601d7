use std::sync::Mutex;

use super::*;

fn rules(allowed: &[&str]) -> Rules {
    Rules::new(&owned(allowed), false, false).expect("the entries are fine")
}

fn owned(hosts: &[&str]) -> Vec<String> {
    hosts.iter().map(|host| (*host).to_owned()).collect()
}

fn check(rules: &Rules, url: &str, hosts: &[&str]) -> Result<(), String> {
    let url = Url::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
    rules.check(&url, &owned(hosts)).map_err(|Refused(why)| why)
}

/// However an address is written, it is known for what it is, even when the lists name it.
#[test]
fn disguises_of_addresses_are_seen_through() {
    let cases = [
        ("127.0.0.1", "loopback"),
        ("127.0.0.1.", "loopback"),
        ("127.1", "loopback"),
        ("127.0.1", "loopback"),
        ("2130706433", "loopback"),
        ("0x7f000001", "loopback"),
        ("0x7f.1", "loopback"),
        ("0X7F.0x0.0x0.0x1", "loopback"),
        ("0177.0.0.1", "loopback"),
        ("017700000001", "loopback"),
        ("00000177.1", "loopback"),
        ("%31%32%37.0.0.1", "loopback"),
        ("\u{ff11}\u{ff12}\u{ff17}.0.0.1", "loopback"),
        ("127\u{3002}0\u{3002}0\u{3002}1", "loopback"),
        ("\u{2460}\u{2461}\u{2466}.0.0.1", "loopback"),
        ("[::1]", "loopback"),
        ("[0:0:0:0:0:0:0:1]", "loopback"),
        ("[::ffff:127.0.0.1]", "IPv4-mapped"),
        ("[::ffff:7f00:1]", "IPv4-mapped"),
        ("[0:0:0:0:0:ffff:169.254.169.254]", "IPv4-mapped"),
        ("[::ffff:8.8.8.8]", "IPv4-mapped"),
        ("[::ffff:0:127.0.0.1]", "IPv4-mapped"),
        ("[::127.0.0.1]", "IPv4-compatible"),
        ("[64:ff9b::127.0.0.1]", "loopback"),
        ("[64:ff9b::a9fe:a9fe]", "metadata"),
        ("[64:ff9b::10.0.0.1]", "private"),
        ("[64:ff9b:1::10.0.0.1]", "local NAT64"),
        ("[2002:7f00:1::]", "6to4"),
        ("[2002:a9fe:a9fe::1]", "6to4"),
        ("[2001:0:7f00:1::]", "Teredo"),
        ("[2606:4700::5efe:10.0.0.1]", "ISATAP"),
        ("169.254.169.254", "metadata"),
        ("2852039166", "metadata"),
        ("0xa9fea9fe", "metadata"),
        ("0251.0376.0251.0376", "metadata"),
        ("169.254.43518", "metadata"),
        ("[fd00:ec2::254]", "metadata"),
        ("100.100.100.200", "metadata"),
        ("168.63.129.16", "metadata"),
        ("169.254.1.1", "link-local"),
        ("[fe80::1]", "link-local"),
        ("10.0.0.1", "private"),
        ("167772161", "private"),
        ("172.16.0.1", "private"),
        ("192.168.1.1", "private"),
        ("0300.0250.1.1", "private"),
        ("100.64.0.1", "carrier-grade NAT"),
        ("0.0.0.0", "unspecified"),
        ("0", "unspecified"),
        ("[::]", "unspecified"),
        ("[fd12:3456::1]", "unique-local"),
        ("[fec0::1]", "site-local"),
        ("224.0.0.1", "multicast"),
        ("[ff02::1]", "multicast"),
        ("255.255.255.255", "broadcast"),
        ("192.0.2.1", "documentation"),
        ("[2001:db8::1]", "documentation"),
        ("198.18.0.1", "benchmarking"),
        ("240.0.0.1", "reserved"),
        ("[4000::1]", "reserved"),
    ];
    for (host, expected) in cases {
        let error = check(&rules(&["*"]), &format!("https://{host}/latest"), &[host]).expect_err(host);
        assert!(error.contains(expected), "{host}: {error}");
    }
}

#[test]
fn both_lists_the_scheme_and_the_port_count() {
    let hosts = ["api.example.com", "*.shop.example:8443", "8.8.8.8"];
    for (operator, url, expected) in [
        ("*", "https://api.example.com/v1", ""),
        ("*", "https://8.8.8.8/", ""),
        ("*.example.com", "https://api.example.com/v1", ""),
        ("api.example.com", "https://API.EXAMPLE.COM./v1", ""),
        ("*:8443", "https://eu.shop.example:8443/", ""),
        (
            "*",
            "https://eu.shop.example:8443/",
            "eu.shop.example:8443 is not among the hosts that this server's operator",
        ),
        ("*:8443", "https://eu.shop.example/", "eu.shop.example is not among the hosts that the plugin"),
        ("other.example", "https://api.example.com/", "operator"),
        ("*", "https://other.example/", "plugin may call"),
        ("*", "https://example.com/", "plugin may call"),
        ("*", "https://api.example.com:22/", "api.example.com:22 is not"),
        ("*", "http://api.example.com/", "by https"),
        ("*", "http://api.example.com:443/", "by https"),
        ("*", "ftp://api.example.com/", "by https"),
        ("*", "https://user@api.example.com/", "a user"),
        ("*", "https://api.example.com@other.example/", "a user"),
        ("*", "https://api.example.com\\@other.example/", ""),
        ("*", "https://1.1.1.1/", "1.1.1.1 is not among"),
        ("*", "https://localhost/", "localhost is not among"),
    ] {
        let checked = check(&rules(&[operator]), url, &hosts);
        assert_eq!(checked.is_ok(), expected.is_empty(), "{operator} {url}: {checked:?}");
        assert!(checked.err().unwrap_or_default().contains(expected), "{operator} {url}");
    }
    // A plugin cannot name everything, and a built-in plugin names nothing.
    assert!(check(&rules(&["*"]), "https://api.example.com/", &["*", "", "http://api.example.com"]).is_err());
    assert!(check(&rules(&["*"]), "https://api.example.com/", &[]).is_err());
    assert!(check(&rules(&[]), "https://api.example.com/", &hosts).is_err());
    assert!(Rules::new(&owned(&["*", "a b"]), false, false).is_err_and(|error| error.contains("\"a b\"")));
}

/// Gives one list of addresses after the other.
struct Script(Mutex<Vec<&'static str>>);

impl Lookup for Script {
    fn lookup(&self, _: String) -> Found {
        let next = self.0.lock().expect("not poisoned").remove(0);
        let addresses =
            next.split(' ').map(|address| SocketAddr::new(address.parse().expect("an address"), 7)).collect();
        Box::pin(async move { Ok(addresses) })
    }
}

#[tokio::test]
async fn names_are_only_as_good_as_every_address_behind_them() {
    let steps = [
        ("93.184.216.34", ""),
        ("127.0.0.1", "rebound.example leads to a loopback address"),
        ("93.184.216.34 2606:2800:220:1::1", ""),
        ("93.184.216.34 10.0.0.1", "private"),
        ("10.0.0.1 93.184.216.34", "private"),
        ("169.254.169.254", "metadata"),
        ("::ffff:93.184.216.34", "IPv4-mapped"),
        ("64:ff9b::93.184.216.34", ""),
        ("64:ff9b::169.254.169.254", "metadata"),
        ("100.64.0.1", "carrier-grade"),
        ("fe80::1", "link-local"),
        ("0.0.0.0", "unspecified"),
    ];
    let lookup = Script(Mutex::new(steps.iter().map(|(addresses, _)| *addresses).collect()));
    let guarded = Guarded { rules: Arc::new(rules(&["*"])), lookup: Arc::new(lookup) };
    for (addresses, expected) in steps {
        match guarded.resolve("rebound.example".parse().expect("a name")).await {
            Ok(found) => {
                assert_eq!(expected, "", "{addresses}");
                let found: Vec<_> = found.collect();
                assert!(found.iter().all(|address| address.port() == 0), "the URL says which port");
                assert_eq!(found.len(), addresses.split(' ').count());
            }
            Err(error) => {
                let refused = error.downcast_ref::<Refused>().unwrap_or_else(|| panic!("{addresses}: {error}"));
                assert!(!expected.is_empty() && refused.0.contains(expected), "{addresses}: {refused}");
            }
        }
    }
}
