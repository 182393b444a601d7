//! Those who wait here for a number's limit: the urgent before the others, else in the order in which they came.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use uuid::Uuid;

/// The lines at each tenant's numbers.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<HashMap<Number, Line>>>);

type Number = (Uuid, String);

#[derive(Default)]
struct Line {
    /// How many have come so far.
    came: u64,
    /// By priority and arrival, with what wakes each.
    standing: BTreeMap<(i16, u64), Arc<Notify>>,
}

/// A place in line, until it is dropped.
pub(crate) struct Place {
    lines: Lines,
    number: Number,
    key: (i16, u64),
    woken: Arc<Notify>,
}

impl Lines {
    pub fn is_empty(&self, tenant_id: Uuid, number: &str) -> bool {
        !self.all().contains_key(&(tenant_id, number.to_owned()))
    }

    pub fn join(&self, tenant_id: Uuid, number: &str, priority: i16) -> Place {
        let (number, woken) = ((tenant_id, number.to_owned()), Arc::new(Notify::new()));
        let mut all = self.all();
        let line = all.entry(number.clone()).or_default();
        let key = (priority, line.came);
        line.came += 1;
        line.standing.insert(key, woken.clone());
        drop(all);
        Place { lines: self.clone(), number, key, woken }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Number, Line>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// How many come before this one, as it is now.
    pub fn ahead(&self) -> usize {
        self.lines.all().get(&self.number).map_or(0, |line| line.standing.range(..self.key).count())
    }

    pub fn is_first(&self) -> bool {
        self.lines.all().get(&self.number).is_none_or(|line| line.standing.range(..self.key).next().is_none())
    }

    /// Until nobody stands before this one.
    pub async fn first(&self) {
        while !self.is_first() {
            self.woken.notified().await;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut all = self.lines.all();
        let Some(line) = all.get_mut(&self.number) else { return };
        line.standing.remove(&self.key);
        match line.standing.first_key_value() {
            Some((_, next)) => next.notify_one(),
            None => drop(all.remove(&self.number)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const ANSWER: i16 = 0;
    const BULK: i16 = 2;

    #[tokio::test]
    async fn the_urgent_come_before_the_others_and_else_who_came_before() {
        let (lines, tenant) = (Lines::default(), Uuid::nil());
        let bulk: Vec<Place> = (0..3).map(|_| lines.join(tenant, "1", BULK)).collect();
        let answers: Vec<Place> = (0..2).map(|_| lines.join(tenant, "1", ANSWER)).collect();
        let elsewhere = lines.join(tenant, "2", BULK);
        assert_eq!(answers.iter().chain(&bulk).map(Place::ahead).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        assert!(elsewhere.is_first());

        for place in answers.into_iter().chain(bulk) {
            assert!(place.is_first());
            drop(place);
        }
        assert!(lines.is_empty(tenant, "1") && !lines.is_empty(tenant, "2"));
    }

    #[tokio::test]
    async fn who_becomes_the_first_is_woken_also_when_somebody_gives_up() {
        let (lines, tenant) = (Lines::default(), Uuid::nil());
        let [first, second, third] = [BULK; 3].map(|priority| lines.join(tenant, "1", priority));
        let waiting = tokio::spawn(async move { third.first().await });
        first.first().await;
        drop(second);
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!waiting.is_finished(), "the first has not gone");
        drop(first);
        assert!(timeout(Duration::from_secs(10), waiting).await.is_ok());
    }
}
