//! A bounded run of what the fuzz targets do without end: the payloads of the fixture table, changed at random from a
//! fixed seed.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use rand::SeedableRng;
use rand::rngs::StdRng;
use support::mutate::mutated;
use support::{cases::payloads, oracle};

/// Bodies that are tried; some seconds without optimisation.
const BODIES: usize = 100_000;

#[test]
fn no_body_breaks_the_envelope() {
    let corpus = payloads();
    let mut random = StdRng::seed_from_u64(0x9E37_79B9_7F4A_7C15);
    for body in &corpus {
        oracle::envelope(body.as_bytes());
    }
    for _ in 0..BODIES {
        oracle::envelope(&mutated(&mut random, &corpus));
    }
}

#[test]
fn no_header_but_its_own_lets_a_body_in() {
    let corpus = payloads();
    let mut random = StdRng::seed_from_u64(0x2545_F491_4F6C_DD1D);
    for _ in 0..BODIES / 50 {
        let body = mutated(&mut random, &corpus);
        let own = hoopoe_protocol::signature::sign(b"app-secret", &body);
        let header = String::from_utf8_lossy(&mutated(&mut random, &[own])).into_owned();
        oracle::signature(b"app-secret", &body, &header);
    }
}
