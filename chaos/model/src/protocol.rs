//! One delivery lane with its messages, two workers that may own it, and Meta.

mod steps;

use crate::explore::{Kind, Model};

pub use steps::Step;

/// Which protocol: the right one, or one with a mistake that the check must find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// As the runtime does it.
    Right,
    /// Who finishes sees that the lane is leased, but not to whom.
    NoFencing,
    /// A message that was being sent when its owner was lost is sent again at once.
    NoDoubt,
    /// A verdict is written down without a look at the lease.
    NoLeaseCheck,
    /// A lane is deleted when its owner saw no more work in it, although some was added since it looked.
    TouchIgnored,
    /// `sending` is not committed before the request goes out.
    SendBeforeCommit,
    /// A worker that was held up sends although its lease ran out meanwhile.
    SendAfterLease,
    /// A former owner's word that Meta accepted the message is thrown away, and statuses are ignored.
    AcceptanceForgotten,
}

impl Variant {
    /// All but the right one.
    pub const MISTAKES: [Variant; 7] = [
        Variant::NoFencing,
        Variant::NoDoubt,
        Variant::NoLeaseCheck,
        Variant::TouchIgnored,
        Variant::SendBeforeCommit,
        Variant::SendAfterLease,
        Variant::AcceptanceForgotten,
    ];
}

/// How large the world is.
#[derive(Debug, Clone, Copy)]
pub struct Protocol {
    /// What is done.
    pub variant: Variant,
    /// Messages of the lane, at most 3.
    pub messages: u8,
    /// Faults that may come, of whatever kind.
    pub faults: u8,
}

/// State of a message in the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Outbox {
    Queued,
    Sending,
    Unknown,
}

/// Whether and why nobody may claim the lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Until {
    /// It may be claimed.
    Ready,
    /// Somebody's lease runs.
    Leased,
    /// Its first message is in doubt.
    Doubt,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Lane {
    /// 0 when nobody owns it.
    token: u8,
    until: Until,
    /// How often work was added since its creation.
    touched: u8,
}

/// What an owner knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Lease {
    token: u8,
    /// How often work had been added when it looked.
    touched: u8,
    /// There was more than it took.
    more: bool,
    /// What it took.
    message: u8,
}

/// What a worker can say about its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Word {
    Sent,
    Refused,
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Worker {
    Idle,
    /// It owns the message and has sent nothing yet.
    Claimed(Lease),
    /// Its request is out.
    Waiting(Lease),
    /// It knows what to write down.
    Answered(Lease, Word),
}

/// A request between worker and Meta.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Request {
    worker: u8,
    message: u8,
}

/// All there is to know at a moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    // In Postgres.
    lane: Option<Lane>,
    outbox: Vec<(u8, Outbox)>,
    /// Messages of which it is recorded that Meta has them.
    recorded: u8,
    next_token: u8,
    // Processes.
    workers: [Worker; 2],
    // Outside.
    to_add: u8,
    /// On their way to Meta; sorted.
    requests: Vec<Request>,
    /// Messages in the order in which Meta accepted them.
    accepted: Vec<u8>,
    /// Statuses on their way: a bit for each message.
    statuses: u8,
    /// Messages of which a status was lost for good.
    withheld: u8,
    faults: u8,
}

fn bit(message: u8) -> u8 {
    1 << message
}

impl State {
    fn has_recorded(&self, message: u8) -> bool {
        self.recorded & bit(message) != 0
    }

    /// Whether this token is that of the lane's present lease.
    fn owns(&self, token: u8) -> bool {
        self.lane.as_ref().is_some_and(|lane| lane.token == token)
    }

    /// What an owner leaves behind: the lane is deleted when nothing is left in it, else it waits, without an owner.
    fn close(&mut self, variant: Variant, lease: Lease, again: Option<Until>) {
        let Some(lane) = &mut self.lane else { return };
        let untouched = lane.touched == lease.touched || variant == Variant::TouchIgnored;
        if again.is_none() && !lease.more && untouched {
            self.lane = None;
        } else {
            lane.token = 0;
            lane.until = again.unwrap_or(Until::Ready);
        }
    }
}

impl Model for Protocol {
    type State = State;
    type Step = Step;

    fn start(&self) -> State {
        State {
            lane: None,
            outbox: Vec::new(),
            recorded: 0,
            next_token: 1,
            workers: [Worker::Idle; 2],
            to_add: self.messages,
            requests: Vec::new(),
            accepted: Vec::new(),
            statuses: 0,
            withheld: 0,
            faults: self.faults,
        }
    }

    fn steps(&self, state: &State) -> Vec<(Kind, Step, State)> {
        steps::all(self, state)
    }

    fn check(&self, state: &State) -> Result<(), &'static str> {
        let mut first = Vec::new();
        for (place, message) in state.accepted.iter().enumerate() {
            if !state.accepted[..place].contains(message) {
                first.push(*message);
            } else if state.withheld & bit(*message) == 0 {
                return Err("nothing is accepted twice unless a status was withheld");
            }
        }
        if !first.is_sorted() {
            return Err("messages reach Meta in order");
        }
        if !state.outbox.is_empty() && state.lane.is_none() {
            return Err("no work is without a lane");
        }
        if (0..self.messages).any(|message| state.has_recorded(message) && !state.accepted.contains(&message)) {
            return Err("nothing is recorded as sent that Meta does not have");
        }
        Ok(())
    }

    fn check_step(&self, before: &State, step: &Step, after: &State) -> Result<(), &'static str> {
        if let Step::Settle { worker } | Step::SettleUnheard { worker } = step
            && let Worker::Answered(lease, _) = before.workers[usize::from(*worker)]
            && !before.owns(lease.token)
            && (&before.lane, &before.outbox) != (&after.lane, &after.outbox)
        {
            return Err("a former owner changes nothing");
        }
        Ok(())
    }

    fn is_settled(&self, state: &State) -> bool {
        state.to_add == 0
            && state.outbox.is_empty()
            && state.lane.is_none()
            && state.requests.is_empty()
            && (0..self.messages).all(|message| state.has_recorded(message) && state.accepted.contains(&message))
    }
}
