//! Which version of the tenant's plugin gets an event, and the state that it is given.

use hoopoe_plugins::{Error, Library};
use hoopoe_sandbox::{Digest, Owner, Plugin};
use hoopoe_store::flow_work::{Event, State};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::run::Runner;

/// A plugin with the state that it can read.
pub(crate) struct Chosen {
    pub plugin: Plugin,
    pub state: Option<Vec<u8>>,
    /// The state was another version's and has been migrated.
    pub migrated: bool,
    /// The plugin is on trial.
    pub canary: bool,
    /// What is remarkable about the choice.
    pub note: Option<String>,
}

/// Why there is no plugin for an event.
pub(crate) enum Unavailable {
    /// It may be there later.
    Now(Error),
    /// The version on trial cannot be loaded.
    Canary { digest: [u8; 32], reason: String },
    /// The state cannot be migrated, and the version that left it is gone.
    State(String),
}

impl Runner {
    pub(crate) async fn choose(&self, tenant_id: Uuid, event: &Event, attempt: i32) -> Result<Chosen, Unavailable> {
        let flow = &event.around.flow;
        // Whatever an event's first run made of the trial, its next is the active version's.
        let canary =
            flow.canary.as_ref().filter(|(_, percent)| attempt == 1 && sticky(event.conversation_id) < *percent);
        let digest = canary.map(|(digest, _)| digest.as_str()).or(flow.digest.as_deref());
        let plugin = self.library.flow(tenant_id, &flow.name, digest).await.map_err(|error| match (error, canary) {
            (error @ (Error::Missing(_) | Error::Load { .. }), Some((digest, _))) => Unavailable::Canary {
                digest: Digest::from_hex(digest).map(|digest| *digest.as_bytes()).unwrap_or_default(),
                reason: error.to_string(),
            },
            (error, _) => Unavailable::Now(error),
        })?;
        let mut chosen = fit(&self.library, tenant_id, &flow.name, plugin, event.around.state.as_ref()).await?;
        chosen.canary = canary.is_some();
        Ok(chosen)
    }
}

/// The plugin with the conversation's state in a form that it reads. When it cannot migrate the state, the version
/// that left it keeps the conversation.
pub(crate) async fn fit(
    library: &Library,
    tenant_id: Uuid,
    name: &str,
    plugin: Plugin,
    state: Option<&State>,
) -> Result<Chosen, Unavailable> {
    let with = |plugin: Plugin, state: Option<Vec<u8>>, migrated: bool, note: Option<String>| Chosen {
        plugin,
        state,
        migrated,
        canary: false,
        note,
    };
    let Some(state) = state else { return Ok(with(plugin, None, false, None)) };
    if state.digest == plugin.digest().to_string() {
        return Ok(with(plugin, Some(state.bytes.clone()), false, None));
    }
    let (former, version) = state.plugin.split_once('@').unwrap_or((&state.plugin, ""));
    if former != plugin.manifest().name {
        // Another plugin's state means nothing to this one.
        return Ok(with(plugin, None, false, None));
    }
    let run = plugin.migrate_state(Owner(tenant_id.as_u128()), version, &state.bytes).await;
    let failure = match run.result {
        Ok(bytes) => return Ok(with(plugin, Some(bytes), true, None)),
        Err(failure) => failure,
    };
    let reason = format!("migrate-state from {} to {} failed: {failure}", state.plugin, plugin.manifest().version);
    tracing::warn!(tenant = %tenant_id, plugin = name, reason, "the former version keeps the conversation");
    match library.flow(tenant_id, name, Some(&state.digest)).await {
        Ok(former) => Ok(with(former, Some(state.bytes.clone()), false, Some(reason))),
        Err(Error::Missing(_)) => Err(Unavailable::State(format!("{reason}; and {} is gone", state.plugin))),
        Err(error) => Err(Unavailable::Now(error)),
    }
}

/// A number from 0 to 99, always the same for a conversation.
fn sticky(conversation_id: Uuid) -> u8 {
    let digest = Sha256::digest(conversation_id);
    (u16::from_be_bytes([digest[0], digest[1]]) % 100) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversations_are_spread_over_the_percentages() {
        let shares: Vec<u8> = (0..10_000).map(|n| sticky(Uuid::from_u128(n))).collect();
        assert!(shares.iter().all(|share| *share < 100));
        let below = shares.iter().filter(|share| **share < 20).count();
        assert!((1_800..2_200).contains(&below), "{below} of 10,000 below 20");
    }
}
