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
use crate::Owner;
use crate::load::Error;

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
mod tests;
