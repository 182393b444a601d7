//! What this node has to tell the others: collected, then sent in one round trip, one at a time.
//!
//! What Redis does not take stays here until it does, but for live events, which are only worth something now.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::forget::Forget;
use crate::link::Link;
use crate::live::Event;
use crate::news::News;
use crate::shared::Inner;
use crate::wake::Stage;

/// The pause after each round trip: under load some wake-ups become one, and a node sends 200 messages per second at
/// the most. Who has something to tell after a quiet time does not wait.
const PAUSE: Duration = Duration::from_millis(5);
/// More changes than these become: forget everything.
const FORGETS: usize = 1000;
/// Live events that may wait; more are dropped.
const LIVE: usize = 1000;

#[derive(Default)]
pub(crate) struct Outbox {
    pending: Mutex<Pending>,
    /// Told when there is something.
    filled: Notify,
}

#[derive(Default)]
struct Pending {
    hello: bool,
    stages: [bool; Stage::ALL.len()],
    forgets: HashSet<Forget>,
    watches: HashSet<Uuid>,
    live: VecDeque<Event>,
}

impl Outbox {
    /// This node is new.
    pub fn hello(&self) {
        self.add(|pending| pending.hello = true);
    }

    pub fn wake(&self, stage: Stage) {
        let mut pending = self.lock();
        // The usual case under load.
        if !std::mem::replace(&mut pending.stages[stage as usize], true) {
            self.filled.notify_one();
        }
    }

    pub fn forget(&self, forget: Forget) {
        self.add(|pending| {
            if pending.forgets.len() < FORGETS {
                pending.forgets.insert(forget);
            } else {
                pending.forgets = HashSet::from([Forget::Everything]);
            }
        });
    }

    /// Somebody here watches the tenant.
    pub fn watch(&self, tenant: Uuid) {
        self.add(|pending| {
            pending.watches.insert(tenant);
        });
    }

    pub fn live(&self, event: Event) {
        self.add(|pending| {
            if pending.live.len() < LIVE {
                pending.live.push_back(event);
            }
        });
    }

    /// Another node is new: whatever it was not told it is told now.
    pub fn greet(&self) {
        self.add(|pending| {
            pending.stages = [true; Stage::ALL.len()];
            pending.forgets = HashSet::from([Forget::Everything]);
        });
    }

    fn add(&self, change: impl FnOnce(&mut Pending)) {
        change(&mut self.lock());
        self.filled.notify_one();
    }

    /// What was not sent; live events are dropped.
    fn put_back(&self, unsent: Pending) {
        self.add(|pending| {
            pending.hello |= unsent.hello;
            for (stage, unsent) in pending.stages.iter_mut().zip(unsent.stages) {
                *stage |= unsent;
            }
            pending.forgets.extend(unsent.forgets);
            pending.watches.extend(unsent.watches);
        });
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pending {
    fn news(&self) -> Vec<News> {
        let mut news = Vec::new();
        if self.hello {
            news.push(News::Hello);
        }
        let stages: Vec<Stage> = Stage::ALL.into_iter().filter(|stage| self.stages[*stage as usize]).collect();
        if !stages.is_empty() {
            news.push(News::Wake(stages));
        }
        if self.forgets.contains(&Forget::Everything) {
            news.push(News::Forget(Forget::Everything));
        } else {
            news.extend(self.forgets.iter().cloned().map(News::Forget));
        }
        news.extend(self.watches.iter().copied().map(News::Watch));
        news
    }
}

/// Sends until `stop`, and then once more.
pub(crate) async fn send(inner: Arc<Inner>, link: Arc<Link>, stop: CancellationToken) {
    loop {
        let ready = async {
            inner.outbox.filled.notified().await;
            link.up().await;
        };
        let last = tokio::select! {
            () = stop.cancelled() => true,
            () = ready => false,
        };
        let pending = std::mem::take(&mut *inner.outbox.lock());
        if let Err(unsent) = publish(&inner, &link, pending).await {
            inner.outbox.put_back(unsent);
        }
        if last {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn publish(inner: &Inner, link: &Link, pending: Pending) -> Result<(), Pending> {
    let news = pending.news();
    if news.is_empty() && pending.live.is_empty() {
        return Ok(());
    }
    let Some(connected) = link.connected() else { return Err(pending) };
    let channel = channel(inner);
    let mut pipeline = redis::pipe();
    for news in &news {
        pipeline.cmd("PUBLISH").arg(&channel).arg(news.write(inner.node));
    }
    for event in &pending.live {
        let (channel, message) = event.write(inner);
        pipeline.cmd("PUBLISH").arg(channel).arg(message);
    }
    match link.ask::<Vec<u64>>(connected, &pipeline).await {
        Some(receivers) => {
            for (event, receivers) in pending.live.iter().zip(&receivers[news.len()..]) {
                let here = u64::from(inner.live.is_here(event.tenant()));
                inner.live.reached(event.tenant(), *receivers > here || !link.counts_receivers());
            }
            Ok(())
        }
        None => Err(pending),
    }
}

/// Where nodes talk.
pub(crate) fn channel(inner: &Inner) -> String {
    format!("{}:news", inner.namespace)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forget::Cache;

    #[test]
    fn many_become_few_and_what_was_not_sent_stays() {
        let outbox = Outbox::default();
        for _ in 0..100 {
            outbox.wake(Stage::Flow);
            outbox.forget(Forget::All(Cache::Routes));
        }
        let sent = std::mem::take(&mut *outbox.lock());
        assert_eq!(sent.news(), [News::Wake(vec![Stage::Flow]), News::Forget(Forget::All(Cache::Routes))]);
        outbox.wake(Stage::Calls);
        outbox.put_back(sent);
        let news = outbox.lock().news();
        assert_eq!(news, [News::Wake(vec![Stage::Flow, Stage::Calls]), News::Forget(Forget::All(Cache::Routes))]);
    }

    #[test]
    fn too_many_changes_become_everything() {
        let outbox = Outbox::default();
        for number in 0..=FORGETS {
            outbox.forget(Forget::One(Cache::Routes, number.to_string()));
        }
        assert_eq!(outbox.lock().news(), [News::Forget(Forget::Everything)]);
    }
}
