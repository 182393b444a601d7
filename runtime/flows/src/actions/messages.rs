//! Messages that a flow sends.

use hoopoe_plugins::{Rendered, send_content};
use hoopoe_protocol::messenger::{
    Platform,
    send::{self, Purpose},
};
use hoopoe_protocol::outbound;
use hoopoe_protocol::outbound::typed::{Message, Read};
use hoopoe_sandbox::contract::{MarkRead, Send, SendContent, StoredTemplate};
use hoopoe_store::conversation_settings::WINDOW;
use hoopoe_store::flow_work::Event;
use hoopoe_store::outbound::Outbound;
use serde_json::Value;
use uuid::Uuid;

use super::{Refused, bounded, invalid};
use crate::attributes::group_of;
use crate::run::Runner;

/// Longest idempotency key, in characters.
const LONGEST_KEY: usize = 256;

impl Runner {
    pub(super) async fn message(
        &self,
        send: &Send,
        place: usize,
        tenant_id: Uuid,
        event: &Event,
    ) -> Result<Outbound, Refused> {
        let Rendered { content, marketing } = match &send.content {
            SendContent::Stored(template) => self.rendered(template, place, tenant_id, event).await?,
            content => Rendered { content: send_content(content).map_err(invalid(place))?, marketing: false },
        };
        let payload = content.payload(send.reply_to.as_deref());
        let payload = payload.map_err(|error| error.to_string()).map_err(invalid(place))?;
        let marketing = marketing || self.is_marketing(&payload, tenant_id, event).await?;
        let key = match &send.idempotency_key {
            Some(key) => bounded("idempotency-key", key, 1, LONGEST_KEY).map_err(invalid(place))?,
            // The same for every run of this event: a repeated run repeats nothing.
            None => format!("flow:{}:{place}", event.id),
        };
        Ok(Outbound { marketing, ..self.queued(&payload, key, event).map_err(invalid(place))? })
    }

    /// Whether it is a template that is marketing by what Meta has told of it.
    async fn is_marketing(&self, payload: &Value, tenant_id: Uuid, event: &Event) -> Result<bool, Refused> {
        let text = |pointer: &str| payload.pointer(pointer).and_then(Value::as_str);
        let (Some(name), Some(language)) = (text("/template/name"), text("/template/language/code")) else {
            return Ok(false);
        };
        let known = self.store.template_status(tenant_id, event.around.channel_id, name, language).await;
        let known = known.map_err(|error| Refused::Later(error.to_string()))?;
        Ok(known.is_some_and(|template| template.is_marketing()))
    }

    /// It takes its turn among the messages, so that "typing" is shown before the answer that follows it.
    pub(super) fn read_mark(&self, read: &MarkRead, place: usize, event: &Event) -> Result<Outbound, String> {
        let mark = Read { message_id: read.message_id.clone(), typing: read.typing };
        let payload = Message::Read(mark).payload(None).map_err(|error| error.to_string())?;
        self.queued(&payload, format!("flow:{}:{place}", event.id), event)
    }

    /// By the channel that the event came on.
    fn queued(&self, payload: &Value, key: String, event: &Event) -> Result<Outbound, String> {
        let body = outbound::text_of(payload);
        let payload = match Platform::of(&event.around.channel_kind) {
            Some(platform) => send::payload(platform, Purpose::Response, payload),
            None => send::refuse(payload).map(|()| payload.clone()),
        };
        let payload = payload.map_err(|error| error.to_string())?;
        // Who has just written has a window, and nobody has to look; unless it was written into a group.
        let is_recent = self.now() - event.occurred_at < WINDOW;
        let is_answer = event.kind == "message" && is_recent && group_of(event).is_none();
        Ok(Outbound {
            id: self.store.ambient.id(),
            kind: payload.get("type").and_then(Value::as_str).unwrap_or("unknown").to_owned(),
            body,
            payload: payload.to_string(),
            idempotency_key: Some(key),
            event_id: Some(event.id),
            send_at: None,
            expires_at: None,
            max_attempts: None,
            marketing: false,
            free_form: outbound::is_free_form(&payload) && !is_answer,
            // The run's, when it is committed.
            trace: None,
        })
    }

    async fn rendered(
        &self,
        template: &StoredTemplate,
        place: usize,
        tenant_id: Uuid,
        event: &Event,
    ) -> Result<Rendered, Refused> {
        let tenant = (tenant_id, event.around.tenant_name.as_str());
        let StoredTemplate { key, language, variables } = template;
        let rendered = self.library.render(tenant, key, language.as_deref(), variables, event.received_at).await;
        rendered.map_err(|error| match error {
            error if error.is_passing() => Refused::Later(error.to_string()),
            error => Refused::Invalid { code: "template", reason: format!("actions[{place}].stored: {error}") },
        })
    }
}
