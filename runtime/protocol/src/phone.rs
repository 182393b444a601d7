//! Phone numbers as people write them, to the digits that Meta wants.

/// Why this is not a phone number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Nothing there.
    #[error("the phone number is empty; give it with its country code, for example +4915123456789")]
    Empty,
    /// A character that does not belong there.
    #[error(
        "the phone number holds {0:?}; use digits with the country code, and at most a leading +, spaces, dashes, dots and parentheses"
    )]
    Character(char),
    /// Too short or too long.
    #[error("the phone number has {0} digits; with its country code it must have 7 to 15")]
    Length(usize),
}

/// The digits of a phone number, without `+`. 7 to 15 digits (E.164); spaces, dashes, dots and parentheses are dropped.
pub fn normalise(input: &str) -> Result<String, Invalid> {
    let input = input.trim();
    if input.is_empty() {
        return Err(Invalid::Empty);
    }
    let mut digits = String::with_capacity(15);
    for character in input.strip_prefix('+').unwrap_or(input).chars() {
        match character {
            '0'..='9' => digits.push(character),
            ' ' | '\u{a0}' | '-' | '\u{2010}' | '\u{2011}' | '(' | ')' | '.' => {}
            other => return Err(Invalid::Character(other)),
        }
    }
    if (7..=15).contains(&digits.len()) { Ok(digits) } else { Err(Invalid::Length(digits.len())) }
}
