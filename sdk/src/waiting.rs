//! Which timer of a dialog is the one that counts.
//!
//! A timer that has fired cannot be cancelled any more: it is an event behind the answer that it was to wait for. So
//! each timer of a [`Dialog`](crate::dialog::Dialog) carries the id of the event that set it, and beside the flow's
//! state is kept which of them is awaited. Any other comes too late, and the flow does not see it.

use crate::dialog::TIMER;
use crate::{Action, Event, FlowResult, NextState};

/// A state with a dialog's timer: the timer's payload stands before the second part, the flow's own state behind it.
/// Looked at as bytes, since every flow has this code in it, and most of them no dialog.
const BEGIN: &[u8] = br#"{"$dialog":""#;
const MIDDLE: &[u8] = br#"","state":"#;
const END: &[u8] = b"}";
/// Beginning of the payload of a dialog's timer.
const MARK: &str = "dialog:";

/// The payload of a timer that is set by the run of this event.
pub(crate) fn payload(event_id: &str) -> String {
    format!("{MARK}{event_id}")
}

/// The awaited timer's payload, and the flow's own state.
pub(crate) fn open(state: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let parts = || {
        let rest = state.strip_prefix(BEGIN)?.strip_suffix(END)?;
        let (awaited, own) = rest.split_at(rest.iter().position(|byte| *byte == b'"')?);
        Some((awaited, own.strip_prefix(MIDDLE)?))
    };
    parts().map_or((None, state), |(awaited, own)| (Some(awaited), own))
}

/// The flow's own state with the awaited timer beside it.
pub(crate) fn seal(awaited: Option<&[u8]>, own: Vec<u8>) -> Vec<u8> {
    match awaited {
        Some(awaited) => [BEGIN, awaited, MIDDLE, &own, END].concat(),
        None => own,
    }
}

/// Whether the event is a dialog's timer, but not the one that is awaited.
pub(crate) fn is_late(event: &Event, awaited: Option<&[u8]>) -> bool {
    let Event::Timer(timer) = event else { return false };
    timer.name == TIMER && timer.payload.starts_with(MARK) && awaited != Some(timer.payload.as_bytes())
}

/// Keep the awaited timer beside the state: the one that this run has set, else the one before, unless it was cancelled.
pub(crate) fn keep(result: FlowResult, awaited: Option<&[u8]>, own: Option<&[u8]>) -> FlowResult {
    let mut outcome = result?;
    let decided = outcome.actions.iter().rev().find_map(|action| match action {
        Action::Schedule(timer) if timer.name == TIMER => {
            Some(timer.payload.starts_with(MARK).then_some(&timer.payload))
        }
        Action::Cancel(name) if name == TIMER => Some(None),
        _ => None,
    });
    let next = decided.map_or(awaited, |set| set.map(String::as_bytes));
    outcome.state = match (outcome.state, own) {
        (NextState::Replace(state), _) => NextState::Replace(seal(next, state)),
        (NextState::Keep, Some(own)) if next != awaited => NextState::Replace(seal(next, own.to_vec())),
        (state, _) => state,
    };
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_opened_as_it_was_sealed() {
        for own in [r#"{"a":"}"}"#, "null", r#"{"state":1}"#, ""] {
            let sealed = seal(Some(b"dialog:7"), own.as_bytes().to_vec());
            assert_eq!(open(&sealed), (Some(b"dialog:7".as_slice()), own.as_bytes()));
            assert_eq!(open(own.as_bytes()), (None, own.as_bytes()));
            assert_eq!(seal(None, own.as_bytes().to_vec()), own.as_bytes());
        }
    }
}
