//! What the fuzz targets start from, and every input that they once failed with: each holds.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::Path;

use support::oracle;

/// An empty folder would pass.
const LEAST: usize = 10;

/// Each input of the target, by the name of its file.
fn inputs(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = files.map(|file| file.unwrap().path());
    let inputs: Vec<_> = paths.map(|path| (path.display().to_string(), fs::read(&path).unwrap())).collect();
    assert!(inputs.len() >= LEAST, "{} holds only {} inputs", folder.display(), inputs.len());
    inputs
}

/// Says which input it was.
fn replay(target: &str, oracle: impl Fn(&[u8])) {
    for (name, input) in inputs(target) {
        println!("{name}");
        oracle(&input);
    }
}

#[test]
fn every_kept_body_holds() {
    replay("envelope", oracle::envelope);
}

#[test]
fn every_kept_header_holds() {
    replay("signature", oracle::signed);
}

#[test]
fn the_corpus_reaches_what_it_is_to_reach() {
    let bodies = inputs("envelope");
    let read = bodies.iter().filter(|(_, body)| hoopoe_protocol::envelope::parse(body).is_ok()).count();
    assert!(read >= LEAST && read < bodies.len(), "{read} of {} are webhooks", bodies.len());
    let fits = |input: &[u8]| {
        let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
        let header = String::from_utf8_lossy(&input[..end]).into_owned();
        let body = input.get(end + 1..).unwrap_or_default();
        hoopoe_protocol::signature::verify(b"app-secret", body, Some(&header)).is_ok()
    };
    let headers = inputs("signature");
    let fitting = headers.iter().filter(|(_, input)| fits(input)).count();
    assert!(fitting >= 1 && fitting < headers.len(), "{fitting} of {} fit", headers.len());
}
