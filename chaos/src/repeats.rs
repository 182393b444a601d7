//! Messages that Meta accepted more than once: whether their sender could have known that it has them.
//!
//! In: the acceptances of one message, with the moments at which their first statuses were acknowledged. Out: for each but
//! the first, whether it breaks the promise.
//!
//! There is no grace. The 200 of a status follows its commit, and no claim behind that commit sends the message. So without
//! a mistake only a request that was on its way at the commit is accepted behind the 200. That takes milliseconds, but the
//! simulator cannot tell whether they were spent on the way or by a sender that did not look: such a repeat is a fault like
//! any other, and its story says how short the time was. The other way round a status that was committed counts as unheard
//! for as long as its 200 takes: where the answer was lost, until it is posted again.

use std::time::Duration;

use meta_sim::Accepted;

/// One acceptance too many, with its story.
#[derive(Debug)]
pub enum Repeat {
    /// A status had come, or the wait was not over.
    Fault(String),
    /// Nothing had been heard for as long as the wait.
    Unheard(String),
}

/// Judges the acceptances of one message, in their order. `doubt` is the wait for a status.
pub fn repeats(times: &[&Accepted], doubt: Duration) -> impl Iterator<Item = Repeat> {
    (1..times.len()).map(move |place| {
        let again = times[place].at;
        let apart = again.saturating_duration_since(times[place - 1].at);
        // Of any of the earlier ones: all carry our id.
        let heard = times[..place].iter().filter_map(|one| one.heard.get().copied()).min();
        let story = format!("was accepted by Meta again after {apart:.1?}");
        match heard {
            Some(heard) if heard <= again => {
                Repeat::Fault(format!("{story}; a status had been acknowledged {:.1?} before", again - heard))
            }
            _ if apart < doubt => Repeat::Fault(format!("{story}, sooner than the wait of {doubt:?}")),
            Some(heard) => {
                let late = heard - again;
                Repeat::Unheard(format!("{story}; the first status was acknowledged {late:.1?} after that"))
            }
            None => Repeat::Unheard(format!("{story}; no status of the earlier ones was acknowledged")),
        }
    })
}
