//! Conversations as people see them: who has them, the flow or people.

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use crate::webhooks::types;
use crate::{Error, Store};

/// One contact on one channel.
#[derive(Debug, Clone)]
pub struct Conversation {
    /// Stable id.
    pub id: Uuid,
    /// The channel.
    pub channel_id: Uuid,
    /// The contact.
    pub contact_id: Uuid,
    /// The contact's WhatsApp id.
    pub wa_id: Option<String>,
    /// The contact's business-scoped user id.
    pub user_id: Option<String>,
    /// The contact's profile name.
    pub name: Option<String>,
    /// The contact's tags, sorted.
    pub tags: Vec<String>,
    /// When the contact wrote last.
    pub last_inbound_at: Option<DateTime<Utc>>,
    /// The contact has opted out of marketing.
    pub opted_out: bool,
    /// Since when people have it; the flow is silent meanwhile.
    pub handed_off_at: Option<DateTime<Utc>>,
    /// Why.
    pub handed_off_reason: Option<String>,
    /// `name@version` of the plugin that left the conversation's state.
    pub state_plugin: Option<String>,
    /// The state's size in bytes.
    pub state_bytes: Option<i32>,
    /// The conversation that goes on in its place, since its contact turned out to be another's.
    pub merged_into: Option<Uuid>,
    /// When it began.
    pub created_at: DateTime<Utc>,
}

impl Store {
    /// One conversation, or `None`.
    pub async fn conversation(&self, tenant_id: Uuid, id: Uuid) -> Result<Option<Conversation>, Error> {
        // Primary keys.
        let found = sqlx::query_as!(
            Conversation,
            "select cv.id, cv.channel_id, cv.contact_id, ct.wa_id, ct.user_id, ct.name, ct.tags, cv.last_inbound_at, ct.opted_out,
                    cv.handed_off_at, cv.handed_off_reason, cv.state_plugin, length(cv.state) as state_bytes,
                    cv.merged_into, cv.created_at
             from conversations cv
             join contacts ct on ct.tenant_id = cv.tenant_id and ct.id = coalesce(cv.merged_contact_id, cv.contact_id)
             where cv.tenant_id = $1 and cv.id = $2",
            tenant_id,
            id
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(found)
    }

    /// A tenant's conversations, newest first, after the one with this id; ids grow with time.
    pub async fn conversations(
        &self,
        tenant_id: Uuid,
        before: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<Conversation>, Error> {
        // Primary key, backwards.
        let found = sqlx::query_as!(
            Conversation,
            "select cv.id, cv.channel_id, cv.contact_id, ct.wa_id, ct.user_id, ct.name, ct.tags, cv.last_inbound_at, ct.opted_out,
                    cv.handed_off_at, cv.handed_off_reason, cv.state_plugin, length(cv.state) as state_bytes,
                    cv.merged_into, cv.created_at
             from conversations cv
             join contacts ct on ct.tenant_id = cv.tenant_id and ct.id = cv.contact_id
             where cv.tenant_id = $1 and ($2::uuid is null or cv.id < $2) and cv.merged_into is null
             order by cv.id desc limit $3",
            tenant_id,
            before,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(found)
    }

    /// Conversations that people have, the longest waiting first.
    pub async fn handed_off(&self, tenant_id: Uuid, limit: i64) -> Result<Vec<Conversation>, Error> {
        // Index conversations_handed_off.
        let found = sqlx::query_as!(
            Conversation,
            "select cv.id, cv.channel_id, cv.contact_id, ct.wa_id, ct.user_id, ct.name, ct.tags, cv.last_inbound_at, ct.opted_out,
                    cv.handed_off_at, cv.handed_off_reason, cv.state_plugin, length(cv.state) as state_bytes,
                    cv.merged_into, cv.created_at
             from conversations cv
             join contacts ct on ct.tenant_id = cv.tenant_id and ct.id = cv.contact_id
             where cv.tenant_id = $1 and cv.handed_off_at is not null
             order by cv.handed_off_at limit $2",
            tenant_id,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(found)
    }

    /// Gives a conversation to people; its flow is silent until it is released. Of one that was merged, the one that goes
    /// on. Whether there is such a conversation.
    pub async fn hand_off(&self, tenant_id: Uuid, id: Uuid, reason: &str) -> Result<bool, Error> {
        let now = self.ambient.now();
        let mut tx = self.pool.begin().await?;
        // Primary key.
        let done = sqlx::query!(
            "update conversations set handed_off_at = coalesce(handed_off_at, $3), handed_off_reason = $4
             where tenant_id = $1 and id = (select coalesce(merged_into, id) from conversations
                                            where tenant_id = $1 and id = $2)
             returning id, contact_id, handed_off_at",
            tenant_id,
            id,
            now,
            reason
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(done) = done else { return Ok(false) };
        let mut notices = self.notices();
        if done.handed_off_at == Some(now) {
            let (id, contact_id) = (done.id, done.contact_id);
            let cause = format!("{id}/{}", now.timestamp_micros());
            notices.other(
                tenant_id,
                types::FLOW_HANDED_OFF,
                &cause,
                now,
                || json!({ "conversationId": id, "contactId": contact_id, "reason": reason, "by": "api" }),
            );
        }
        let told = notices.write(&mut tx, now).await?;
        tx.commit().await?;
        if told {
            self.wakes.webhooks.notify_one();
        }
        Ok(true)
    }

    /// Gives a conversation back to its flow, from the contact's next message on; of one that was merged, the one that goes
    /// on. Whether there is such a conversation.
    pub async fn release(&self, tenant_id: Uuid, id: Uuid) -> Result<bool, Error> {
        let done = sqlx::query!(
            "update conversations set handed_off_at = null, handed_off_reason = null
             where tenant_id = $1 and id = (select coalesce(merged_into, id) from conversations
                                            where tenant_id = $1 and id = $2)",
            tenant_id,
            id
        )
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() > 0)
    }
}
