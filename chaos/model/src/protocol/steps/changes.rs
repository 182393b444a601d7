//! What steps change.

use crate::protocol::{Lease, Outbox, Request, State, Until, Variant, Word, Worker, bit};

impl State {
    /// Draws a token for the lane, which is there.
    pub(super) fn lease(&mut self, message: u8) -> Lease {
        let token = self.next_token;
        self.next_token += 1;
        let touched = self.lane.as_mut().map_or(0, |lane| {
            (lane.token, lane.until) = (token, Until::Leased);
            lane.touched
        });
        Lease { token, touched, more: self.outbox.len() > 1, message }
    }

    /// The first message, to be sent now.
    pub(super) fn take(&mut self, variant: Variant, message: u8) -> Lease {
        if variant != Variant::SendBeforeCommit {
            self.put_back(message, Outbox::Sending);
        }
        self.lease(message)
    }

    fn put_back(&mut self, message: u8, outbox: Outbox) {
        if let Some(entry) = self.outbox.iter_mut().find(|(queued, _)| *queued == message) {
            entry.1 = outbox;
        }
    }

    pub(super) fn open(&mut self) {
        if let Some(lane) = &mut self.lane {
            lane.until = Until::Ready;
        }
    }

    pub(super) fn lease_runs(&self, token: u8) -> bool {
        self.lane.as_ref().is_some_and(|lane| lane.token == token && lane.until == Until::Leased)
    }

    pub(super) fn is_owner(&self, worker: u8, token: u8) -> bool {
        match self.workers[usize::from(worker)] {
            Worker::Claimed(lease) | Worker::Waiting(lease) | Worker::Answered(lease, _) => lease.token == token,
            Worker::Idle => false,
        }
    }

    pub(super) fn accept(&mut self, request: Request, word: Word) {
        self.accepted.push(request.message);
        self.statuses |= bit(request.message);
        self.answer(request, word);
    }

    /// The request is over; who still waits for it learns `word`.
    pub(super) fn answer(&mut self, request: Request, word: Word) {
        if let Some(place) = self.requests.iter().position(|one| *one == request) {
            self.requests.remove(place);
        }
        let worker = &mut self.workers[usize::from(request.worker)];
        if let Worker::Waiting(lease) = *worker
            && lease.message == request.message
        {
            *worker = Worker::Answered(lease, word);
        }
    }

    pub(super) fn status(&mut self, message: u8, variant: Variant) {
        self.statuses &= !bit(message);
        if variant == Variant::AcceptanceForgotten {
            return;
        }
        self.recorded |= bit(message);
        let in_doubt = self.outbox.first() == Some(&(message, Outbox::Unknown));
        if in_doubt && self.lane.as_ref().is_some_and(|lane| lane.until == Until::Doubt) {
            self.open();
        }
    }

    pub(super) fn settle(&mut self, worker: u8, variant: Variant, heard: bool) {
        let place = usize::from(worker);
        let Worker::Answered(lease, word) = self.workers[place] else { return };
        let message = lease.message;
        if heard {
            self.workers[place] = Worker::Idle;
        }
        let owned = match variant {
            Variant::NoLeaseCheck => self.lane.is_some(),
            Variant::NoFencing => self.lane.as_ref().is_some_and(|lane| lane.until == Until::Leased),
            _ => self.owns(lease.token),
        };
        if word == Word::Sent && (owned || variant != Variant::AcceptanceForgotten) {
            self.recorded |= bit(message);
        }
        if !owned {
            return;
        }
        match word {
            Word::Sent => {
                self.outbox.retain(|(queued, _)| *queued != message);
                self.close(variant, lease, None);
            }
            Word::Refused => {
                self.put_back(message, Outbox::Queued);
                self.close(variant, lease, Some(Until::Ready));
            }
            Word::Unknown => {
                self.put_back(message, Outbox::Unknown);
                // A status may have been faster than the answer.
                let until = if self.has_recorded(message) { Until::Ready } else { Until::Doubt };
                self.close(variant, lease, Some(until));
            }
        }
    }
}
