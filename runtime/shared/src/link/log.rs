//! What an operator reads about a Redis that comes and goes: one line when it is away and one when it is back, not one
//! per call, and not more than a pair of them per [`CALM`] however it flaps.

use std::time::Duration;

use tokio::time::Instant;

const CALM: Duration = Duration::from_secs(10);

#[derive(Default)]
pub(super) struct Log {
    /// Since when Redis is away.
    away: Option<Instant>,
    /// Whether that was said.
    said: bool,
    /// When it was said last.
    last: Option<Instant>,
}

impl Log {
    pub fn away(&mut self, error: &str, nodes: usize) {
        let now = Instant::now();
        if self.away.is_none() {
            (self.away, self.said) = (Some(now), false);
        }
        if !self.said && self.last.is_none_or(|last| now - last > CALM) {
            (self.said, self.last) = (true, Some(now));
            tracing::warn!(
                error,
                nodes,
                "Redis is away: this node takes its share of the rate limits and finds others' work by polling"
            );
        }
    }

    /// `missed`: calls that were made without Redis meanwhile.
    pub fn back(&mut self, missed: u64) {
        if let Some(since) = self.away.take()
            && std::mem::take(&mut self.said)
        {
            let seconds = since.elapsed().as_secs_f32();
            tracing::info!(seconds, missed, "Redis is back");
        }
    }
}
