//! How fast messages go out: the limits of number, pair and tenant, shared by all nodes.
//!
//! Meta counts per number and per pair of number and contact (see the README of `runtime/shared` for what is shared).
//! A message that has to wait is postponed, which uses up no attempt, and its lane with it: order is kept.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use hoopoe_shared::Shared;
use hoopoe_shared::limits::{Ask, Limit, Scope, Verdict};
use hoopoe_store::deliveries::Delivery;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Duration, Instant, timeout_at};
use uuid::Uuid;

use crate::line::{Lines, Place};
use crate::senders::Sender;

/// Questions that one round trip to Redis carries.
const BATCH: usize = 256;
/// A number that Meta calls too fast, or cannot serve, rests for so long, and goes on at half its rate. Refused again
/// soon after, it rests twice as long.
pub(crate) const NUMBER_REST: TimeDelta = TimeDelta::seconds(2);
/// The longest rest: whatever kept the number back is noticed to be over by then.
const LONGEST_REST: TimeDelta = TimeDelta::minutes(1);

/// How long a message waits for its turn here. Its lane stays owned and its place taken, so that no more of its tenant's
/// are claimed than can go out soon; to put each of a bulk back and claim it again would cost more than to send it.
const PATIENCE: Duration = Duration::from_secs(1);
/// With less than a message per second a turn may be hours away, and the limit be raised meanwhile: so often it is asked
/// again.
const ASKED_AGAIN: TimeDelta = TimeDelta::seconds(10);
/// The shortest wait.
const SHORTEST: Duration = Duration::from_millis(1);

/// The limits of an installation.
#[derive(Debug, Clone, Copy)]
pub struct Rates {
    /// Of a number that has no rate of its own. Meta counts by the second: a number that has rested is not to send what it
    /// has saved on top of its rate.
    pub number: Limit,
    /// Of a number and a contact.
    pub pair: Limit,
    /// Of all that a tenant sends that has no quota of its own; none when absent.
    pub tenant: Option<Limit>,
}

/// One message's question.
struct Question {
    tenant: Uuid,
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
    rests: Mutex<HashMap<(Uuid, String), Rest>>,
}

/// The last rest of a number.
struct Rest {
    time: TimeDelta,
    until: DateTime<Utc>,
}

impl Pace {
    /// Starts the one who asks; it ends with this.
    pub(crate) fn start(shared: Shared, rates: Rates) -> Self {
        let (questions, asked) = mpsc::channel(BATCH * 4);
        tokio::spawn(answer(shared.clone(), asked));
        Self { shared, rates, questions, lines: Lines::default(), rests: Mutex::default() }
    }

    /// Takes the message's place, for which it waits a little. `None` when it may go out; else when to ask again.
    pub(crate) async fn take(
        &self,
        delivery: &Delivery,
        sender: &Sender,
        now: impl Fn() -> DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let until = self.turn(delivery, sender, &now).await?;
        Some(if self.rate(sender) < 1.0 { until.min(now() + ASKED_AGAIN) } else { until })
    }

    async fn turn(
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
        let rate = self.rate(sender);
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

    /// The lower of what its number and its tenant may send per second.
    fn rate(&self, sender: &Sender) -> f64 {
        let number = self.of_number(sender).rate();
        self.of_tenant(sender).map_or(number, |tenant| tenant.rate().min(number))
    }

    fn of_number(&self, sender: &Sender) -> Limit {
        sender.rate.map_or(self.rates.number, Limit::evenly)
    }

    fn of_tenant(&self, sender: &Sender) -> Option<Limit> {
        sender.tenant_rate.map(Limit::per_second).or(self.rates.tenant)
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
            rates: Rates { number, pair, tenant: self.of_tenant(sender) },
            answer,
        };
        self.questions.send(question).await.ok()?;
        answered.await.ok().flatten()
    }

    /// Meta says that the number sends too fast, or that it takes nothing of it now. Gives when the number goes on.
    pub(crate) async fn number_rests(&self, delivery: &Delivery, sender: &Sender, now: DateTime<Utc>) -> DateTime<Utc> {
        let (tenant, scope) = (delivery.lease.lane.tenant_id, Scope::Number(&sender.phone_number_id));
        let until = self.rest((tenant, sender.phone_number_id.clone()), now);
        self.shared.limits().pause(tenant, scope, until).await;
        self.shared.limits().slow_down(tenant, scope).await;
        until
    }

    /// Until when a number rests that is refused now. Answers to requests that were under way together tell of one rest.
    fn rest(&self, number: (Uuid, String), now: DateTime<Utc>) -> DateTime<Utc> {
        let mut rests = self.rests.lock().unwrap_or_else(PoisonError::into_inner);
        rests.retain(|_, rest| now <= rest.until + rest.time);
        let time = match rests.get(&number) {
            Some(rest) if now < rest.until => return rest.until,
            Some(rest) => (rest.time * 2).min(LONGEST_REST),
            None => NUMBER_REST,
        };
        rests.insert(number, Rest { time, until: now + time });
        now + time
    }

    /// Meta says that this contact gets too much: nothing goes to it until then, also when the message that was refused
    /// is given up.
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

#[cfg(test)]
mod tests {
    use hoopoe_shared::Clock;

    use super::*;

    #[tokio::test]
    async fn a_number_that_stays_refused_rests_longer_each_time() {
        let rates = Rates { number: Limit::per_second(80.0), pair: Limit::per_second(1.0), tenant: None };
        let pace = Pace::start(Shared::alone(Clock::pinned(|| DateTime::UNIX_EPOCH)), rates);
        let number = |name: &str| (Uuid::nil(), name.to_owned());
        let (start, mut now) = (DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH);
        let mut rests = Vec::new();
        for _ in 0..8 {
            let until = pace.rest(number("1"), now);
            assert_eq!(pace.rest(number("1"), now + TimeDelta::milliseconds(500)), until, "one refusal of several");
            rests.push((until - now).num_seconds());
            now = until;
        }
        assert_eq!(rests, [2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(pace.rest(number("2"), start) - start, NUMBER_REST, "another number's is its own");
        now += LONGEST_REST + TimeDelta::seconds(1);
        assert_eq!(pace.rest(number("1"), now) - now, NUMBER_REST, "it has worked for a while");
    }
}
