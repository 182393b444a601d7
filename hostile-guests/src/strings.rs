//! `(str "...")` in the text of a guest: its bytes become data, and it address and length.

/// Where the strings lie in a guest's memory, and how much room they have.
const STRINGS: usize = 8 << 10;
const END: usize = 60 << 10;

/// Replaces every `(str "...")` by two constants. Gives the data segments with the bytes as well.
pub(crate) fn place(text: &str) -> (String, String) {
    let (mut out, mut data) = (String::new(), String::new());
    let mut at = STRINGS;
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("(str \"") {
        let end = closing(after).unwrap_or_else(|| panic!("a string without end: {after}"));
        let (literal, behind) = (&after[..end], &after[end + 1..]);
        let length = length(literal);
        out.push_str(before);
        out.push_str(&format!("(i32.const {at}) (i32.const {length})"));
        data.push_str(&format!("(data (i32.const {at}) \"{literal}\")\n"));
        at += length;
        rest = behind.strip_prefix(')').unwrap_or_else(|| panic!("no ) behind the string {literal}"));
    }
    assert!(at <= END, "too many strings");
    out.push_str(rest);
    (out, data)
}

/// The place of the quote that ends a literal.
fn closing(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| match byte {
        b'"' if !escaped => true,
        _ => {
            escaped = byte == b'\\' && !escaped;
            false
        }
    })
}

/// Bytes of a literal of WebAssembly text: `\00` is one, `\n` is one; `\u{...}` is not used here.
fn length(literal: &str) -> usize {
    let (mut count, mut bytes) = (0, literal.bytes());
    while let Some(byte) = bytes.next() {
        if byte == b'\\' && bytes.next().is_some_and(|next| next.is_ascii_hexdigit()) {
            bytes.next();
        }
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_becomes_address_and_length() {
        let (text, data) = place(r#"(call $f (str "a\"b\00\n")) (str "")"#);
        assert_eq!(text, "(call $f (i32.const 8192) (i32.const 5)) (i32.const 8197) (i32.const 0)");
        assert!(data.starts_with(r#"(data (i32.const 8192) "a\"b\00\n")"#), "{data}");
    }
}
