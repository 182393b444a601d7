//! Ways in which the simulated Meta fails, and the script of which send meets which.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

/// What happens to a send in place of a good answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Refused with an error of the Graph API. [`Fault::code`] knows the HTTP statuses.
    GraphError {
        /// HTTP status.
        http_status: u16,
        /// Meta's code.
        code: i64,
        /// Meta's words.
        title: String,
    },
    /// Refused with an error of the Graph API that has a subcode.
    Subcode {
        /// HTTP status.
        http_status: u16,
        /// Meta's code.
        code: i64,
        /// Meta's subcode.
        subcode: i64,
        /// Meta's words.
        title: String,
    },
    /// Refused with this HTTP status and a page of HTML, as a proxy before Meta does.
    ServerError(u16),
    /// Refused with 429 and no error of Meta.
    TooManyRequests,
    /// Never answered and not accepted; the connection is reset after this time.
    Hang(Duration),
    /// ACCEPTED, statuses follow; the connection is reset in place of the answer.
    ResetAfterBody,
    /// Not accepted; the connection is reset in place of the answer.
    ResetAfterBodyLost,
    /// ACCEPTED, statuses follow; the good answer comes only after this time.
    AcceptThenHang(Duration),
    /// ACCEPTED, statuses follow; the answer is 200 with a body that is not JSON.
    Garbage200,
    /// ACCEPTED and answered well; the only status that follows is `failed` with this error.
    AcceptThenFail {
        /// Meta's code.
        code: i64,
        /// Meta's words.
        title: String,
    },
}

impl Fault {
    /// An error of the Graph API with the HTTP status and title that Meta documents for the code.
    pub fn code(code: i64) -> Fault {
        let (http_status, title) = match code {
            0 => (401, "AuthException"),
            1 => (400, "API Unknown"),
            2 => (503, "API Service"),
            3 => (500, "API Method"),
            4 => (400, "API Too Many Calls"),
            10 => (403, "Permission Denied"),
            100 => (400, "Invalid parameter"),
            190 => (401, "Access token has expired"),
            200..=299 => (403, "API Permission"),
            368 => (403, "Temporarily blocked for policies violations"),
            613 => (400, "Calls to this API have exceeded the rate limit"),
            80007 => (400, "Rate limit issues"),
            130429 => (429, "Rate limit hit"),
            131000 => (500, "Something went wrong"),
            131008 => (400, "Required parameter is missing"),
            131009 => (400, "Parameter value is not valid"),
            131016 => (500, "Service unavailable"),
            131026 => (400, "Message undeliverable"),
            131031 => (403, "Account has been locked"),
            131042 => (400, "Business eligibility payment issue"),
            131045 => (500, "Incorrect certificate"),
            131047 => (400, "Re-engagement message"),
            131048 => (400, "Spam rate limit hit"),
            131049 => (400, "This message was not delivered to maintain healthy ecosystem engagement"),
            131050 => (400, "User has opted out of marketing messages"),
            131051 => (400, "Unsupported message type"),
            131053 => (400, "Media upload error"),
            131056 => (400, "(Business Account, Consumer Account) pair rate limit hit"),
            131057 => (500, "Account in maintenance mode"),
            131062 => (400, "Business-scoped user id is not valid for this message"),
            132000 => (400, "Template param count mismatch"),
            132001 => (404, "Template does not exist"),
            132005 => (400, "Template hydrated text too long"),
            132007 => (400, "Template format character policy violated"),
            132008 => (400, "Template parameter value is missing"),
            132012 => (400, "Template parameter format mismatch"),
            132015 => (400, "Template is paused"),
            132016 => (400, "Template is disabled"),
            _ => (400, "Error"),
        };
        Fault::GraphError { http_status, code, title: title.to_owned() }
    }
}

/// Which sends fail: first those to a certain recipient, then the next ones of all.
#[derive(Default)]
pub(crate) struct Script {
    next: VecDeque<(Fault, u32)>,
    to: HashMap<String, VecDeque<(Fault, u32)>>,
}

impl Script {
    pub(crate) fn push(&mut self, to: Option<&str>, fault: Fault, times: u32) {
        if times > 0 {
            let queue = match to {
                Some(to) => self.to.entry(to.to_owned()).or_default(),
                None => &mut self.next,
            };
            queue.push_back((fault, times));
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Script::default();
    }

    /// The fault that this send meets, if any; it is used up by that.
    pub(crate) fn take(&mut self, to: &str) -> Option<Fault> {
        self.to.get_mut(to).and_then(pop).or_else(|| pop(&mut self.next))
    }
}

impl Script {
    /// The fault of a call that is no send, by its name.
    pub(crate) fn take_for(&mut self, name: &str) -> Option<Fault> {
        self.to.get_mut(name).and_then(pop)
    }
}

fn pop(queue: &mut VecDeque<(Fault, u32)>) -> Option<Fault> {
    let (fault, times) = queue.front_mut()?;
    let fault = fault.clone();
    *times -= 1;
    if *times == 0 {
        queue.pop_front();
    }
    Some(fault)
}
