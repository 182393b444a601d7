//! What is looked at before a request is made: some messages are given up without one, others wait.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use hoopoe_protocol::graph;
use hoopoe_store::deliveries::{Delivery, Verdict};
use hoopoe_store::suspended_templates::{PAUSE, TemplateSuspension};
use hoopoe_telemetry::metrics;
use hoopoe_telemetry::metrics::labels::{Suspended, SuspendedBy};
use serde_json::{Value, json};

use crate::Deliveries;
use crate::senders::{Sender, Turn, Unusable};

/// Pause of a message whose number cannot be looked up now.
pub(crate) const NOT_NOW: TimeDelta = TimeDelta::seconds(2);

impl Deliveries {
    /// The number to send from, or what becomes of the message without a request.
    pub(crate) async fn check(&self, delivery: &Delivery, now: DateTime<Utc>) -> Result<Arc<Sender>, Verdict> {
        let until = delivery.expires_at.unwrap_or(delivery.due_at + self.settings.validity);
        if now > until {
            let message = format!("it was to be sent until {until} and could not be; it was not tried again");
            return Err(dead("expired", &message));
        }
        if delivery.opted_out {
            return Err(dead("opted_out", "the contact has opted out of marketing messages"));
        }
        if delivery.attempt > self.most(delivery) {
            let tries = delivery.attempt - 1;
            return Err(dead("exhausted", &format!("the outcome of {tries} attempts is unknown and no status came")));
        }
        let tenant_id = delivery.lease.lane.tenant_id;
        let found = match self.senders.get(tenant_id, delivery.channel_id).await {
            Ok(sender) if sender.suspended.is_some() => self.senders.get_anew(tenant_id, delivery.channel_id).await,
            found => found,
        };
        let sender = match found {
            Ok(sender) => sender,
            Err(Unusable::Now(error)) => {
                tracing::warn!(tenant = %tenant_id, %error, "a number cannot be looked up");
                return Err(Verdict::Postponed { at: now + NOT_NOW, error: None });
            }
            Err(Unusable::Gone) => return Err(dead("channel", "the number that it was to be sent from is gone")),
            Err(Unusable::Token(error)) => return Err(dead("token", &error.to_string())),
        };
        let turn = sender.turn(now);
        if let Turn::Waits(at) = turn {
            return Err(Verdict::Postponed { at, error: None });
        }
        let checked = self.check_limits(delivery, &sender, now).await;
        if checked.is_err() && turn == Turn::Trial {
            // Without a request it tells nothing of the number.
            sender.try_next(now);
        }
        checked.map(|()| sender)
    }

    /// What is looked at of a message that its number does not keep: whether its template is stopped, and the rates.
    async fn check_limits(&self, delivery: &Delivery, sender: &Sender, now: DateTime<Utc>) -> Result<(), Verdict> {
        let tenant_id = delivery.lease.lane.tenant_id;
        if let Some((name, language)) = template_of(&delivery.payload)
            && sender.refuses(&name, &language, now).is_some()
            // Meta may have let it go since that was remembered.
            && let Ok(sender) = self.senders.get_anew(tenant_id, delivery.channel_id).await
            && let Some(suspended) = sender.refuses(&name, &language, now)
        {
            let TemplateSuspension { reason, until, .. } = suspended;
            let message =
                format!("Meta has stopped the template {name} ({language}); not tried until {until}: {reason}");
            return Err(dead("suspend_template", &message));
        }
        if !sender.is_mock()
            && !is_read_mark(&delivery.payload)
            && let Some(at) = self.pace.take(delivery, sender, || self.store.ambient.now()).await
        {
            metrics().rate_limit_wait.observe((at - now).as_seconds_f64().max(0.0));
            return Err(Verdict::Postponed { at, error: None });
        }
        Ok(())
    }

    /// Requests that a message may take at the most.
    pub(crate) fn most(&self, delivery: &Delivery) -> i32 {
        delivery.max_attempts.unwrap_or(self.settings.retries + 1)
    }

    /// Remembers that Meta has stopped the message's template in the number's account.
    pub(crate) async fn suspend_template(
        &self,
        delivery: &Delivery,
        sender: &Sender,
        reason: &str,
        now: DateTime<Utc>,
    ) {
        let Some((name, language)) = template_of(&delivery.payload) else { return };
        let tenant_id = delivery.lease.lane.tenant_id;
        let (waba_id, reason) = (sender.waba_id.clone(), reason.to_owned());
        tracing::warn!(tenant = %tenant_id, waba_id, template = name, language, reason, "a template is suspended");
        metrics().suspensions.of(Suspended::Template, SuspendedBy::Refusal).inc();
        let suspension = TemplateSuspension { waba_id, name, language, reason, until: now + PAUSE };
        if let Err(error) = self.store.suspend_template(tenant_id, &suspension).await {
            tracing::warn!(tenant = %tenant_id, %error, "could not mark a template as suspended");
        }
        self.senders.forget(tenant_id, delivery.channel_id);
    }

