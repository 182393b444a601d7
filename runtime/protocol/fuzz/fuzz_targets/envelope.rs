//! Any bytes as the body of a webhook.
#![no_main]

#[path = "../../tests/support/oracle.rs"]
#[allow(dead_code)]
mod oracle;

libfuzzer_sys::fuzz_target!(|body: &[u8]| oracle::envelope(body));
