//! Phone numbers as people write them.
#![allow(missing_docs)]

use hoopoe_protocol::phone::{Invalid, normalise};

#[test]
fn phone_numbers() {
    let cases: [(&str, Result<&str, Invalid>); 14] = [
        ("+1 (650) 555-1234", Ok("16505551234")),
        ("49.151.2345678", Ok("491512345678")),
        (" 1234567 ", Ok("1234567")),
        ("123456789012345", Ok("123456789012345")),
        ("", Err(Invalid::Empty)),
        ("  ", Err(Invalid::Empty)),
        ("+", Err(Invalid::Length(0))),
        ("123456", Err(Invalid::Length(6))),
        ("1234567890123456", Err(Invalid::Length(16))),
        ("++1234567", Err(Invalid::Character('+'))),
        ("1234567x", Err(Invalid::Character('x'))),
        ("hello", Err(Invalid::Character('h'))),
        ("١٢٣٤٥٦٧", Err(Invalid::Character('١'))),
        ("1234567\0", Err(Invalid::Character('\0'))),
    ];
    for (input, expected) in cases {
        assert_eq!(normalise(input), expected.map(str::to_owned), "{input:?}");
    }
}
