//! A database with a tenant, and processes on it.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use hoopoe_secrets::Sealed;
use hoopoe_store::ambient::Ambient;
use hoopoe_store::contacts::{Party, Profile};
use hoopoe_store::flow_work::{Advance, Event, Handled, NextState, RunRecord, Work};
use hoopoe_store::group::{GroupCommit, Sizes};
use hoopoe_store::identity::Renamed;
use hoopoe_store::journal::{Arrival, Inbound, Item, Kept};
use hoopoe_store::lanes::Births;
use hoopoe_store::outbound::Outbound;
use hoopoe_store::tenants::Registration;
use hoopoe_store::{Settings, Store};
use hoopoe_telemetry::metrics::labels::Writer;
use hoopoe_testing::Database;
use uuid::Uuid;

/// A tenant's number on a database of the test's own. All processes share a clock that stands.
pub struct Ground {
    pub db: Database,
    pub ambient: Ambient,
    pub tenant_id: Uuid,
    pub channel_id: Uuid,
}

impl Ground {
    pub async fn new() -> Self {
        let db = Database::create().await;
        let ambient = Ambient::manual(DateTime::from_timestamp(1_767_225_600, 0).unwrap(), 1);
        let store = process(&db.url, &ambient);
        let registration = Registration {
            tenant_id: ambient.id(),
            name: "Acme".to_owned(),
            phone_number_id: "106540352242922".to_owned(),
            waba_id: None,
            token: Sealed { key_id: "k".to_owned(), bytes: vec![1; 40] },
            key_prefix: "hoopoe_test".to_owned(),
            key_sha256: [7; 32],
        };
        let tenant = store.register(&registration).await.unwrap();
        store.close().await;
        Self { db, ambient, tenant_id: tenant.id, channel_id: tenant.channels[0].id }
    }

    /// A store as a process of its own has it: its own connections, its own memory.
    pub fn process(&self) -> Store {
        process(&self.db.url, &self.ambient)
    }

    /// A process that reaches the database by this address.
    pub fn process_by(&self, url: &str) -> Store {
        process(url, &self.ambient)
    }

    /// A contact.
    pub fn party(&self, wa_id: &str) -> Party {
        let (tenant_id, channel_id) = (self.tenant_id, self.channel_id);
        Party { tenant_id, channel_id, wa_id: Some(wa_id.to_owned()), user_id: None }
    }

    /// A text of a contact.
    pub fn message(&self, wa_id: &str, id: &str) -> Arc<Arrival> {
        self.message_with(wa_id, id, r#"{"type": "text"}"#)
    }

    /// A text of a contact that came as this JSON.
    pub fn message_with(&self, wa_id: &str, id: &str, raw: &str) -> Arc<Arrival> {
        let item = Item { raw: raw.to_owned(), ..self.item("message", id) };
        self.inbound(Inbound { item, ..self.text(self.party(wa_id)) })
    }

    /// A text of somebody who is known by these ids.
    pub fn message_of(&self, party: Party, id: &str) -> Arc<Arrival> {
        self.inbound(Inbound { item: self.item("message", id), ..self.text(party) })
    }

    /// A text of a contact that was sent at this moment.
    pub fn message_at(&self, wa_id: &str, id: &str, at: DateTime<Utc>) -> Arc<Arrival> {
        let item = Item { occurred_at: at, ..self.item("message", id) };
        self.inbound(Inbound { item, ..self.text(self.party(wa_id)) })
    }

    /// A system message that tells of new ids.
    pub fn system(&self, party: Party, id: &str, renamed: Renamed) -> Arc<Arrival> {
        let (item, kind) = (self.item("message", id), "system".to_owned());
        self.inbound(Inbound { item, kind, renamed: Some(renamed), ..self.text(party) })
    }

    /// An item that happens and comes now.
    pub fn item(&self, kind: &str, id: &str) -> Item {
        let now = self.ambient.now();
        Item {
            tenant_id: self.tenant_id,
            channel_id: self.channel_id,
            kind: kind.to_owned(),
            external_id: id.to_owned(),
            raw: r#"{"type": "text"}"#.to_owned(),
            note: None,
            occurred_at: now,
            received_at: now,
            trace: None,
        }
    }

    /// A text of this party, without an id of its own.
    pub fn text(&self, party: Party) -> Inbound {
        let profile = Profile { name: Some("Sam".to_owned()), username: None };
        let (kind, body) = ("text".to_owned(), Some("hello".to_owned()));
        Inbound {
            item: self.item("message", ""),
            party,
            profile,
            kind,
            body,
            group_id: None,
            file: None,
            wish: None,
            renamed: None,
            debounce_seconds: 0,
        }
    }

    /// An arrival of it.
    pub fn inbound(&self, inbound: Inbound) -> Arc<Arrival> {
        Arc::new(Arrival::Message(inbound))
    }

    /// What a flow that answers each event with one message decides on a claimed lane.
    pub fn answered(&self, work: Work) -> Arc<Advance> {
        let done_event = work.events.last().map_or(work.done_event, |event| event.id);
        let mut attempt = work.attempts;
        let handled = work.events.into_iter().map(|event| {
            attempt += 1;
            self.handled(event, std::mem::take(&mut attempt))
        });
        Arc::new(Advance { lease: work.lease, handled: handled.collect(), done_event, again: None, is_paused: false })
    }

    fn handled(&self, event: Event, attempt: i32) -> Handled {
        let run = RunRecord {
            attempt,
            plugin: "auto-reply@0.1.0".to_owned(),
            digest: "0".repeat(64),
            result: "done".to_owned(),
            reason: None,
            actions: 1,
            fuel: 1,
            micros: 1,
            memory_bytes: 1,
            logs: None,
            context: None,
            config_id: None,
            state: None,
            outcome: None,
        };
        let message = Outbound {
            id: self.ambient.id(),
            kind: "text".to_owned(),
            body: None,
            payload: r#"{"type": "text", "text": {"body": "hello"}}"#.to_owned(),
            idempotency_key: Some(format!("reply:{}", event.id)),
            event_id: Some(event.id),
            send_at: None,
            expires_at: None,
            max_attempts: None,
            marketing: false,
            free_form: true,
            trace: None,
        };
        Handled {
            event,
            run,
            state: NextState::Keep,
            messages: vec![message],
            timers: Vec::new(),
            calls: Vec::new(),
            tags: None,
            hand_off: None,
        }
    }
}

fn process(url: &str, ambient: &Ambient) -> Store {
    let settings =
        Settings { url: url.to_owned(), connections: 3, writers: 1, acquire_timeout: Duration::from_secs(10) };
    Store::connect(&settings, ambient.clone()).unwrap()
}

/// The journal's writer of a process.
pub fn journal(store: &Store, batch: usize) -> GroupCommit<Arrival, Kept> {
    let (store, turns) = (store.clone(), store.turns.clone());
    GroupCommit::start(
        Writer::Journal,
        Sizes { batch, queue: 10_000, writers: 1, linger: None },
        &turns,
        move |arrivals: Vec<_>| {
            let store = store.clone();
            Box::pin(async move { Ok(store.append(&arrivals, Births::NONE).await?.kept) })
        },
    )
}
