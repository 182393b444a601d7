//! Any bytes as a template with its values.
#![no_main]

#[path = "../../../templates/tests/support/oracle.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    oracle::template(input);
});
