//! The load: contacts that write, as Meta tells it, and an integrator that sends.
//!
//! Both are persistent, as their originals are: what was not acknowledged is posted again, unchanged, until it is; a
//! send carries an idempotency key and is made again under it. Now and then both repeat what was acknowledged.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hoopoe_testing::{Client, Tenant};
use meta_sim::{Inbound, Sim};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::book::{Book, Contact, Sent, Written};

/// People who write at the same time, each to two tenants.
pub const PEOPLE: usize = 40;
/// A person's pause between two turns.
const PAUSE: Duration = Duration::from_millis(200);
/// The longest pause before something is posted again.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// Afterwards what was never acknowledged is given up: the runtime does not recover.
const PATIENCE: Duration = Duration::from_secs(60);
/// Tries that are told of what was given up.
const TRIES_TOLD: usize = 4;

/// The WhatsApp id of the person with this number, below [`PEOPLE`].
pub fn wa_id(person: usize) -> String {
    format!("1555{person:07}")
}

/// People at work.
pub struct Load {
    stop: CancellationToken,
    people: JoinSet<()>,
}

impl Load {
    /// Starts them. Webhooks and sends go to `api`.
    pub fn start(sim: &Arc<Sim>, api: &Client, tenants: &[Tenant], book: &Arc<Book>) -> Self {
        let stop = CancellationToken::new();
        let mut people = JoinSet::new();
        for number in 0..PEOPLE {
            let tenants = [0, 1].map(|offset| tenants[(number + offset) % tenants.len()].clone());
            let person = Person {
                wa_id: wa_id(number),
                tenants,
                sim: sim.clone(),
                api: api.clone(),
                book: book.clone(),
                stop: stop.clone(),
            };
            people.spawn(async move { person.live(number).await });
        }
        Self { stop, people }
    }

    /// Lets everybody finish what they began: nothing stays without an answer.
    pub async fn finish(mut self) {
        self.stop.cancel();
        while self.people.join_next().await.is_some() {}
    }
}

struct Person {
    wa_id: String,
    tenants: [Tenant; 2],
    sim: Arc<Sim>,
    api: Client,
    book: Arc<Book>,
    stop: CancellationToken,
}

impl Person {
    async fn live(&self, number: usize) {
        // Not all in the same moment.
        let mut pause = PAUSE.mul_f64((number % 10) as f64 / 10.0);
        for turn in 0.. {
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(pause) => pause = PAUSE,
            }
            self.write(turn).await;
            if turn.is_multiple_of(3) {
                for tenant in &self.tenants {
                    self.send(tenant, turn).await;
                }
            }
        }
    }

    fn contact(&self, tenant: &Tenant) -> Contact {
        Contact { phone_number_id: tenant.phone_number_id.clone(), wa_id: self.wa_id.clone() }
    }

    /// One webhook with a message to each tenant.
    async fn write(&self, turn: u64) {
        let text = |tenant: &Tenant| Inbound::text(&tenant.phone_number_id, &self.wa_id, &format!("message {turn}"));
        let messages: Vec<Inbound> = self.tenants.iter().map(text).collect();
        let mut persistence = Persistence::new();
        loop {
            let begun = Instant::now();
            let answer = self.sim.receive_batch(messages.clone()).await;
            self.book.answered("webhook", answer.status);
            if answer.is_acknowledged() {
                let acknowledged = Instant::now();
                let mut notes = self.book.open();
                for (message, tenant) in messages.iter().zip(&self.tenants) {
                    let written = Written { contact: self.contact(tenant), turn, begun, acknowledged };
                    notes.written.insert(message.id.clone(), written);
                }
                break;
            }
            if answer.status != 0 && answer.status != 503 {
                self.book.open().odd.push(format!("a webhook was answered {}: {}", answer.status, answer.body));
            }
            if !persistence.again(begun, answer.status, &answer.body).await {
                self.book.open().unanswered.push(persistence.story("a webhook"));
                return;
            }
        }
        if turn.is_multiple_of(5) {
            // Meta repeats what was acknowledged, too.
            let answer = self.sim.receive_batch(messages).await;
            self.book.answered("repeated webhook", answer.status);
        }
    }

    /// One send, and now and then the same once more.
    async fn send(&self, tenant: &Tenant, turn: u64) {
        let key = format!("chaos:{}:{turn}", self.wa_id);
        let body = json!({ "to": self.wa_id, "text": format!("send {turn}"), "idempotency_key": key });
        let mut persistence = Persistence::new();
        let id = loop {
            let begun = Instant::now();
            let (status, answer) = self.post(tenant, &body).await;
            self.book.answered("send", status);
            let id = match status {
                202 => id_at(&answer, "/id"),
                // The answer to an earlier attempt was lost.
                409 => id_at(&answer, "/details/messageId"),
                _ => None,
            };
            if let Some(id) = id {
                break id;
            }
            if status != 0 && status != 503 {
                self.book.open().odd.push(format!("a send was answered {status}: {answer}"));
            }
            if !persistence.again(begun, status, &answer.to_string()).await {
                self.book.open().unanswered.push(persistence.story("a send"));
                return;
            }
        };
        self.book.open().sent.insert(id, Sent { contact: self.contact(tenant), turn });
        if turn.is_multiple_of(2) {
            let (status, answer) = self.post(tenant, &body).await;
            self.book.answered("repeated send", status);
            let same = status == 409 && id_at(&answer, "/details/messageId") == Some(id);
            if !same && status != 0 && status != 503 {
                self.book.open().odd.push(format!("a repeated send of {id} was answered {status}: {answer}"));
            }
        }
    }

    /// Status and body; 0 when there was no answer.
    async fn post(&self, tenant: &Tenant, body: &Value) -> (u16, Value) {
        let request = self.api.request(Method::POST, &format!("/tenants/{}/send", tenant.id), &tenant.key);
        let answer = match request.json(body).send().await {
            Ok(answer) => answer,
            Err(error) => return (0, Value::String(format!("{error:?}"))),
        };
        let status = answer.status().as_u16();
        // An answer that breaks off is none.
        match answer.text().await {
            Ok(text) => (status, serde_json::from_str(&text).unwrap_or(Value::String(text))),
            Err(_) => (0, Value::Null),
        }
    }
}

fn id_at(answer: &Value, pointer: &str) -> Option<Uuid> {
    answer.pointer(pointer)?.as_str()?.parse().ok()
}

/// Growing pauses, up to the end of patience.
struct Persistence {
    since: Instant,
    pause: Duration,
    /// The last ones: how long each took, and how it ended.
    tries: VecDeque<String>,
}

impl Persistence {
    fn new() -> Self {
        Self { since: Instant::now(), pause: Duration::from_millis(50), tries: VecDeque::new() }
    }

    /// After a try: waits before the next one; false when there shall be none.
    async fn again(&mut self, begun: Instant, status: u16, answer: &str) -> bool {
        if self.tries.len() == TRIES_TOLD {
            self.tries.pop_front();
        }
        self.tries.push_back(format!("{status} after {:.1} s ({answer})", begun.elapsed().as_secs_f64()));
        tokio::time::sleep(self.pause).await;
        self.pause = LONGEST_PAUSE.min(self.pause * 2);
        self.since.elapsed() < PATIENCE
    }

    fn story(&self, what: &str) -> String {
        let tries: Vec<&str> = self.tries.iter().map(String::as_str).collect();
        format!("{what} was given up; its last answers: {}", tries.join(", "))
    }
}
