//! Channels that statuses suspend. Meta takes every message of theirs and reports each as failed: that it takes one says
//! nothing, and a status lets them go on.

use uuid::Uuid;

use super::Locked;
use crate::journal::Progress;
use crate::{Error, Store};

impl Store {
    /// Lets a channel send again of which Meta has taken a message, unless a status has suspended it. Gives whether nothing
    /// keeps it. The caller wakes delivery, once nobody remembers the channel as it was.
    pub async fn resume_refused_channel(&self, tenant_id: Uuid, channel_id: Uuid) -> Result<bool, Error> {
        let mut tx = self.pool.begin().await?;
        // Primary key.
        let found = sqlx::query!(
            r#"select phone_number_id, suspended_at is not null as "is_suspended!",
                      coalesce(taken_at >= suspended_at, false) as "by_status!"
               from channels where tenant_id = $1 and id = $2 for no key update"#,
            tenant_id,
            channel_id
        )
        .fetch_optional(&mut *tx)
        .await?;
        match found {
            Some(found) if found.by_status => Ok(false),
            Some(found) if found.is_suspended => {
                let phone_number_id = found.phone_number_id;
                let channel = Locked { tenant_id, id: channel_id, phone_number_id, is_suspended: true };
                self.let_go(tx, channel, None, None).await?;
                Ok(true)
            }
            _ => Ok(true),
        }
    }

    /// Meta has taken a message of a channel that a status has suspended: the next one is not tried for a while.
    pub async fn suspended_channel_took(&self, tenant_id: Uuid, channel_id: Uuid) -> Result<(), Error> {
        // Primary key.
        sqlx::query!(
            "update channels set taken_at = $3 where tenant_id = $1 and id = $2 and taken_at >= suspended_at",
            tenant_id,
            channel_id,
            self.ambient.now()
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Lets a channel that a status has suspended send again, if this status is of a message that Meta took after that.
    /// Gives whether it does so. The caller wakes delivery, once nobody remembers the channel as it was.
    pub async fn resume_reported_channel(&self, status: &Progress) -> Result<bool, Error> {
        let mut tx = self.pool.begin().await?;
        // Primary keys, or else index messages_metas_id. A status may be faster than our own record of the acceptance: then
        // the request tells the time, and where the outcome was unknown and the outbox has the message no more, the message.
        let channel = sqlx::query_as!(
            Locked,
            r#"select c.tenant_id as "tenant_id!", c.id as "id!", c.phone_number_id as "phone_number_id!",
                      true as "is_suspended!"
               from channels c
               cross join lateral (
                   (select id, conversation_id, accepted_at, created_at from messages
                    where tenant_id = $1 and id = $3 and direction = 'OUT' limit 1)
                   union all
                   (select id, conversation_id, accepted_at, created_at from messages
                    where tenant_id = $1 and wa_message_id = $4 and direction = 'OUT' limit 1)
                   limit 1
               ) as m
               left join lateral (
                   select o.sending_at
                   from conversations cv
                   cross join lateral (
                       select sending_at from outbox
                       where tenant_id = $1 and contact_id = coalesce(cv.merged_contact_id, cv.contact_id)
                         and message_id = m.id
                       limit 1
                   ) as o
                   where cv.tenant_id = $1 and cv.id = m.conversation_id
               ) as o on true
               where c.tenant_id = $1 and c.id = $2 and c.taken_at >= c.suspended_at
                 and coalesce(m.accepted_at, o.sending_at, m.created_at) > c.suspended_at
               for no key update of c"#,
            status.item.tenant_id,
            status.item.channel_id,
            status.message_id,
            status.wa_message_id
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(channel) = channel else { return Ok(false) };
        self.let_go(tx, channel, None, None).await?;
        Ok(true)
    }
}
