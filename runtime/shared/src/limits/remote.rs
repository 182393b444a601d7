//! Buckets in Redis: scripts, so that whoever asks takes from all buckets at once or from none.

use std::collections::HashMap;

use chrono::TimeDelta;
use uuid::Uuid;

use super::{Ask, Limit, Scope, Verdict};
use crate::clock;
use crate::link::Link;
use crate::shared::Inner;

/// Asks that one script answers: while it runs, others wait.
const BATCH: usize = 256;
/// Milliseconds that a key stays longer than needed: for ever, as a test sees it, when the time stands still.
const KEPT_LONGER: &str = "1000";
const KEPT_LONGER_PINNED: &str = "3600000";

const TAKE: usize = 0;
const CHANGE: usize = 1;

/// The scripts of the limits.
pub(crate) const SCRIPTS: [&str; 2] = [
    concat!(include_str!("bucket.lua"), include_str!("take.lua")),
    concat!(include_str!("bucket.lua"), include_str!("change.lua")),
];

/// The asks of one tenant that one script answers.
struct Batch<'a> {
    /// Where each ask stands in the call.
    asks: Vec<usize>,
    keys: Vec<String>,
    places: HashMap<Scope<'a>, u16>,
    limits: Vec<u8>,
    packed: Vec<u8>,
}

impl<'a> Batch<'a> {
    fn new() -> Self {
        Self { asks: Vec::new(), keys: Vec::new(), places: HashMap::new(), limits: Vec::new(), packed: Vec::new() }
    }

    fn add(&mut self, position: usize, ask: &Ask<'a>, namespace: &str) {
        self.asks.push(position);
        self.packed.push(u8::try_from(ask.buckets.len()).unwrap_or(u8::MAX));
        for (scope, limit) in ask.buckets.iter().take(u8::MAX.into()) {
            let place = self.place(ask.tenant, *scope, *limit, namespace);
            self.packed.extend(place.to_le_bytes());
        }
    }

    fn place(&mut self, tenant: Uuid, scope: Scope<'a>, limit: Limit, namespace: &str) -> u16 {
        if let Some(place) = self.places.get(&scope) {
            return *place;
        }
        let mut key = String::with_capacity(96);
        scope.write_key(&mut key, namespace, tenant);
        // At most BATCH asks of 255 buckets each.
        let place = u16::try_from(self.keys.len()).expect("65,280 places at the most");
        self.keys.push(key);
        self.places.insert(scope, place);
        self.limits.extend(limit.rate().to_le_bytes());
        self.limits.extend(limit.burst().to_le_bytes());
        place
    }
}

/// The verdicts, in the order of the asks; `None` when Redis is away.
pub(super) async fn take<'a>(inner: &Inner, link: &Link, asks: &[Ask<'a>]) -> Option<Vec<Verdict<'a>>> {
    let connected = link.connected()?;
    let mut full = Vec::new();
    let mut open: HashMap<Uuid, Batch<'a>> = HashMap::new();
    for (position, ask) in asks.iter().enumerate().filter(|(_, ask)| !ask.buckets.is_empty()) {
        let batch = open.entry(ask.tenant).or_insert_with(Batch::new);
        batch.add(position, ask, &inner.namespace);
        if batch.asks.len() == BATCH || batch.keys.len() > 1000 {
            full.push(std::mem::replace(batch, Batch::new()));
        }
    }
    full.extend(open.into_values().filter(|batch| !batch.asks.is_empty()));
    let now = inner.clock.now();
    let mut pipeline = redis::pipe();
    for batch in &full {
        let command = pipeline.cmd("EVALSHA").arg(connected.script(TAKE)).arg(batch.keys.len()).arg(&batch.keys);
        command.arg(pinned(inner)).arg(kept_longer(inner)).arg(&batch.limits).arg(&batch.packed);
    }
    let answers: Vec<Vec<u8>> = link.ask(connected, &pipeline).await?;
    let mut verdicts: Vec<_> = asks.iter().map(|ask| ask.buckets.is_empty().then_some(Verdict::Granted)).collect();
    for (batch, answers) in full.iter().zip(&answers) {
        for (position, answer) in batch.asks.iter().zip(answers.chunks_exact(9)) {
            let ask = &asks[*position];
            let wait = f64::from_le_bytes(answer[1..].try_into().expect("eight bytes"));
            let waits_for = usize::from(answer[0]).checked_sub(1).and_then(|place| ask.buckets.get(place));
            verdicts[*position] = Some(match waits_for {
                Some((scope, _)) => Verdict::Wait { until: clock::moment(clock::micros(now) + wait), bucket: *scope },
                None => Verdict::Granted,
            });
        }
    }
    verdicts.into_iter().collect()
}

/// What becomes of a bucket.
pub(super) enum Change {
    /// It gives nothing for so long.
    Pause(TimeDelta),
    /// It gives half.
    SlowDown,
}

pub(super) async fn change(inner: &Inner, link: &Link, tenant: Uuid, scope: Scope<'_>, change: Change) {
    let Some(connected) = link.connected() else { return };
    let mut key = String::new();
    scope.write_key(&mut key, &inner.namespace, tenant);
    let (name, by) = match change {
        Change::Pause(by) => ("pause", by.num_microseconds().unwrap_or(i64::MAX)),
        Change::SlowDown => ("slow", 0),
    };
    let mut pipeline = redis::pipe();
    let command = pipeline.cmd("EVALSHA").arg(connected.script(CHANGE)).arg(1).arg(key);
    command.arg(pinned(inner)).arg(kept_longer(inner)).arg(name).arg(by);
    // This node has it by itself; if Redis is away, others learn it from Meta too.
    let _: Option<Vec<redis::Value>> = link.ask(connected, &pipeline).await;
}

/// The time of a test.
fn pinned(inner: &Inner) -> String {
    if inner.clock.is_pinned() { inner.clock.now().timestamp_micros().to_string() } else { String::new() }
}

fn kept_longer(inner: &Inner) -> &'static str {
    if inner.clock.is_pinned() { KEPT_LONGER_PINNED } else { KEPT_LONGER }
}
