//! A compiled plugin for the tests of another process; see `hoopoe_sdk::testing::compiled`.

use std::io::{self, BufRead, Write};

use hoopoe_sdk::testing::compiled::{Answer, Call};
use hoopoe_sdk::testing::{Run, Runner};

use crate::Wasm;

/// Answers each line of `calls` with a line of `answers`, until there are no more.
pub fn play(plugin: &mut Wasm, calls: impl BufRead, mut answers: impl Write) -> io::Result<()> {
    for call in calls.lines() {
        let answer = match serde_json::from_str(&call?)? {
            Call::Describe => Answer::Described(plugin.manifest()),
            Call::Handle { context, event, state } => match plugin.handle(*context, *event, state.as_deref()) {
                Ok(Run { result, logs }) => Answer::Handled { result, logs },
                Err(reason) => Answer::Stopped(reason),
            },
            Call::Migrate { from_version, state } => match plugin.take_over(&from_version, &state) {
                Ok(migrated) => Answer::Migrated(migrated),
                Err(reason) => Answer::Stopped(reason),
            },
        };
        let mut line = serde_json::to_vec(&answer)?;
        line.push(b'\n');
        answers.write_all(&line)?;
        answers.flush()?;
    }
    Ok(())
}
