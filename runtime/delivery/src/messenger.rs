//! The call of the Send API, for Messenger and Instagram.

use hoopoe_protocol::graph::{self, Failure};
use hoopoe_protocol::messenger::{self, Platform, send};
use hoopoe_store::deliveries::{Delivery, Verdict};
use hoopoe_store::messenger::person;
use reqwest::header::CONTENT_TYPE;
use secrecy::ExposeSecret;

use crate::Deliveries;
use crate::checks::{NOT_NOW, is_read_mark};
use crate::graph::{Graph, answer, broken};
use crate::senders::Sender;

impl Graph {
    /// Posts the message, or one request after the other for sender actions. Gives Meta's id; of actions, which have none,
    /// one that is made from ours.
    pub(crate) async fn send_messenger(
        &self,
        platform: Platform,
        delivery: &Delivery,
        sender: &Sender,
    ) -> Result<String, Failure> {
        let user_id = delivery.user_id.as_deref().ok_or_else(|| broken("the contact has no id on this channel"))?;
        let payload: serde_json::Value = serde_json::from_str(&delivery.payload)
            .map_err(|error| broken(&format!("the stored payload is not JSON: {error}")))?;
        if payload.get("messenger").is_none() {
            return Err(broken("the stored payload is not one for this kind of channel"));
        }
        let is_action = send::is_action(&payload);
        // An account of Instagram sends by its page; without its id the token, which is the page's, says which it is.
        let node = match platform {
            Platform::Messenger => sender.phone_number_id.as_str(),
            Platform::Instagram => sender.page_id.as_deref().unwrap_or("me"),
        };
        let url = graph::messages_url(&self.base_url, &self.version, node);
        let mut message_id = format!("read.{}", delivery.message_id);
        for body in send::requests(&payload, person(user_id), &delivery.message_id.to_string()) {
            let place = self.connections.place();
            let sent = place
                .client
                .post(&url)
                .bearer_auth(sender.token.expose_secret())
                .header(CONTENT_TYPE, "application/json")
                .body(body)
                .send()
                .await;
            let sent = match answer(sent).await {
                Ok((status, body)) => messenger::answer(status, &body, !is_action),
                Err(failure) => Err(failure),
            };
            match sent {
                Ok(sent) => message_id = sent.message_id.unwrap_or(message_id),
                // To show an action twice changes nothing, so there is no doubt to wait for.
                Err(failure) if is_action && failure.class == graph::Class::Ambiguous => {
                    return Err(Failure { class: graph::Class::Transient, ..failure });
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(message_id)
    }
}

impl Deliveries {
    /// Keeps, before the request, that the message may be read: Meta tells that by a moment, not by message.
    pub(crate) async fn begin_unread(&self, delivery: &Delivery, sender: &Sender) -> Result<(), Verdict> {
        if sender.platform.is_none() || sender.is_mock() || is_read_mark(&delivery.payload) {
            return Ok(());
        }
        let kept = self.store.begin_unread(delivery.lease.lane, delivery.channel_id, delivery.message_id).await;
        kept.map_err(|error| {
            tracing::warn!(tenant = %delivery.lease.lane.tenant_id, message = %delivery.message_id, %error,
                "a message cannot be sent now: it could not be kept that it is to be read");
            Verdict::Postponed { at: self.store.ambient.now() + NOT_NOW, error: None }
        })
    }
}
