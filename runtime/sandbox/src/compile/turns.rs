//! Whose turn it is to have something compiled.
//!
//! In: who wants a turn, and for what. Out: a [`Turn`], which is given back when it is dropped, however that comes
//! about. An owner has one turn at a time, so that one owner's plugins never hold the compiler while others wait for
//! it; the next turn goes to whoever had one longest ago. What can fail: too many uploads wait already
//! ([`Error::OwnUploads`], [`Error::Uploads`]), each of which would be held in memory meanwhile. Plugins that are to
//! run always wait: they are fetched only when it is their turn.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::jobs::How;
use crate::load::Error;

/// For whom something is compiled: a tenant, as the host numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Owner(pub u128);

/// Uploads of one owner that wait.
const OWN_UPLOADS: usize = 4;
/// Uploads of all owners that wait; each is held in memory.
const UPLOADS: usize = 32;

/// The queue before the compiler.
pub(super) struct Turns {
    at_once: usize,
    queue: Mutex<Queue>,
}

/// A place in the queue, and then at the compiler. Dropping it gives it up.
pub(crate) struct Turn {
    turns: Arc<Turns>,
    ticket: u64,
    job: Job,
}

#[derive(Clone, Copy)]
struct Job {
    /// None: the host itself, which does not compete with itself.
    owner: Option<Owner>,
    upload: bool,
}

struct Waiting {
    ticket: u64,
    job: Job,
    call: oneshot::Sender<()>,
}

#[derive(Default)]
struct Queue {
    /// Tickets handed out. They grow with the time of arrival.
    tickets: u64,
    waiting: Vec<Waiting>,
    running: Vec<Job>,
    /// Turns given.
    turns: u64,
    /// Which of them was each owner's last. Those of whom nothing waits and runs are forgotten when the queue is empty.
    last: HashMap<Option<Owner>, u64>,
}

impl Turns {
    /// With so many turns at the same time. Uploads leave one of them, when there is more than one, to plugins that
    /// are to run.
    pub(super) fn new(at_once: usize) -> Arc<Self> {
        Arc::new(Turns { at_once: at_once.max(1), queue: Mutex::default() })
    }

    /// Wait for a turn.
    pub(super) async fn turn(self: &Arc<Self>, how: How, owner: Option<Owner>) -> Result<Turn, Error> {
        let job = Job { owner, upload: how == How::Inspect };
        let (turn, called) = self.enqueue(job)?;
        // The sender is dropped only with the queue, which the turn holds.
        let _ = called.await;
        Ok(turn)
    }

    fn enqueue(self: &Arc<Self>, job: Job) -> Result<(Turn, oneshot::Receiver<()>), Error> {
        let (call, called) = oneshot::channel();
        let mut queue = self.queue();
        let ticket = queue.tickets;
        queue.tickets += 1;
        queue.waiting.push(Waiting { ticket, job, call });
        queue.call(self.at_once);
        // Counted when those have gone who need not wait.
        if job.upload
            && let Err(full) = queue.has_room(job.owner)
            && let Some(place) = queue.place(ticket)
        {
            queue.waiting.remove(place);
            return Err(full);
        }
        Ok((Turn { turns: Arc::clone(self), ticket, job }, called))
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut queue = self.turns.queue();
        match queue.place(self.ticket) {
            // Whoever wanted it has gone away.
            Some(place) => drop(queue.waiting.remove(place)),
            None => queue.end(self.job),
        }
        queue.call(self.turns.at_once);
    }
}

impl Queue {
    /// Call those whose turn it is.
    fn call(&mut self, at_once: usize) {
        while let Some(place) = self.next(at_once) {
            let Waiting { job, call, .. } = self.waiting.remove(place);
            self.running.push(job);
            self.turns += 1;
            self.last.insert(job.owner, self.turns);
            // Who does not listen any more gives the turn back as it is dropped.
            let _ = call.send(());
        }
        if self.waiting.is_empty() {
            let running = &self.running;
            self.last.retain(|owner, _| running.iter().any(|job| job.owner == *owner));
        }
    }

