//! What became of everything that was promised: the notes against the tables and against what Meta accepted.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use meta_sim::Accepted;
use sqlx::PgPool;
use uuid::Uuid;

use crate::book::{Contact, Notes};
use crate::repeats::{Repeat, repeats};

/// Of so many accepted messages one may be repeated without a status: of more the wait is to blame, or what it waits for.
const ACCEPTED_TO_ONE_UNHEARD: usize = 100;

impl Contact {
    /// Whether the message went from the tenant to this contact.
    fn is_of(&self, message: &Accepted) -> bool {
        self.phone_number_id == message.phone_number_id && self.wa_id == message.to
    }
}

/// What the tables say of an event of kind `message`.
#[derive(Debug, Clone)]
pub struct Event {
    /// Grows in the order in which a contact's events were stored.
    pub id: i64,
    /// Runs of the flow that count as the last word.
    pub final_runs: i64,
    /// Messages that the flow decided on.
    pub replies: Vec<Uuid>,
}

/// What the tables say, at rest.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    /// By Meta's id of the message: one each, unless a message was stored more than once.
    pub events: HashMap<String, Vec<Event>>,
    /// Outbound messages with their status.
    pub messages: HashMap<Uuid, String>,
}

impl Tables {
    /// Reads them.
    pub async fn read(pool: &PgPool) -> Result<Self> {
        let events: Vec<(i64, String, i64, Vec<Uuid>)> = sqlx::query_as(
            "select e.id, e.external_id, coalesce(r.final, 0), coalesce(m.replies, '{}')
             from events e
             left join (select tenant_id, event_id, count(*) as final from flow_runs
                        where result not in ('retry', 'canary-failed', 'paused') group by tenant_id, event_id) as r
                    on r.tenant_id = e.tenant_id and r.event_id = e.id
             left join (select tenant_id, event_id, array_agg(id) as replies from messages
                        where direction = 'OUT' and event_id is not null group by tenant_id, event_id) as m
                    on m.tenant_id = e.tenant_id and m.event_id = e.id
             where e.kind = 'message'",
        )
        .fetch_all(pool)
        .await
        .context("reading events")?;
        let messages: Vec<(Uuid, String)> =
            sqlx::query_as("select id, status::text from messages where direction = 'OUT'")
                .fetch_all(pool)
                .await
                .context("reading messages")?;
        let mut tables = Self { events: HashMap::new(), messages: messages.into_iter().collect() };
        for (id, external_id, final_runs, replies) in events {
            tables.events.entry(external_id).or_default().push(Event { id, final_runs, replies });
        }
        Ok(tables)
    }
}

/// The judgement. Each list says what happened, one sentence for each case.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Contacts' messages that were acknowledged.
    pub acknowledged: usize,
    /// Sends that were accepted.
    pub sends: usize,
    /// Messages that Meta accepted, each as often as it was.
    pub accepted: usize,
    /// Acknowledged messages whose flow has exactly one last word.
    pub handled: usize,
    /// Replies and sends that Meta accepted and whose last status came back.
    pub delivered: usize,
    /// Promised, and not there.
    pub lost: Vec<String>,
    /// There more than once, against the promise.
    pub repeated: Vec<String>,
    /// Accepted by Meta once more when the wait was over and nothing had been heard: the promise allows it.
    pub unheard: Vec<String>,
    /// Accepted by Meta, and neither the reply to a message that was acknowledged nor a send that was accepted.
    pub strange: Vec<String>,
    /// Out of a contact's order.
    pub disorder: Vec<String>,
    /// When Meta accepted the reply to each message, by Meta's id of the message.
    pub replies: HashMap<String, Instant>,
}

impl Verdict {
    /// Whether what was repeated without a status is as little as a fault can explain.
    pub fn is_mostly_heard(&self) -> bool {
        self.unheard.len() * ACCEPTED_TO_ONE_UNHEARD <= self.accepted
    }
}

