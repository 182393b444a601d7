//! What a flow may know around an event: tenant, channel, contact, conversation.

use std::collections::HashMap;

use chrono::TimeDelta;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Around, Flow, State};
use crate::messenger::person;

/// The surroundings of these conversations, given as tenant and conversation, by conversation.
pub(super) async fn load(
    db: &mut PgConnection,
    mut conversations: Vec<(Uuid, Uuid)>,
) -> Result<HashMap<Uuid, Around>, sqlx::Error> {
    conversations.sort_unstable();
    conversations.dedup();
    if conversations.is_empty() {
        return Ok(HashMap::new());
    }
    let (tenants, conversations): (Vec<Uuid>, Vec<Uuid>) = conversations.into_iter().unzip();
    // Primary keys throughout.
    let rows = sqlx::query!(
        r#"select cv.id, cv.state, cv.state_plugin, cv.state_digest, cv.handed_off_at is not null as "handed_off!",
                  cv.last_inbound_at, cv.channel_id, ch.kind as channel_kind, ch.phone_number_id, ch.display_phone_number, ct.wa_id, ct.user_id,
                  ct.name, ct.username, ct.tags, t.name as tenant_name, t.flow, t.flow_digest, t.flow_config_id,
                  t.flow_canary_digest, t.flow_canary_percent, t.flow_paused_at is not null as "paused!",
                  t.debounce_seconds
           from unnest($1::uuid[], $2::uuid[]) as k (tenant_id, id)
           join conversations cv on cv.tenant_id = any (array[k.tenant_id]) and cv.id = k.id
           join contacts ct on ct.tenant_id = any (array[k.tenant_id]) and ct.id = cv.contact_id
           join channels ch on ch.tenant_id = k.tenant_id and ch.id = cv.channel_id
           join tenants t on t.id = k.tenant_id"#,
        &tenants,
        &conversations
    )
    .fetch_all(db)
    .await?;
    let surroundings = rows.into_iter().map(|row| {
        let around = Around {
            state: row.state.map(|bytes| State {
                bytes,
                plugin: row.state_plugin.unwrap_or_default(),
                digest: row.state_digest.unwrap_or_default(),
            }),
            handed_off: row.handed_off,
            last_inbound_at: row.last_inbound_at,
            debounce: TimeDelta::seconds(row.debounce_seconds.into()),
            burst: Vec::new(),
            channel_id: row.channel_id,
            channel_kind: row.channel_kind,
            phone_number_id: row.phone_number_id,
            display_phone_number: row.display_phone_number,
            wa_id: row.wa_id,
            user_id: row.user_id.map(|id| person(&id).to_owned()),
            name: row.name,
            username: row.username,
            tags: row.tags,
            tenant_name: row.tenant_name,
            flow: Flow {
                name: row.flow,
                digest: row.flow_digest,
                config_id: row.flow_config_id,
                canary: row
                    .flow_canary_digest
                    .map(|digest| (digest, u8::try_from(row.flow_canary_percent).unwrap_or(0))),
                paused: row.paused,
            },
        };
        (row.id, around)
    });
    Ok(surroundings.collect())
}
