//! Any bytes as a rule set.
#![no_main]

#[path = "../../../rules/tests/rules/oracle.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    oracle::rules(input);
});
