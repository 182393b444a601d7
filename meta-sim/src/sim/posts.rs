//! Webhooks that the simulator posts on request.

use serde_json::Value;

use super::Sim;
use crate::{
    Delivery, Direct, Inbound, direct, envelope,
    state::{State, now_ms},
    templates,
    webhook::sign,
};

impl Sim {
    /// Posts one message from a user, signed, once.
    pub async fn receive(&self, message: Inbound) -> Delivery {
        self.receive_batch(vec![message]).await
    }

    /// Posts many messages in one signed POST, grouped by account and number as Meta does, once.
    pub async fn receive_batch(&self, messages: Vec<Inbound>) -> Delivery {
        receive(&self.state, messages).await
    }

    /// Posts what people did on Messenger or Instagram, all on one of them, in one signed POST, once. From then on they can
    /// be written to.
    pub async fn receive_direct(&self, events: &[Direct]) -> Delivery {
        receive_direct(&self.state, events).await
    }

    /// Posts these bytes with this signature, or without one, once.
    pub async fn post_raw(&self, body: Vec<u8>, signature: Option<String>) -> Delivery {
        let url = self.state.option(|options| options.webhook_url.clone());
        self.state.poster.post(url.as_deref(), body, signature.as_deref()).await
    }

    /// The body that [`Sim::receive_batch`] would post, for tests that change it.
    pub fn body_of(&self, messages: Vec<Inbound>) -> Vec<u8> {
        body_of(&self.state, messages)
    }

    /// Meta decides about a template of this account: its status is another one, and a webhook tells so.
    pub async fn judge_template(
        &self,
        account: &str,
        name: &str,
        language: &str,
        event: &str,
        reason: &str,
    ) -> Delivery {
        templates::judge(&self.state, account, (name, language), event, reason).await
    }

    /// Posts a change of any other field of this business account, signed, once: `account_update` for example.
    pub async fn change(&self, account: &str, field: &str, value: Value) -> Delivery {
        self.change_at(account, field, value, None).await
    }

    /// The same, made by Meta at this second since 1970.
    pub async fn change_at(&self, account: &str, field: &str, value: Value, time: Option<i64>) -> Delivery {
        let time = time.unwrap_or((now_ms() / 1000) as i64);
        tell(&self.state, account, field, value, time).await
    }

    /// Posts these bytes with the right signature, once.
    pub async fn post_signed(&self, body: Vec<u8>) -> Delivery {
        let signature = self.state.option(|options| sign(&options.app_secret, &body));
        self.post_raw(body, Some(signature)).await
    }
}

/// Posts a change of an account's, signed, as of this second, once.
pub(crate) async fn tell(state: &State, account: &str, field: &str, value: Value, time: i64) -> Delivery {
    let body = envelope::change(account, field, value, time);
    let (url, signature) = state.option(|options| (options.webhook_url.clone(), sign(&options.app_secret, &body)));
    state.poster.post(url.as_deref(), body, Some(&signature)).await
}

fn body_of(state: &State, messages: Vec<Inbound>) -> Vec<u8> {
    let account = state.option(|options| options.waba_id.clone());
    envelope::body(messages.into_iter().map(|message| message.part(&account)).collect())
}

pub(crate) async fn receive_direct(state: &State, events: &[Direct]) -> Delivery {
    for event in events {
        state.people().entry(event.person.clone()).or_default().push((event.platform, event.home.clone()));
    }
    post(state, direct::body_of(events), events.len() as u64).await
}

pub(crate) async fn receive(state: &State, messages: Vec<Inbound>) -> Delivery {
    let count = messages.len() as u64;
    post(state, body_of(state, messages), count).await
}

async fn post(state: &State, body: Vec<u8>, count: u64) -> Delivery {
    let (url, signature) = state.option(|options| (options.webhook_url.clone(), sign(&options.app_secret, &body)));
    state.count(|stats| stats.inbound += count);
    let delivery = state.poster.post(url.as_deref(), body, Some(&signature)).await;
    if delivery.is_acknowledged() {
        state.count(|stats| stats.inbound_acknowledged += count);
    }
    delivery
}
