//! Whatever the order, the repetition and the batches in which a set of items comes, and whichever processes take them: in
//! the end the database holds the same as if they had come one by one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use hoopoe_secrets::Sealed;
use hoopoe_store::Store;
use hoopoe_store::ambient::Ambient;
use hoopoe_store::channel_facts::Fact;
use hoopoe_store::consent::Wish;
use hoopoe_store::contacts::Party;
use hoopoe_store::identity::Renamed;
use hoopoe_store::journal::{Arrival, Inbound, Item, Notice, Progress, What};
use hoopoe_store::lanes::Births;
use hoopoe_store::outbound::{Outbound, SendRequest};
use hoopoe_store::tenants::Registration;
use uuid::Uuid;

use crate::ground::Ground;

/// How many sets, and for how long at the most.
const SETS: u64 = 25;
const BOUND: Duration = Duration::from_secs(15);
const ITEMS: usize = 24;

/// People: number, user id. The last one changes the number.
const PEOPLE: [(&str, &str); 3] =
    [("16505550001", "US.1000001"), ("16505550002", "US.1000002"), ("16505550003", "US.1000003")];
const NEW_NUMBER: &str = "16505559999";
/// Which item brings the new number.
const CHANGE: usize = 12;

/// A tenant with its number, for one order of the items.
struct Stage {
    tenant_id: Uuid,
    channel_id: Uuid,
    sent: Vec<Uuid>,
}

async fn stage(ground: &Ground, store: &Store, number: u64) -> Stage {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&number.to_be_bytes());
    key[8] = 1;
    let registration = Registration {
        tenant_id: ground.ambient.id(),
        name: "Acme".to_owned(),
        phone_number_id: format!("2065403522{number:05}"),
        waba_id: None,
        token: Sealed { key_id: "k".to_owned(), bytes: vec![1; 40] },
        key_prefix: "hoopoe_test".to_owned(),
        key_sha256: key,
    };
    let tenant = store.register(&registration).await.unwrap();
    let (tenant_id, channel_id) = (tenant.id, tenant.channels[0].id);
    // Each person was sent something before.
    let requests: Vec<_> = PEOPLE
        .iter()
        .map(|(wa_id, _)| {
            let message = Outbound {
                id: ground.ambient.id(),
                kind: "text".to_owned(),
                body: None,
                payload: r#"{"type": "text", "text": {"body": "hello"}}"#.to_owned(),
                idempotency_key: None,
                event_id: None,
                send_at: None,
                expires_at: None,
                max_attempts: None,
                marketing: false,
                free_form: true,
                trace: None,
            };
            let party = Party { tenant_id, channel_id, wa_id: Some((*wa_id).to_owned()), user_id: None };
            Arc::new(SendRequest { party, message, priority: 1 })
        })
        .collect();
    store.enqueue(&requests, Births::NONE).await.unwrap();
    Stage { tenant_id, channel_id, sent: requests.iter().map(|request| request.message.id).collect() }
}

