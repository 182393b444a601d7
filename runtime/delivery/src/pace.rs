//! How fast messages go out: the limits of number, pair and tenant, shared by all nodes.
//!
//! Meta counts per number and per pair of number and contact (see the README of `runtime/shared` for what is shared).
//! A message that has to wait is postponed, which uses up no attempt, and its lane with it: order is kept.

use chrono::{DateTime, TimeDelta, Utc};
use hoopoe_shared::Shared;
use hoopoe_shared::limits::{Ask, Limit, Scope, Verdict};
use hoopoe_store::deliveries::Delivery;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Duration, Instant, timeout_at};

use crate::line::{Lines, Place};
use crate::senders::Sender;

/// Questions that one round trip to Redis carries.
const BATCH: usize = 256;
/// A number that Meta calls too fast rests for so long, and goes on at half its rate.
const NUMBER_REST: TimeDelta = TimeDelta::seconds(2);

/// How long a message waits for its turn here. Its lane stays owned and its place taken, so that no more of its tenant's
/// are claimed than can go out soon; to put each of a bulk back and claim it again would cost more than to send it.
const PATIENCE: Duration = Duration::from_secs(1);
/// The shortest wait.
const SHORTEST: Duration = Duration::from_millis(1);

/// The limits of an installation.
#[derive(Debug, Clone, Copy)]
pub struct Rates {
    /// Of a number that has no rate of its own.
    pub number: Limit,
    /// Of a number and a contact.
    pub pair: Limit,
    /// Of all that a tenant sends; none when absent.
    pub tenant: Option<Limit>,
}

/// One message's question.
struct Question {
    tenant: uuid::Uuid,
    number: String,
    contact: String,
    rates: Rates,
    answer: oneshot::Sender<Option<Wait>>,
}

/// There is no token yet.
struct Wait {
    until: DateTime<Utc>,
    /// It is the number or the tenant that waits, and not this pair alone.
    for_all: bool,
}

impl Question {
    fn ask(&self) -> Ask<'_> {
        let Rates { number, pair, tenant } = self.rates;
        let ask = Ask::of(self.tenant).number(&self.number, number).pair(&self.number, &self.contact, pair);
        match tenant {
            Some(limit) => ask.tenant(limit),
            None => ask,
        }
    }
}

/// Asks the limits, and tells them what Meta says.
pub(crate) struct Pace {
    shared: Shared,
    rates: Rates,
    questions: mpsc::Sender<Question>,
    lines: Lines,
}

impl Pace {
    /// Starts the one who asks; it ends with this.
    pub(crate) fn start(shared: Shared, rates: Rates) -> Self {
        let (questions, asked) = mpsc::channel(BATCH * 4);
        tokio::spawn(answer(shared.clone(), asked));
        Self { shared, rates, questions, lines: Lines::default() }
    }

    /// Takes the message's place, for which it waits a little. `None` when it may go out; else when to ask again.
    pub(crate) async fn take(
        &self,
        delivery: &Delivery,
        sender: &Sender,
        now: impl Fn() -> DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let end = Instant::now() + PATIENCE;
        let (tenant_id, name) = (delivery.lease.lane.tenant_id, sender.phone_number_id.as_str());
        if self.lines.is_empty(tenant_id, name)
            && let Wait { until, for_all: false } = self.ask(delivery, sender).await?
        {
            return Some(until);
        }
        // Only the first in line asks: the next token is its own.
        let place = self.lines.join(tenant_id, name, delivery.priority);
        let mut told = None;
        let rate = self.of_number(sender).rate();
        let its_turn = |place: &Place| Duration::from_secs_f64(place.ahead() as f64 / rate);
        loop {
            let wait =
                || told.map_or(Duration::ZERO, |until: DateTime<Utc>| (until - now()).to_std().unwrap_or_default());
            if Instant::now() + its_turn(&place) >= end || timeout_at(end, place.first()).await.is_err() {
                return Some(now() + its_turn(&place).max(wait()).max(SHORTEST));
            }
            let wait = wait();
            if Instant::now() + wait >= end {
                return Some(now() + wait);
            }
            if !wait.is_zero() {
                tokio::time::sleep(wait.max(SHORTEST)).await;
                told = None;
                if !place.is_first() {
                    // Somebody more urgent has come meanwhile.
                    continue;
                }
            }
            match self.ask(delivery, sender).await? {
                Wait { until, for_all: false } => return Some(until),
                Wait { until, .. } => told = Some(until.max(now() + SHORTEST)),
            }
        }
    }

    fn of_number(&self, sender: &Sender) -> Limit {
        sender.rate.map_or(self.rates.number, Limit::per_second)
    }

    /// `None` when it may go out.
    async fn ask(&self, delivery: &Delivery, sender: &Sender) -> Option<Wait> {
        let (answer, answered) = oneshot::channel();
        let number = self.of_number(sender);
        // Only WhatsApp has a limit of its own for a pair.
        let pair = if sender.platform.is_some() { number } else { self.rates.pair };
        let question = Question {
            tenant: delivery.lease.lane.tenant_id,
            number: sender.phone_number_id.clone(),
            contact: contact(delivery).to_owned(),
            rates: Rates { number, pair, ..self.rates },
            answer,
        };
        self.questions.send(question).await.ok()?;
        answered.await.ok().flatten()
    }

    /// Meta says that the number sends too fast.
    pub(crate) async fn number_is_too_fast(&self, delivery: &Delivery, sender: &Sender, now: DateTime<Utc>) {
        let (tenant, scope) = (delivery.lease.lane.tenant_id, Scope::Number(&sender.phone_number_id));
        self.shared.limits().pause(tenant, scope, now + NUMBER_REST).await;
        self.shared.limits().slow_down(tenant, scope).await;
    }

    /// Meta says that this contact gets too much.
    pub(crate) async fn pair_rests(&self, delivery: &Delivery, sender: &Sender, until: DateTime<Utc>) {
        let scope = Scope::Pair { number: &sender.phone_number_id, contact: contact(delivery) };
        self.shared.limits().pause(delivery.lease.lane.tenant_id, scope, until).await;
    }
}

fn contact(delivery: &Delivery) -> &str {
    delivery.wa_id.as_deref().or(delivery.user_id.as_deref()).unwrap_or_default()
}

/// Whatever has been asked meanwhile goes into one round trip.
async fn answer(shared: Shared, mut asked: mpsc::Receiver<Question>) {
    let mut questions = Vec::with_capacity(BATCH);
    while asked.recv_many(&mut questions, BATCH).await > 0 {
        let asks: Vec<Ask<'_>> = questions.iter().map(Question::ask).collect();
        let answers: Vec<Option<Wait>> = shared
            .limits()
            .take(&asks)
            .await
            .into_iter()
            .map(|verdict| match verdict {
                Verdict::Granted => None,
                Verdict::Wait { until, bucket } => Some(Wait { until, for_all: !matches!(bucket, Scope::Pair { .. }) }),
            })
            .collect();
        for (question, answer) in questions.drain(..).zip(answers) {
            // Who no longer waits has lost its place: one token of many.
            let _ = question.answer.send(answer);
        }
    }
}
