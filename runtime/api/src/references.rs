//! What a message to send refers to: uploaded files, and templates of Meta.

use std::collections::{HashMap, HashSet};

use hoopoe_protocol::media::Kind;
use hoopoe_protocol::messenger::Platform;
use hoopoe_store::messenger::Home;
use hoopoe_store::meta_templates::{Sendable, is_sent};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::Api;
use crate::error::{ApiError, conflict, invalid_field};

/// What was found to be good already, so that many messages with the same file or template look once.
#[derive(Default)]
pub struct References {
    files: HashSet<(String, String)>,
    /// Whether it is marketing.
    templates: HashMap<(Uuid, String, String), bool>,
}

impl References {
    /// Checks a payload that is to be sent from this channel: its uploads exist and fit, and Meta sends with its template
    /// as far as is known. 400 or 409. Gives whether the template is marketing, as far as is known.
    pub async fn check(&mut self, api: &Api, home: &Home, payload: &Value) -> Result<bool, ApiError> {
        let Home { tenant_id, channel_id, .. } = *home;
        for (kind, handle) in hoopoe_media::handles(payload) {
            if Platform::of(&home.kind).is_some() {
                let field = format!("{}.id", format!("{kind:?}").to_lowercase());
                return Err(invalid_field(&field, "uploads go out by numbers of WhatsApp only; give a link"));
            }
            self.file(api, tenant_id, kind, handle).await?;
        }
        let template = &payload["template"];
        match (&template["name"], &template["language"]["code"]) {
            (Value::String(name), Value::String(language)) => {
                self.template(api, (tenant_id, channel_id), name, language).await
            }
            _ => Ok(false),
        }
    }

    async fn file(&mut self, api: &Api, tenant_id: Uuid, kind: Kind, handle: &str) -> Result<(), ApiError> {
        let name = format!("{kind:?}").to_lowercase();
        let key = (name, handle.to_owned());
        if self.files.contains(&key) {
            return Ok(());
        }
        let field = format!("{}.id", key.0);
        let missing =
            || invalid_field(&field, format!("there is no file {handle}; upload it with POST /tenants/{{id}}/media"));
        let file =
            api.store.media(tenant_id, handle).await?.filter(|file| file.state == "stored").ok_or_else(missing)?;
        let size = file.size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
        kind.check(file.mime_type.as_deref().unwrap_or_default(), size).map_err(|why| invalid_field(&field, why))?;
        self.files.insert(key);
        Ok(())
    }

    async fn template(
        &mut self,
        api: &Api,
        (tenant_id, channel_id): (Uuid, Uuid),
        name: &str,
        language: &str,
    ) -> Result<bool, ApiError> {
        let key = (channel_id, name.to_owned(), language.to_owned());
        if let Some(is_marketing) = self.templates.get(&key) {
            return Ok(*is_marketing);
        }
        let known = api.store.template_status(tenant_id, channel_id, name, language).await?;
        let is_marketing = known.as_ref().is_some_and(Sendable::is_marketing);
        if let Some(Sendable { waba_id, status, reason, .. }) = known.filter(|known| !is_sent(&known.status)) {
            let why = reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
            let message = format!(
                "Meta sends no messages with the template {name} ({language}): it is {status}{why}; send another one, or, \
                 when that has changed at Meta, POST /tenants/{{id}}/meta-templates/sync"
            );
            let details = json!({
                "wabaId": waba_id, "name": name, "language": language, "status": status, "reason": reason,
            });
            return Err(conflict(message).with("template_stopped", details));
        }
        self.templates.insert(key, is_marketing);
        Ok(is_marketing)
    }
}
