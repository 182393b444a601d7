//! States for the trial of a new version before it takes over.

use uuid::Uuid;

use crate::{Error, Store};

/// How many of the tenant's latest runs are searched for conversations.
const RUNS: i64 = 10_000;

/// What a version left in a conversation.
#[derive(Debug, Clone)]
pub struct KeptState {
    /// The conversation.
    pub conversation_id: Uuid,
    /// name@version of the plugin that left it.
    pub plugin: String,
    /// The state.
    pub state: Vec<u8>,
}

impl Store {
    /// States that the version with this digest left in the conversations that were handled last, at most `limit`;
    /// from the tenant's latest 10,000 runs.
    pub async fn recent_states(&self, tenant_id: Uuid, digest: &str, limit: i64) -> Result<Vec<KeptState>, Error> {
        // Index flow_runs_at, then the primary key of conversations; lateral with offset, so that its whole key is used
        // also while the table is small.
        let states = sqlx::query_as!(
            KeptState,
            r#"select c.id as conversation_id, coalesce(c.state_plugin, '') as "plugin!", c.state as "state!"
               from (
                   select r.conversation_id, max(r.at) as at from (
                       select conversation_id, at from flow_runs where tenant_id = $1 order by at desc limit $3
                   ) as r
                   where r.conversation_id is not null group by r.conversation_id
               ) as recent
               cross join lateral (
                   select id, state_plugin, state, state_digest from conversations
                   where tenant_id = $1 and id = recent.conversation_id offset 0
               ) as c
               where c.state_digest = $2 and c.state is not null
               order by recent.at desc, c.id limit $4"#,
            tenant_id,
            digest,
            RUNS,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(states)
    }
}