/// What an item is, whoever's it becomes.
#[derive(Debug, Clone)]
enum Plan {
    /// Person, whether it shows number and user id, and a wish in the text.
    Message(usize, bool, bool, Option<Wish>),
    /// Person, and the wish.
    Preference(usize, Wish),
    /// Of the message to this person.
    Status(usize, &'static str),
    /// Kind, the second in which Meta told it, and what: many are told within one.
    Fact(&'static str, i64, usize),
    Changed,
    Other,
}

fn plan(chance: &Ambient) -> Vec<Plan> {
    let wish = |chance: &Ambient| if chance.below(2) == 0 { Wish::OptOut } else { Wish::OptIn };
    (0..ITEMS)
        .map(|place| match chance.below(12) {
            _ if place == CHANGE => Plan::Changed,
            0..5 => {
                let (shows_number, shows_user) = [(true, false), (false, true), (true, true)][chance.below(3)];
                let person = chance.below(3);
                // Who changes the number shows it always: the change is all that tells that both are one.
                let (shows_number, shows_user) = if person == 2 { (true, false) } else { (shows_number, shows_user) };
                let says = (chance.below(4) == 0).then(|| wish(chance));
                Plan::Message(person, shows_number, shows_user, says)
            }
            5 => Plan::Preference(chance.below(2), wish(chance)),
            6..9 => Plan::Status(chance.below(3), ["sent", "delivered", "read", "failed"][chance.below(4)]),
            9 => Plan::Other,
            _ => Plan::Fact(["quality", "alert:X"][chance.below(2)], [0, 1][chance.below(2)], chance.below(3)),
        })
        .collect()
}

/// The items of a plan, one every two minutes.
fn items(plan: &[Plan], stage: &Stage, start: DateTime<Utc>) -> Vec<Arc<Arrival>> {
    let Stage { tenant_id, channel_id, sent } = stage;
    let (tenant_id, channel_id) = (*tenant_id, *channel_id);
    let party = |wa_id: Option<&str>, user_id: Option<&str>| Party {
        tenant_id,
        channel_id,
        wa_id: wa_id.map(str::to_owned),
        user_id: user_id.map(str::to_owned),
    };
    let one = |(place, plan): (usize, &Plan)| {
        let at = start + TimeDelta::minutes(2 * i64::try_from(place).unwrap());
        let item = |kind: &str, external_id: String| Item {
            tenant_id,
            channel_id,
            kind: kind.to_owned(),
            external_id,
            raw: r#"{"type": "text"}"#.to_owned(),
            note: None,
            occurred_at: at,
            received_at: start + TimeDelta::days(1),
            trace: None,
        };
        let number = |person: usize| match person {
            2 if place > CHANGE => NEW_NUMBER,
            _ => PEOPLE[person].0,
        };
        let inbound = |party: Party, kind: &str, wish: Option<Wish>, renamed: Option<Renamed>| Inbound {
            item: item("message", format!("wamid.{place}")),
            party,
            profile: Default::default(),
            kind: kind.to_owned(),
            body: Some("hello".to_owned()),
            group_id: None,
            file: None,
            wish,
            renamed,
            debounce_seconds: 0,
        };
        Arc::new(match plan {
            Plan::Message(person, shows_number, shows_user, wish) => {
                let wa_id = shows_number.then(|| number(*person));
                let user_id = shows_user.then(|| PEOPLE[*person].1);
                Arrival::Message(inbound(party(wa_id, user_id), "text", *wish, None))
            }
            Plan::Changed => {
                let former = PEOPLE[2].0.to_owned();
                let renamed = Renamed { wa_id: Some(NEW_NUMBER.to_owned()), user_id: None, former: vec![former] };
                Arrival::Message(inbound(party(Some(PEOPLE[2].0), None), "system", None, Some(renamed)))
            }
            Plan::Preference(person, wish) => {
                let what = What::Preference(party(Some(PEOPLE[*person].0), None), *wish, None);
                Arrival::Notice(Notice { item: item("user_preferences", format!("p{place}")), what })
            }
            Plan::Status(person, status) => Arrival::Status(Progress {
                item: item("status", format!("s{place}")),
                wa_message_id: format!("wamid.sent.{person}"),
                message_id: Some(sent[*person]),
                status: (*status).to_owned(),
                error: (*status == "failed").then(|| r#"{"code": 131026}"#.to_owned()),
                for_flow: false,
            }),
            Plan::Fact(kind, second, value) => {
                let (kind, value) = ((*kind).into(), serde_json::json!({ "event": value }));
                let fact = Fact { kind, value, told_at: start + TimeDelta::seconds(*second), of_account: false };
                Arrival::Notice(Notice { item: item("fact", format!("f{place}")), what: What::Fact(fact) })
            }
            Plan::Other => Arrival::Other(item("history", format!("o{place}"))),
        })
    };
    plan.iter().enumerate().map(one).collect()
}

/// Everything that the items have left, in words that do not name ids of ours.
async fn result(ground: &Ground, tenant_id: Uuid) -> Vec<String> {
    let mut all = Vec::new();
    for query in [
        "select concat_ws(' ', 'contact', coalesce(wa_id, '-'), coalesce(user_id, '-'), opted_out, consent_at, last_seen_at)
         from contacts where tenant_id = $1 and coalesce(wa_id, user_id) is not null order by 1",
        "select concat_ws(' ', 'conversation', coalesce(ct.wa_id, '-'), coalesce(ct.user_id, '-'), cv.last_inbound_at)
         from conversations cv join contacts ct on ct.tenant_id = cv.tenant_id and ct.id = cv.contact_id
         where cv.tenant_id = $1 and cv.merged_into is null order by 1",
        "select concat_ws(' ', 'event', e.kind, e.external_id, coalesce(ct.wa_id, '-'), coalesce(ct.user_id, '-'))
         from events e left join contacts ct on ct.tenant_id = e.tenant_id and ct.id = e.contact_id
         where e.tenant_id = $1 order by 1",
        "select concat_ws(' ', 'message', m.direction, m.status, m.wa_message_id, m.error, coalesce(ct.wa_id, '-'),
                          coalesce(ct.user_id, '-'))
         from messages m
         join conversations cv on cv.tenant_id = m.tenant_id and cv.id = m.conversation_id
         join contacts ct on ct.tenant_id = cv.tenant_id and ct.id = coalesce(cv.merged_contact_id, cv.contact_id)
         where m.tenant_id = $1 and coalesce(m.idempotency_key, '') not like 'consent:%' order by 1",
        "select concat_ws(' ', 'step', m.wa_message_id, s.status, s.occurred_at)
         from message_statuses s join messages m on m.tenant_id = s.tenant_id and m.id = s.message_id
         where s.tenant_id = $1 order by 1",
        "select concat_ws(' ', 'fact', kind, value, told_at) from channel_facts where tenant_id = $1 order by 1",
        "select concat_ws(' ', 'lane', l.stage, coalesce(ct.wa_id, '-'), coalesce(ct.user_id, '-'))
         from lanes l join contacts ct on ct.tenant_id = l.tenant_id and ct.id = l.contact_id
         where l.tenant_id = $1
           and (exists (select from outbox o join messages m on m.tenant_id = o.tenant_id and m.id = o.message_id
                        where l.stage = 1 and o.tenant_id = l.tenant_id and o.contact_id = l.contact_id
                          and coalesce(m.idempotency_key, '') not like 'consent:%')
                or exists (select from events e where e.tenant_id = l.tenant_id
                           and l.stage = 0 and e.contact_id = l.contact_id and e.id > l.done_event))
         order by 1",
    ] {
        let rows: Vec<String> =
            sqlx::query_scalar(query).bind(tenant_id).fetch_all(&ground.db.pool).await.unwrap();
        all.extend(rows);
    }
    all
}

/// The items in any order, some of them again, in batches of any size, by two processes in turn.
async fn shuffle(chance: &Ambient, stores: &[Store; 2], items: &[Arc<Arrival>]) {
    let mut order: Vec<usize> = (0..items.len()).chain((0..items.len()).filter(|_| chance.below(2) == 0)).collect();
    for place in (1..order.len()).rev() {
        order.swap(place, chance.below(place + 1));
    }
    let mut rest = order.as_slice();
    while !rest.is_empty() {
        let (batch, others) = rest.split_at((1 + chance.below(7)).min(rest.len()));
        let batch: Vec<_> = batch.iter().map(|place| items[*place].clone()).collect();
        stores[chance.below(2)].append(&batch, Births::NONE).await.unwrap();
        rest = others;
    }
}

#[tokio::test]
async fn any_order_repetition_and_batching_ends_the_same() {
    let ground = Ground::new().await;
    let start = ground.ambient.now();
    let (begun, mut compared) = (Instant::now(), 0);
    let stores = [ground.process(), ground.process()];
    for set in 0..SETS {
        if begun.elapsed() > BOUND {
            break;
        }
        let chance = Ambient::manual(start, set);
        let plan = plan(&chance);
        let by_itself = stage(&ground, &stores[0], 2 * set).await;
        for item in items(&plan, &by_itself, start) {
            stores[0].append(&[item], Births::NONE).await.unwrap();
        }
        let mixed = stage(&ground, &stores[0], 2 * set + 1).await;
        shuffle(&chance, &stores, &items(&plan, &mixed, start)).await;
        let (expected, found) = (result(&ground, by_itself.tenant_id).await, result(&ground, mixed.tenant_id).await);
        assert_eq!(found, expected, "set {set}: {plan:#?}");
        assert!(expected.len() > ITEMS, "{expected:?}");
        compared += 1;
    }
    assert!(compared >= 5, "only {compared} sets within {BOUND:?}");
}
