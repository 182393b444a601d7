//! Which nodes live: each says so once per [`BEAT`] in a sorted set, and is forgotten [`LIFETIME`] after its last beat.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::link::Connection;
use crate::shared::Inner;

/// Time between two signs of life.
pub(crate) const BEAT: Duration = Duration::from_secs(1);
/// Signs of life that may be missing, and counts that are remembered.
const BEATS: usize = 5;

/// Gives how many nodes live, and whether this one was not known to.
const SCRIPT: &str = "
    local time = redis.call('TIME')
    local new = redis.call('ZADD', KEYS[1], time[1], ARGV[1])
    redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. (time[1] - ARGV[2]))
    redis.call('EXPIRE', KEYS[1], ARGV[2] * 2)
    return { redis.call('ZCARD', KEYS[1]), new }";

/// The nodes that this one knows of.
#[derive(Default)]
pub(crate) struct Nodes {
    counts: Mutex<VecDeque<usize>>,
    seen: AtomicUsize,
}

impl Nodes {
    /// How many nodes live, this one included, as far as it knows. The greatest of the last counts: after Redis was
    /// flushed the others appear only with their next beat.
    pub fn seen(&self) -> usize {
        self.seen.load(Ordering::Relaxed).max(1)
    }

    /// Whether there are others.
    pub fn has_others(&self) -> bool {
        self.seen() > 1
    }

    /// Somebody else has spoken.
    pub fn met(&self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.seen().max(2);
        self.remember(&mut counts, known);
    }

    fn counted(&self, count: usize) {
        self.remember(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner), count);
    }

    fn remember(&self, counts: &mut VecDeque<usize>, count: usize) {
        counts.push_back(count);
        if counts.len() > BEATS {
            counts.pop_front();
        }
        self.seen.store(counts.iter().copied().max().unwrap_or(1), Ordering::Relaxed);
    }
}

/// A sign of life.
pub(crate) async fn beat(inner: &Inner, connection: &Connection) -> Result<(), redis::RedisError> {
    let mut command = redis::cmd("EVAL");
    command.arg(SCRIPT).arg(1).arg(key(inner)).arg(inner.node.simple().to_string()).arg(BEATS);
    let (count, new): (usize, bool) = connection.query(&command).await?;
    inner.nodes.counted(count);
    if new {
        // The others did not know of this node, and told it nothing.
        inner.outbox.hello();
    }
    Ok(())
}

/// The last sign of life.
pub(crate) async fn leave(inner: &Inner, connection: &Connection) -> Result<(), redis::RedisError> {
    let mut command = redis::cmd("ZREM");
    connection.query(command.arg(key(inner)).arg(inner.node.simple().to_string())).await
}

fn key(inner: &Inner) -> String {
    format!("{}:nodes", inner.namespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_that_vanish_are_remembered_for_some_beats() {
        let nodes = Nodes::default();
        assert!(nodes.seen() == 1 && !nodes.has_others());
        nodes.met();
        assert!(nodes.has_others());
        nodes.counted(3);
        let seen: Vec<usize> = (0..BEATS)
            .map(|_| {
                nodes.counted(1);
                nodes.seen()
            })
            .collect();
        assert_eq!(seen, [3, 3, 3, 3, 1]);
    }
}
