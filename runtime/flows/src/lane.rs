//! What earlier events of one claim have changed for the later ones; it is committed with them.

use std::collections::{HashMap, HashSet};

use hoopoe_store::flow_work::{Event, Handled, NextState, State};
use hoopoe_store::timers::TimerChange;
use uuid::Uuid;

/// A contact has one conversation per channel, and one set of tags.
#[derive(Default)]
pub(crate) struct Lane {
    states: HashMap<Uuid, Option<State>>,
    handed_off: HashSet<Uuid>,
    /// What was set and cancelled, by conversation, in order.
    timers: HashMap<Uuid, Vec<TimerChange>>,
    tags: Option<Vec<String>>,
}

impl Lane {
    /// The event as it is after those before it.
    pub(crate) fn catch_up(&self, event: &mut Event) {
        if let Some(state) = self.states.get(&event.conversation_id) {
            event.around.state = state.clone();
        }
        if let Some(tags) = &self.tags {
            event.around.tags = tags.clone();
        }
        event.around.handed_off |= self.handed_off.contains(&event.conversation_id);
    }

    /// The changes of a conversation's timers that are not committed yet.
    pub(crate) fn timers(&self, conversation_id: Uuid) -> &[TimerChange] {
        self.timers.get(&conversation_id).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn note(&mut self, handled: &Handled) {
        if let NextState::Set(state) = &handled.state {
            self.states.insert(handled.event.conversation_id, state.clone());
        }
        if !handled.timers.is_empty() {
            let timers = self.timers.entry(handled.event.conversation_id).or_default();
            timers.extend(handled.timers.iter().cloned());
        }
        if handled.tags.is_some() {
            self.tags = handled.tags.clone();
        }
        if handled.hand_off.is_some() {
            self.handed_off.insert(handled.event.conversation_id);
        }
    }
}
