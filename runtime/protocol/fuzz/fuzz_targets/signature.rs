//! Any first line as the header of the bytes behind it.
#![no_main]

#[path = "../../tests/support/oracle.rs"]
#[allow(dead_code)]
mod oracle;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let body = input.get(end + 1..).unwrap_or_default();
    oracle::signature(b"app-secret", body, &String::from_utf8_lossy(&input[..end]));
});