    /// Of those who may, the one whose owner had a turn longest ago; of several, the one who came first.
    fn next(&self, at_once: usize) -> Option<usize> {
        if self.running.len() >= at_once {
            return None;
        }
        let uploads = self.running.iter().filter(|job| job.upload).count();
        let may = |job: &Job| {
            let busy = job.owner.is_some() && self.running.iter().any(|running| running.owner == job.owner);
            !busy && (!job.upload || uploads < (at_once - 1).max(1))
        };
        let waiting = self.waiting.iter().enumerate().filter(|(_, waiting)| may(&waiting.job));
        let order = |waiting: &Waiting| (self.last.get(&waiting.job.owner).copied(), waiting.ticket);
        waiting.min_by_key(|(_, waiting)| order(waiting)).map(|(place, _)| place)
    }

    fn has_room(&self, owner: Option<Owner>) -> Result<(), Error> {
        let uploads = self.waiting.iter().filter(|waiting| waiting.job.upload);
        let own = uploads.clone().filter(|waiting| owner.is_some() && waiting.job.owner == owner).count();
        match (own, uploads.count()) {
            (own, _) if own > OWN_UPLOADS => Err(Error::OwnUploads { waiting: OWN_UPLOADS }),
            (_, all) if all > UPLOADS => Err(Error::Uploads { waiting: UPLOADS }),
            _ => Ok(()),
        }
    }

    fn place(&self, ticket: u64) -> Option<usize> {
        self.waiting.iter().position(|waiting| waiting.ticket == ticket)
    }

