//! Files of the repository that are made from the code, kept by a test.

use std::fs;
use std::path::Path;

/// Compares a file, by its path in the repository, with what it should hold. With `UPDATE_SNAPSHOTS=1` in the
/// environment the file is written instead.
#[track_caller]
pub fn snapshot(path: &str, actual: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some_and(|update| update == "1") {
        fs::write(&file, actual).unwrap_or_else(|error| panic!("{path}: {error}"));
        return;
    }
    let kept = fs::read_to_string(&file).unwrap_or_default();
    if kept == actual {
        return;
    }
    let longest = kept.lines().count().max(actual.lines().count());
    let (mut old, mut new) = (kept.lines(), actual.lines());
    let mut pairs = (1..=longest).map(|number| (number, old.next(), new.next()));
    let (number, old, new) = pairs.find(|(_, old, new)| old != new).unwrap_or_default();
    panic!(
        "{path} is out of date, first in line {number}: it holds {old:?}, not {new:?}; run the test with \
         UPDATE_SNAPSHOTS=1 and look at the difference"
    );
}