    /// Remembers that Meta refuses the number.
    pub(crate) async fn suspend_channel(&self, delivery: &Delivery, sender: &Sender, reason: &str) {
        let tenant_id = delivery.lease.lane.tenant_id;
        tracing::warn!(tenant = %tenant_id, channel = %delivery.channel_id, reason, "a channel is suspended");
        metrics().suspensions.of(Suspended::Channel, SuspendedBy::Refusal).inc();
        if let Err(error) =
            self.store.suspend_channel(tenant_id, delivery.channel_id, Some(&sender.sealed), reason).await
        {
            tracing::warn!(tenant = %tenant_id, %error, "could not mark a channel as suspended");
        }
        self.senders.forget(tenant_id, delivery.channel_id);
    }

    /// A message was put off because its number was refused. Should the number have been resumed meanwhile, whoever did
    /// that has not seen the message wait.
    pub(crate) async fn look_again(&self, delivery: &Delivery) {
        let (tenant_id, channel_id) = (delivery.lease.lane.tenant_id, delivery.channel_id);
        if !self.senders.may_be_suspended(tenant_id, channel_id) {
            return;
        }
        match self.store.ready_if_resumed(delivery.lease.lane, channel_id).await {
            Ok(true) => {
                self.senders.forget(tenant_id, channel_id);
                self.store.wakes.delivery.notify_one();
            }
            Ok(false) => {}
            Err(error) => tracing::warn!(tenant = %tenant_id, %error, "could not look whether a channel works again"),
        }
    }

    /// Meta has taken a message of a number that is suspended. Where it had refused them it takes them again. Where a status
    /// had suspended the number it took those before as well: what becomes of this one tells ([`hoopoe_store::channels`]).
    pub(crate) async fn was_taken(&self, delivery: &Delivery, sender: &Sender) {
        let (tenant_id, channel_id) = (delivery.lease.lane.tenant_id, delivery.channel_id);
        match self.store.resume_refused_channel(tenant_id, channel_id).await {
            Ok(true) => tracing::info!(tenant = %tenant_id, channel = %channel_id, "a channel works again"),
            Ok(false) => return self.was_tried(delivery, sender).await,
            Err(error) => tracing::warn!(tenant = %tenant_id, %error, "could not mark a channel as working"),
        }
        self.senders.forget(tenant_id, channel_id);
        self.store.wakes.delivery.notify_one();
    }

    /// A message was tried of a number that only a status lets go on.
    async fn was_tried(&self, delivery: &Delivery, sender: &Sender) {
        let tenant_id = delivery.lease.lane.tenant_id;
        if is_read_mark(&delivery.payload) {
            // It has no status: what is behind it may be tried.
            sender.try_next(self.store.ambient.now());
        } else if let Err(error) = self.store.suspended_channel_took(tenant_id, delivery.channel_id).await {
            tracing::warn!(tenant = %tenant_id, %error, "could not write down that a channel was tried");
        }
    }
}

/// Given up without a request.
fn dead(class: &str, message: &str) -> Verdict {
    let error = json!({ "class": class, "message": message }).to_string();
    Verdict::Dead { error, expired: class == "expired", asked: false }
}

/// Whether a payload marks a message as read, or is made of sender actions: Meta does not count it among the messages.
pub(crate) fn is_read_mark(payload: &str) -> bool {
    let may_be = ["\"read\"", "\"actions\""].iter().any(|word| payload.contains(word));
    may_be && serde_json::from_str(payload).is_ok_and(|payload| graph::is_read_mark(&payload))
}

/// Name and language of the approved template that a payload sends.
fn template_of(payload: &str) -> Option<(String, String)> {
    // Most messages are none, and to read them all would cost more than to look.
    if !payload.contains("\"template\"") {
        return None;
    }
    let payload: Value = serde_json::from_str(payload).ok()?;
    let template = payload.get("template")?;
    let language = template.pointer("/language/code").and_then(Value::as_str).unwrap_or_default();
    Some((template.get("name")?.as_str()?.to_owned(), language.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_mark_is_known_by_its_type() {
        assert!(is_read_mark(r#"{"read":{"message_id":"wamid.1","typing":true},"type":"read"}"#));
        for other in [r#"{"type":"text","text":{"body":"read"}}"#, r#"{"type":"text","text":{"read":"read"}}"#, "read"]
        {
            assert!(!is_read_mark(other), "{other}");
        }
    }

    #[test]
    fn a_template_is_known_by_name_and_language() {
        let payload = r#"{"type":"template","template":{"name":"welcome","language":{"code":"en_GB"}}}"#;
        assert_eq!(template_of(payload), Some(("welcome".to_owned(), "en_GB".to_owned())));
        for other in [r#"{"type":"text","text":{"body":"a \"template\""}}"#, "no json with \"template\"", "{}"] {
            assert_eq!(template_of(other), None, "{other}");
        }
    }
}