/// Judges. `accepted` is everything that Meta accepted, in its order; `doubt` is how long a message must wait for a status
/// before it is sent again.
pub fn judge(notes: &Notes, tables: &Tables, accepted: &[Accepted], doubt: Duration) -> Verdict {
    let (acknowledged, sends) = (notes.written.len(), notes.sent.len());
    let mut verdict = Verdict { acknowledged, sends, accepted: accepted.len(), ..Verdict::default() };
    let mut times: HashMap<Uuid, Vec<&Accepted>> = HashMap::new();
    for message in accepted {
        match id_of(message) {
            Some(id) => times.entry(id).or_default().push(message),
            None => verdict.strange.push(format!("{} was sent without our id", message.wamid)),
        }
    }
    for (id, times) in &times {
        for repeat in repeats(times, doubt) {
            match repeat {
                Repeat::Fault(story) => verdict.repeated.push(format!("message {id} {story}")),
                Repeat::Unheard(story) => verdict.unheard.push(format!("message {id} {story}")),
            }
        }
    }
    // The one reply to each message with its turn; and all replies, also those that are one too many.
    let (mut replies, mut all_replies) = (HashMap::new(), HashSet::<Uuid>::new());
    for (external_id, written) in &notes.written {
        let Some(events) = tables.events.get(external_id) else {
            verdict.lost.push(format!("{external_id} was acknowledged and is not stored"));
            continue;
        };
        if events.len() > 1 {
            verdict.repeated.push(format!("{external_id} was stored {} times", events.len()));
        }
        match events.iter().map(|event| event.final_runs).sum::<i64>() {
            1 => verdict.handled += 1,
            0 => verdict.lost.push(format!("{external_id} was acknowledged and its flow never ran")),
            runs => verdict.repeated.push(format!("{external_id} was handled {runs} times")),
        }
        let decided: Vec<Uuid> = events.iter().flat_map(|event| &event.replies).copied().collect();
        all_replies.extend(&decided);
        match decided.as_slice() {
            [] => verdict.lost.push(format!("{external_id} has no reply")),
            [reply] => {
                replies.insert(*reply, written.turn);
                match times.get(reply).and_then(|times| times.first()) {
                    Some(first) if written.contact.is_of(first) => {
                        verdict.replies.insert(external_id.clone(), first.at);
                    }
                    Some(_) => verdict.lost.push(format!("the reply {reply} to {external_id} went to somebody else")),
                    None => verdict.lost.push(format!("the reply {reply} to {external_id} never reached Meta")),
                }
            }
            several => verdict.repeated.push(format!("{external_id} has {} replies", several.len())),
        }
    }
    for (id, sent) in &notes.sent {
        match times.get(id).and_then(|times| times.first()) {
            Some(first) if sent.contact.is_of(first) => {}
            Some(_) => verdict.lost.push(format!("the send {id} went to somebody else")),
            None => verdict.lost.push(format!("the send {id} was accepted and never reached Meta")),
        }
    }
    for (id, times) in &times {
        let is_known = all_replies.contains(id) || notes.sent.contains_key(id) || notes.apart.contains(id);
        if let Some(first) = times.first().filter(|_| !is_known) {
            let (text, to) = (first.text.as_deref().unwrap_or_default(), &first.to);
            verdict.strange.push(format!("message {id} ({text:?} to {to}) is no known reply and no known send"));
        }
    }
    verdict.repeated.extend(said_again(&all_replies, accepted));
    let promised = replies.keys().chain(notes.sent.keys());
    verdict.delivered = promised.filter(|id| tables.messages.get(id).is_some_and(|status| status == "read")).count();
    verdict.disorder = [stored(notes, tables), delivered(notes, &replies, accepted)].concat();
    verdict
}

/// Our id of a message.
fn id_of(message: &Accepted) -> Option<Uuid> {
    message.callback_data.as_deref()?.parse().ok()
}

/// Contacts who were told the same under several of our ids. Replies are left out: they all have the same words.
fn said_again(replies: &HashSet<Uuid>, accepted: &[Accepted]) -> Vec<String> {
    let mut said: HashMap<(&str, &str, &str), HashSet<Uuid>> = HashMap::new();
    for message in accepted {
        let (Some(id), Some(text)) = (id_of(message), message.text.as_deref()) else { continue };
        if !replies.contains(&id) {
            said.entry((&message.phone_number_id, &message.to, text)).or_default().insert(id);
        }
    }
    let again = said.iter().filter(|(_, ids)| ids.len() > 1);
    again.map(|((number, to, text), ids)| format!("{number} sent {text:?} to {to} as {} messages", ids.len())).collect()
}

/// Contacts whose messages were not stored in the order of their acknowledgements.
fn stored(notes: &Notes, tables: &Tables) -> Vec<String> {
    let mut contacts: BTreeMap<&Contact, Vec<(i64, u64)>> = BTreeMap::new();
    for (external_id, written) in &notes.written {
        // Where it was stored more than once the first counts: the repeat is counted elsewhere.
        if let Some(first) = tables.events.get(external_id).and_then(|events| events.iter().map(|one| one.id).min()) {
            contacts.entry(&written.contact).or_default().push((first, written.turn));
        }
    }
    let mut disorder = Vec::new();
    for (contact, mut turns) in contacts {
        turns.sort_unstable();
        let steps = turns.windows(2).filter(|pair| pair[0].1 >= pair[1].1);
        disorder
            .extend(steps.map(|pair| format!("{contact:?}: message {} was stored before {}", pair[0].1, pair[1].1)));
    }
    disorder
}

/// Contacts whom replies, or sends, reached out of order. A repeat, and what nobody knows, is counted elsewhere.
fn delivered(notes: &Notes, replies: &HashMap<Uuid, u64>, accepted: &[Accepted]) -> Vec<String> {
    let mut seen = HashSet::new();
    let mut last: HashMap<(&str, &str, &str), u64> = HashMap::new();
    let mut disorder = Vec::new();
    for message in accepted {
        let Some(id) = id_of(message) else { continue };
        let (what, turn) = match (replies.get(&id), notes.sent.get(&id)) {
            (Some(turn), _) => ("reply", *turn),
            (_, Some(sent)) => ("send", sent.turn),
            _ => continue,
        };
        if !seen.insert(id) {
            continue;
        }
        let before = last.insert((&message.phone_number_id, &message.to, what), turn);
        if let Some(before) = before.filter(|before| *before >= turn) {
            disorder.push(format!("{} of {}: {what} {turn} came after {before}", message.to, message.phone_number_id));
        }
    }
    disorder
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
