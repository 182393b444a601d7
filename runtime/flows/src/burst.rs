//! Bursts: messages that a contact sends in quick succession reach the flow as one event, by choice of the tenant.
//!
//! The event is the last message; those before it are in the context, as the attribute `burst`. They are recorded as
//! `joined`, and none of them is run. When the event is to be run again all of them stay in the lane.

use std::iter::Peekable;

use hoopoe_store::flow_work::Event;

use crate::attributes::group_of;

/// Most bytes of the messages before the last: the context is not to grow beyond what a message may have.
const LARGEST: usize = 256 << 10;

/// The next events that belong together, the last of which is the one to run; a single one for most.
pub(crate) fn next(events: &mut Peekable<impl Iterator<Item = Event>>) -> Option<(Vec<Event>, Event)> {
    let mut event = events.next()?;
    let (mut before, mut bytes): (Vec<Event>, usize) = (Vec::new(), 0);
    while let Some(next) = events.peek() {
        let first = before.first().unwrap_or(&event);
        bytes += event.raw.len();
        let is_near = next.received_at - first.received_at <= event.around.debounce;
        let are_messages = event.kind == "message" && next.kind == "message";
        let is_joined = !event.around.debounce.is_zero() && are_messages && is_near && bytes <= LARGEST;
        // What is said in a group is no part of what is said to the business alone.
        if !is_joined || next.conversation_id != event.conversation_id || group_of(next) != group_of(&event) {
            break;
        }
        let Some(next) = events.next() else { break };
        before.push(std::mem::replace(&mut event, next));
    }
    event.around.burst = before.iter().map(|event| event.raw.clone()).collect();
    Some((before, event))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::sample;

    #[test]
    fn what_is_said_in_a_group_is_apart() {
        let said = |raw: &str| {
            let mut event = sample("message", "whatsapp", raw);
            event.around.debounce = chrono::TimeDelta::seconds(5);
            event
        };
        let (alone, group) = (r#"{"type": "text"}"#, r#"{"type": "text", "group_id": "g"}"#);
        let mut events = [alone, alone, group, group, alone].map(said).into_iter().peekable();
        let bursts: Vec<usize> = std::iter::from_fn(|| next(&mut events)).map(|(before, _)| before.len() + 1).collect();
        assert_eq!(bursts, [2, 2, 1]);
    }
}
