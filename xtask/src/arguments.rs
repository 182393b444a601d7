//! Arguments that are passed on to a program which wants the name of a scenario first.

/// The arguments with a name in front: `all` unless one is given.
pub fn with_name(given: &[String]) -> Vec<&str> {
    let arguments = given.iter().map(String::as_str);
    let has_name = given.first().is_some_and(|first| !first.starts_with('-'));
    if has_name { arguments.collect() } else { std::iter::once("all").chain(arguments).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_all_unless_named() {
        for (given, expected) in [
            (vec![], vec!["all"]),
            (vec!["--seconds", "3"], vec!["all", "--seconds", "3"]),
            (vec!["flow", "--seconds", "3"], vec!["flow", "--seconds", "3"]),
        ] {
            let given: Vec<String> = given.into_iter().map(str::to_owned).collect();
            assert_eq!(with_name(&given), expected);
        }
    }
}
