//! A bounded run of what the fuzz targets do without end: the payloads of the fixture table, changed at random from a
//! fixed seed.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use support::{cases::payloads, oracle};

/// Bodies that are tried; some seconds without optimisation.
const BODIES: usize = 100_000;

/// Pieces that a parser of JSON stumbles over.
const PIECES: [&[u8]; 20] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b",",
    b":",
    b"null",
    b"true",
    b"-1",
    b"1e999",
    b"\\u0000",
    b"\\ud800",
    b"\0",
    b"\xff",
    b"{}",
    b"[]",
    b"\"\"",
    b"99999999999999999999",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
];

/// One to four changes: a piece put in, a stretch taken out, doubled or replaced by a stretch of another payload.
fn mutated(random: &mut StdRng, corpus: &[String]) -> Vec<u8> {
    let mut body = corpus[random.random_range(..corpus.len())].clone().into_bytes();
    for _ in 0..=random.random_range(0..4) {
        if body.is_empty() {
            break;
        }
        let start = random.random_range(..body.len());
        let end = (start + random.random_range(..40_usize)).min(body.len());
        match random.random_range(0..6) {
            0 => body[start] ^= 1 << random.random_range(0..8),
            1 => drop(body.splice(start..start, PIECES[random.random_range(..PIECES.len())].iter().copied())),
            2 => drop(body.splice(start..end, PIECES[random.random_range(..PIECES.len())].iter().copied())),
            3 => drop(body.drain(start..end)),
            4 => {
                let stretch = body[start..end].to_vec();
                drop(body.splice(start..start, stretch));
            }
            _ => {
                let other = corpus[random.random_range(..corpus.len())].as_bytes();
                let from = random.random_range(..other.len());
                let to = (from + random.random_range(..200_usize)).min(other.len());
                drop(body.splice(start..end, other[from..to].iter().copied()));
            }
        }
        if body.is_empty() {
            break;
        }
    }
    body
}

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
