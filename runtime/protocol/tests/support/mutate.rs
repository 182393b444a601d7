//! Random changes of known inputs. The tests of templates and rules use it as well.

use rand::RngExt;
use rand::rngs::StdRng;

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

/// One of the inputs with one to four changes: a piece put in, a stretch taken out, doubled or replaced by a stretch of
/// another input.
pub fn mutated(random: &mut StdRng, corpus: &[String]) -> Vec<u8> {
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
