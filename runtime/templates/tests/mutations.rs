//! A bounded run of what the fuzz target does without end: templates of its corpus, changed at random from a fixed
//! seed.
#![allow(missing_docs, clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;

use mutate::mutated;

#[path = "../../protocol/tests/support/mutate.rs"]
mod mutate;
#[path = "support/oracle.rs"]
mod oracle;

/// Changed inputs for each that is kept.
const MUTATIONS: usize = 2_000;

/// No input takes longer, without optimisation and on a busy machine.
const LIMIT: Duration = Duration::from_secs(10);

/// The inputs that the fuzz target starts from, and each that it once failed with.
fn corpus() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol/fuzz/corpus/templates");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()).collect()
}

/// Whether it was taken.
fn tried(input: &[u8]) -> bool {
    let begun = Instant::now();
    let taken = oracle::template(input);
    let elapsed = begun.elapsed();
    assert!(elapsed < LIMIT, "{elapsed:?}: {}", String::from_utf8_lossy(input));
    taken
}

#[test]
fn every_kept_template_holds() {
    let corpus = corpus();
    let taken = corpus.iter().filter(|input| tried(input.as_bytes())).count();
    assert!(taken >= 10, "only {taken} of {} are templates", corpus.len());
}

#[test]
fn no_input_breaks_templates() {
    let corpus = corpus();
    let mut random = StdRng::seed_from_u64(0xBB67_AE85_84CA_A73B);
    let count = MUTATIONS * corpus.len();
    let taken = (0..count).filter(|_| tried(&mutated(&mut random, &corpus))).count();
    // Otherwise only the parser of JSON was tried.
    assert!(taken >= count / 100 && taken < count, "{taken} of {count} were taken");
}