    fn end(&mut self, job: Job) {
        let same = |running: &Job| running.owner == job.owner && running.upload == job.upload;
        if let Some(place) = self.running.iter().position(same) {
            self.running.swap_remove(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Option<Owner> = Some(Owner(1));
    const B: Option<Owner> = Some(Owner(2));
    const C: Option<Owner> = Some(Owner(3));

    /// A place in the queue, under a name.
    struct Place {
        name: &'static str,
        turn: Turn,
        called: oneshot::Receiver<()>,
    }

    struct Scene {
        turns: Arc<Turns>,
        places: Vec<Place>,
    }

    impl Scene {
        fn new(at_once: usize) -> Self {
            Scene { turns: Turns::new(at_once), places: Vec::new() }
        }

        fn come(&mut self, name: &'static str, owner: Option<Owner>, upload: bool) -> Result<(), Error> {
            let (turn, called) = self.turns.enqueue(Job { owner, upload })?;
            self.places.push(Place { name, turn, called });
            Ok(())
        }

        /// Those of this owner, each of them admitted.
        fn uploads(&mut self, owner: Option<Owner>, names: &[&'static str]) {
            names.iter().for_each(|name| self.come(name, owner, true).expect("there is room"));
        }

        /// Who is at the compiler; each is told once.
        fn at_work(&mut self) -> Vec<&'static str> {
            let called = |place: &mut Place| place.called.try_recv().ok().map(|()| place.name);
            self.places.iter_mut().filter_map(called).collect()
        }

        fn goes(&mut self, name: &str) {
            let place = self.places.iter().position(|place| place.name == name).expect("it is there");
            drop(self.places.remove(place).turn);
        }

        /// Let each end in turn, and tell the order.
        fn order(&mut self) -> Vec<&'static str> {
            let mut order = Vec::new();
            loop {
                let called = self.at_work();
                if called.is_empty() {
                    return order;
                }
                called.iter().for_each(|name| self.goes(name));
                order.extend(called);
            }
        }
    }

    #[test]
    fn an_owner_has_one_turn_at_a_time_and_all_slots_are_used() {
        let mut scene = Scene::new(3);
        scene.uploads(A, &["a1", "a2", "a3"]);
        assert_eq!(scene.at_work(), ["a1"]);
        scene.come("a4", A, false).expect("what is to run waits");
        scene.uploads(B, &["b1"]);
        assert_eq!(scene.at_work(), ["b1"]);
        scene.come("c1", C, false).expect("what is to run waits");
        assert_eq!(scene.at_work(), ["c1"]);
        scene.goes("a1");
        assert_eq!(scene.at_work(), ["a2"]);
    }

    #[test]
    fn the_next_is_who_had_a_turn_longest_ago_not_who_came_first() {
        let mut scene = Scene::new(2);
        scene.uploads(A, &["a1", "a2", "a3", "a4"]);
        scene.uploads(B, &["b1", "b2"]);
        scene.uploads(C, &["c1"]);
        assert_eq!(scene.order(), ["a1", "b1", "c1", "a2", "b2", "a3", "a4"]);
    }

    #[test]
    fn who_comes_late_waits_for_nobodys_second_turn() {
        let mut scene = Scene::new(2);
        scene.uploads(A, &["a1", "a2", "a3"]);
        assert_eq!(scene.at_work(), ["a1"]);
        scene.goes("a1");
        assert_eq!(scene.at_work(), ["a2"]);
        scene.uploads(B, &["b1"]);
        scene.goes("a2");
        assert_eq!(scene.at_work(), ["b1"]);
    }

    #[test]
    fn uploads_leave_a_slot_to_what_is_to_run() {
        for (at_once, uploads) in [(1, 1), (2, 1), (3, 2)] {
            let mut scene = Scene::new(at_once);
            for (n, name) in ["u0", "u1", "u2", "u3"].into_iter().enumerate() {
                scene.uploads(Some(Owner(n as u128)), &[name]);
            }
            assert_eq!(scene.at_work().len(), uploads, "of {at_once}");
            scene.come("run", Some(Owner(9)), false).expect("what is to run waits");
            assert_eq!(scene.at_work(), if at_once > 1 { vec!["run"] } else { vec![] });
        }
    }

    #[test]
    fn too_many_uploads_are_refused_and_runs_are_not() {
        let mut scene = Scene::new(1);
        scene.uploads(A, &["at work", "1", "2", "3", "4"]);
        assert_eq!(scene.come("5", A, true), Err(Error::OwnUploads { waiting: OWN_UPLOADS }));
        scene.come("run", A, false).expect("what is to run waits");
        scene.uploads(B, &["other"]);
        scene.goes("1");
        scene.uploads(A, &["5"]);

        let mut scene = Scene::new(1);
        for n in 0..=UPLOADS as u128 {
            scene.uploads(Some(Owner(n)), &["some"]);
        }
        assert_eq!(scene.come("more", Some(Owner(99)), true), Err(Error::Uploads { waiting: UPLOADS }));
        assert_eq!(scene.turns.queue().waiting.len(), UPLOADS, "the refused one is not in the queue");
        scene.come("run", Some(Owner(99)), false).expect("what is to run waits");
    }

    #[test]
    fn the_host_itself_has_as_many_turns_as_there_are() {
        let mut scene = Scene::new(2);
        scene.come("one", None, false).expect("it waits");
        scene.come("two", None, false).expect("it waits");
        scene.come("three", None, false).expect("it waits");
        assert_eq!(scene.at_work(), ["one", "two"]);
    }

    #[test]
    fn who_goes_away_leaves_nothing_behind() {
        let mut scene = Scene::new(1);
        scene.uploads(A, &["a1"]);
        scene.uploads(B, &["b1"]);
        scene.uploads(C, &["c1"]);
        // One that waits, and one that was called and does not know.
        scene.goes("b1");
        scene.goes("a1");
        assert_eq!(scene.at_work(), ["c1"]);
        scene.goes("c1");
        let queue = scene.turns.queue();
        assert!(queue.waiting.is_empty() && queue.running.is_empty() && queue.last.is_empty());
    }

    #[tokio::test]
    async fn a_turn_that_nobody_awaits_any_more_goes_to_the_next() {
        let turns = Turns::new(1);
        let first = turns.turn(How::Inspect, A).await.expect("it is free");
        let mut second = Box::pin(turns.turn(How::Inspect, B));
        assert!(poll(second.as_mut()).is_pending());
        let third = tokio::spawn({
            let turns = Arc::clone(&turns);
            async move { turns.turn(How::Run, C).await.map(drop) }
        });
        drop(first);
        // Called, and never polled again.
        drop(second);
        assert_eq!(third.await.expect("it does not panic"), Ok(()));
    }

    fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> std::task::Poll<F::Output> {
        future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
    }
}
