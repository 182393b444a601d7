//! What can happen next.

mod changes;

use super::{Lane, Outbox, Protocol, Request, State, Until, Variant, Word, Worker, bit};
use crate::explore::Kind::{self, Fault, Progress};

/// What happens. Workers have the numbers 0 and 1, messages count from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A message is queued, with its lane, in one transaction; it waits for a claim.
    Add,
    /// A message is queued, and its new lane belongs to the worker from birth: `sending` and the lease are committed
    /// with it.
    AddOwned {
        /// Whose.
        worker: u8,
    },
    /// The same, and its worker does not hear of the commit.
    AddOwnedUnheard,
    /// A worker claims the lane: `sending`, the lease and its token are committed. Or, when the first message is found
    /// accepted, it is taken out; when its owner was lost, it is put in doubt.
    Claim {
        /// Who.
        worker: u8,
    },
    /// The claim is committed, and nobody hears of it.
    ClaimUnheard,
    /// The request goes out.
    Send {
        /// Who.
        worker: u8,
    },
    /// A worker that sees that its lease is over lets go.
    LetGo {
        /// Who.
        worker: u8,
    },
    /// Meta accepts the message; its answer is on the way if the sender still waits.
    Accept {
        /// Which.
        message: u8,
    },
    /// Meta accepts the message, and the answer is lost.
    AcceptUnheard {
        /// Which.
        message: u8,
    },
    /// Meta surely does not take it.
    Refuse {
        /// Which.
        message: u8,
    },
    /// The request is lost on the way.
    LoseRequest {
        /// Which.
        message: u8,
    },
    /// A worker stops waiting although the request is still on its way.
    GiveUpWaiting {
        /// Who.
        worker: u8,
    },
    /// A worker writes its verdict down.
    Settle {
        /// Who.
        worker: u8,
    },
    /// The verdict is committed, and the worker does not hear of it: it will write it down again.
    SettleUnheard {
        /// Who.
        worker: u8,
    },
    /// A process dies.
    Crash {
        /// Who.
        worker: u8,
    },
    /// The lease runs out.
    LeaseEnds,
    /// The wait for a status is over.
    DoubtEnds,
    /// A status comes.
    Status {
        /// Of which message.
        message: u8,
    },
    /// A status is lost for good.
    WithholdStatus {
        /// Of which message.
        message: u8,
    },
}

/// The steps that are possible, and what comes of each.
pub(super) fn all(protocol: &Protocol, state: &State) -> Vec<(Kind, Step, State)> {
    let mut steps = Steps { variant: protocol.variant, state, found: Vec::new() };
    steps.queue(protocol.messages);
    for worker in [0, 1] {
        steps.worker(worker);
    }
    steps.outside();
    steps.time();
    steps.found
}

struct Steps<'a> {
    variant: Variant,
    state: &'a State,
    found: Vec<(Kind, Step, State)>,
}

