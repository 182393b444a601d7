//! Names that tenants give: of plugins, of their secrets, of hosts that they call.

/// Names of built-in plugins, which tenants cannot give to theirs.
const BUILT_IN: [&str; 3] = ["auto-reply", "rules", "templates"];
/// Most hosts of a plugin.
const MOST_HOSTS: usize = 50;

/// What is wrong with the name of a plugin, if anything.
pub fn check_name(name: &str) -> Result<(), String> {
    if BUILT_IN.contains(&name) {
        return Err(format!("{name} is the name of a built-in plugin; give yours another, for example my-{name}"));
    }
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !(1..=64).contains(&name.len()) || !name.bytes().all(fits) {
        return Err(format!("{name:?} cannot be a plugin's name; give it 1 to 64 of a-z, 0-9 and -"));
    }
    Ok(())
}

/// What is wrong with the name of a secret, if anything.
pub fn check_secret_name(name: &str) -> Result<(), String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !(1..=64).contains(&name.len()) || !name.bytes().all(fits) {
        return Err(format!("{name:?} cannot be a secret's name; give it 1 to 64 of A-Z, a-z, 0-9, _ and -"));
    }
    Ok(())
}

/// What is wrong with the value of a secret, if anything. It goes into a header of HTTP.
pub fn check_secret_value(value: &str) -> Result<(), String> {
    let fits = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    if !(1..=4096).contains(&value.len()) || !value.bytes().all(fits) || value.trim() != value {
        let rule = "1 to 4096 visible ASCII characters, without spaces around them";
        return Err(format!("it cannot stand in a header of HTTP; give it {rule}"));
    }
    Ok(())
}

/// What is wrong with a list of hosts, if anything: the place in the list, and why.
pub fn check_hosts(hosts: &[String]) -> Result<(), (Option<usize>, String)> {
    if hosts.len() > MOST_HOSTS {
        return Err((None, format!("there are {}; give at most {MOST_HOSTS}", hosts.len())));
    }
    let mut hosts = hosts.iter().enumerate();
    hosts.try_for_each(|(place, host)| hoopoe_outcalls::check_host(host).map_err(|error| (Some(place), error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_plugins() {
        let long = "x".repeat(65);
        for (name, word) in [
            ("shop", ""),
            ("a", ""),
            ("0-1", ""),
            (&long[1..], ""),
            ("", "1 to 64"),
            (&long, "1 to 64"),
            ("Shop", "a-z"),
            ("my_bot", "a-z"),
            ("b\u{f6}t", "a-z"),
            ("a/b", "a-z"),
            ("rules", "built-in"),
            ("auto-reply", "my-auto-reply"),
            ("templates", "built-in"),
        ] {
            let checked = check_name(name);
            assert_eq!(checked.is_ok(), word.is_empty(), "{name}");
            assert!(checked.err().unwrap_or_default().contains(word), "{name}");
        }
    }

    #[test]
    fn hosts() {
        for (host, word) in [
            ("api.example.com", ""),
            ("*.example.com", ""),
            ("api.example.com:8443", ""),
            ("", "no host"),
            ("*", "every host"),
            ("*.com", "too many"),
            ("api.*.com", "star in the middle"),
            ("https://api.example.com", "port"),
            ("api.example.com/v1", "no host"),
            ("user@example.com", "no host"),
        ] {
            let checked = check_hosts(&[host.to_owned()]);
            assert_eq!(checked.is_ok(), word.is_empty(), "{host}");
            let (place, message) = checked.err().unwrap_or((Some(0), String::new()));
            assert!(place == Some(0) && message.contains(word), "{host}: {message}");
        }
        let many = vec!["a.example.com".to_owned(); 51];
        assert_eq!(check_hosts(&many).err().map(|(place, _)| place), Some(None));
    }

    #[test]
    fn secrets() {
        assert!(check_secret_name("API_KEY-2").is_ok());
        for name in ["", "A B", "A}}", "\u{e9}", &"x".repeat(65)] {
            assert!(check_secret_name(name).is_err(), "{name}");
        }
        assert!(check_secret_value("Bearer abc.def").is_ok());
        for value in ["", " a", "a\r\nHost: b", "a\0", "\u{e9}", &"x".repeat(4097)] {
            assert!(check_secret_value(value).is_err(), "{value}");
        }
    }
}
