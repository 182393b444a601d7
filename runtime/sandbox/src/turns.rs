//! Runs that take long: threads of their own, in turns between their owners.
//!
//! Most runs are done within microseconds, on the thread of whoever asked. One that takes longer than a tick of the
//! clock goes on here. The threads are as many as processors, and yield to the rest of the process where the system
//! knows priorities. A turn lasts until the next tick; then comes the next owner, however many runs the last one has.
//! What is long holds a [`Place`], of which each owner has only some.

mod cpu;
mod places;
mod rounds;
#[cfg(test)]
mod tests;
mod threads;

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::sync::oneshot;

pub(crate) use self::cpu::used;
pub(crate) use self::places::{Place, Places};
use self::threads::Job;
pub(crate) use self::threads::Turns;
use crate::{Failure, Owner, Run};

impl Turns {
    /// Bring a run to its end, in turns with others. Dropping the future ends it: at once, or when its turn is over.
    pub(crate) async fn finish<T, F>(&self, owner: Owner, place: Place, run: Pin<Box<F>>) -> Run<T>
    where
        T: Send + 'static,
        F: Future<Output = Run<T>> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        self.add(owner, Box::new(Long { run, answer: Some(answer), place: Some(place) }));
        let _left = Left { turns: self, owner };
        // Without an answer only when the run has panicked: a mistake in the host.
        answered.await.unwrap_or_else(|_| Run::without_start(Failure::Internal("a run panicked".to_owned())))
    }
}

/// One poll of a future that nothing will wake: a run waits for nothing but its turns.
pub(crate) fn turn<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

struct Long<T, F> {
    run: Pin<Box<F>>,
    /// Taken when it is given.
    answer: Option<oneshot::Sender<Run<T>>>,
    /// Until it is done.
    place: Option<Place>,
}

impl<T: Send, F: Future<Output = Run<T>> + Send> Job for Long<T, F> {
    fn turn(&mut self) -> Poll<()> {
        turn(self.run.as_mut()).map(|run| {
            // Who has the answer may begin the next one.
            self.place = None;
            if let Some(answer) = self.answer.take() {
                // Who no longer waits for it has dropped the run.
                let _ = answer.send(run);
            }
        })
    }

    fn is_wanted(&self) -> bool {
        self.answer.as_ref().is_some_and(|answer| !answer.is_closed())
    }
}

/// Takes a run away that nobody waits for any more.
struct Left<'a> {
    turns: &'a Turns,
    owner: Owner,
}

impl Drop for Left<'_> {
    fn drop(&mut self) {
        self.turns.sweep(self.owner);
    }
}