impl Steps<'_> {
    fn add(&mut self, kind: Kind, step: Step, change: impl FnOnce(&mut State)) {
        let mut next = self.state.clone();
        if kind == Fault {
            let Some(left) = next.faults.checked_sub(1) else { return };
            next.faults = left;
        }
        change(&mut next);
        self.found.push((kind, step, next));
    }

    fn queue(&mut self, messages: u8) {
        if self.state.to_add == 0 {
            return;
        }
        let message = messages - self.state.to_add;
        self.add(Progress, Step::Add, |next| {
            next.to_add -= 1;
            next.outbox.push((message, Outbox::Queued));
            match &mut next.lane {
                Some(lane) => lane.touched += 1,
                None => next.lane = Some(Lane { token: 0, until: Until::Ready, touched: 0 }),
            }
        });
        if self.state.lane.is_some() {
            return;
        }
        let variant = self.variant;
        let born = |next: &mut State| {
            next.to_add -= 1;
            next.outbox.push((message, Outbox::Queued));
            next.lane = Some(Lane { token: 0, until: Until::Ready, touched: 0 });
            next.take(variant, message)
        };
        for worker in [0, 1] {
            if self.state.workers[usize::from(worker)] == Worker::Idle {
                self.add(Progress, Step::AddOwned { worker }, |next| {
                    next.workers[usize::from(worker)] = Worker::Claimed(born(next));
                });
            }
        }
        self.add(Fault, Step::AddOwnedUnheard, |next| {
            born(next);
        });
    }

    fn worker(&mut self, worker: u8) {
        let place = usize::from(worker);
        let variant = self.variant;
        match self.state.workers[place] {
            Worker::Idle => {
                self.claim(worker);
                return;
            }
            Worker::Claimed(lease) => {
                if !self.state.lease_runs(lease.token) && variant != Variant::SendAfterLease {
                    self.add(Progress, Step::LetGo { worker }, |next| next.workers[place] = Worker::Idle);
                } else {
                    self.add(Progress, Step::Send { worker }, |next| {
                        next.workers[place] = Worker::Waiting(lease);
                        next.requests.push(Request { worker, message: lease.message });
                        next.requests.sort_unstable();
                    });
                }
            }
            Worker::Waiting(lease) => {
                if self.state.requests.contains(&Request { worker, message: lease.message }) {
                    self.add(Fault, Step::GiveUpWaiting { worker }, |next| {
                        next.workers[place] = Worker::Answered(lease, Word::Unknown);
                    });
                }
            }
            Worker::Answered(..) => {
                self.add(Progress, Step::Settle { worker }, |next| next.settle(worker, variant, true));
                self.add(Fault, Step::SettleUnheard { worker }, |next| next.settle(worker, variant, false));
            }
        }
        self.add(Fault, Step::Crash { worker }, |next| next.workers[place] = Worker::Idle);
    }

    fn claim(&mut self, worker: u8) {
        let Some(Lane { until: Until::Ready, .. }) = self.state.lane else { return };
        let place = usize::from(worker);
        let variant = self.variant;
        match self.state.outbox.first().copied() {
            // Nothing is left: the claim only takes the lane away.
            None => self.add(Progress, Step::Claim { worker }, |next| {
                let lease = next.lease(u8::MAX);
                next.close(variant, lease, None);
            }),
            Some((message, _)) if self.state.has_recorded(message) && variant != Variant::AcceptanceForgotten => {
                self.add(Progress, Step::Claim { worker }, |next| {
                    let lease = next.lease(message);
                    next.outbox.remove(0);
                    next.close(variant, lease, None);
                });
            }
            Some((message, Outbox::Sending)) if variant != Variant::NoDoubt => {
                self.add(Progress, Step::Claim { worker }, |next| {
                    let lease = next.lease(message);
                    next.outbox[0].1 = Outbox::Unknown;
                    next.close(variant, lease, Some(Until::Doubt));
                });
            }
            Some((message, _)) => {
                self.add(Progress, Step::Claim { worker }, |next| {
                    next.workers[place] = Worker::Claimed(next.take(variant, message));
                });
                // Which worker it was makes no difference.
                if worker == 0 {
                    self.add(Fault, Step::ClaimUnheard, |next| {
                        next.take(variant, message);
                    });
                }
            }
        }
    }

    /// Meta and the wires to it.
    fn outside(&mut self) {
        for request in self.state.requests.clone() {
            let message = request.message;
            self.add(Progress, Step::Accept { message }, |next| next.accept(request, Word::Sent));
            self.add(Fault, Step::AcceptUnheard { message }, |next| next.accept(request, Word::Unknown));
            self.add(Fault, Step::Refuse { message }, |next| next.answer(request, Word::Refused));
            self.add(Fault, Step::LoseRequest { message }, |next| next.answer(request, Word::Unknown));
        }
        for message in (0..8).filter(|message| self.state.statuses & bit(*message) != 0) {
            let variant = self.variant;
            self.add(Progress, Step::Status { message }, |next| next.status(message, variant));
            self.add(Fault, Step::WithholdStatus { message }, |next| {
                next.statuses &= !bit(message);
                next.withheld |= bit(message);
            });
        }
    }

    fn time(&mut self) {
        let Some(lane) = &self.state.lane else { return };
        let first = self.state.outbox.first().map(|(message, _)| *message);
        match lane.until {
            Until::Ready => {}
            Until::Leased => {
                // While its owner lives this takes an owner that is far too slow.
                let owned = (0..2).any(|worker| self.state.is_owner(worker, lane.token));
                let kind = if owned { Fault } else { Progress };
                self.add(kind, Step::LeaseEnds, |next| next.open());
            }
            Until::Doubt => {
                // What could still tell, or still arrive, has had its time.
                let open = first.is_some_and(|first| {
                    self.state.statuses & bit(first) != 0
                        || self.state.requests.iter().any(|request| request.message == first)
                });
                if !open {
                    self.add(Progress, Step::DoubtEnds, |next| next.open());
                }
            }
        }
    }
}
