//! Channels of Messenger and Instagram: their registration, what kind a channel is, and the messages that their people may
//! still read.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use chrono::{DateTime, Utc};
use hoopoe_secrets::Sealed;
use uuid::Uuid;

use crate::lanes::LaneKey;
use crate::{Error, Store};

/// Channels remembered per process; beyond that all are forgotten.
const REMEMBERED: usize = 100_000;

/// Where a channel is at Meta; this never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// Whose.
    pub tenant_id: Uuid,
    /// The channel.
    pub channel_id: Uuid,
    /// `whatsapp`, `messenger` or `instagram`.
    pub kind: String,
    /// Meta's id of the number, page or Instagram account.
    pub meta_id: String,
}

/// What is known of channels, by tenant and channel.
#[derive(Default)]
pub(crate) struct Homes(RwLock<HashMap<(Uuid, Uuid), Home>>);

/// A channel to register.
#[derive(Debug)]
pub struct NewHome<'a> {
    /// `messenger` or `instagram`.
    pub kind: &'a str,
    /// Meta's id of the page or Instagram account, unique in the installation.
    pub meta_id: &'a str,
    /// Instagram: the page that the account is linked to.
    pub page_id: Option<&'a str>,
    /// The page's access token.
    pub token: &'a Sealed,
}

/// `contacts.user_id` of a person on a page or Instagram account: the person's id is that channel's only.
pub fn scoped(meta_id: &str, person: &str) -> String {
    format!("{meta_id}/{person}")
}

/// The person's id as Meta knows it, from `contacts.user_id` of any channel.
pub fn person(user_id: &str) -> &str {
    user_id.rsplit_once('/').map_or(user_id, |(_, person)| person)
}

impl Store {
    /// Where a channel is, or `None` when the tenant has none of this id.
    pub async fn home(&self, tenant_id: Uuid, channel_id: Uuid) -> Result<Option<Home>, Error> {
        let key = (tenant_id, channel_id);
        if let Some(home) = self.homes.0.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(Some(home.clone()));
        }
        // Primary key.
        let home = sqlx::query_as!(
            Home,
            "select tenant_id, id as channel_id, kind, phone_number_id as meta_id from channels
             where tenant_id = $1 and id = $2",
            tenant_id,
            channel_id
        )
        .fetch_optional(&self.pool)
        .await?;
        if let Some(home) = &home {
            let mut known = self.homes.0.write().unwrap_or_else(PoisonError::into_inner);
            if known.len() >= REMEMBERED {
                known.clear();
            }
            known.insert(key, home.clone());
        }
        Ok(home)
    }

    /// Registers a channel of a tenant. `None` when Meta's id is a channel's already.
    pub async fn add_home(&self, tenant_id: Uuid, new: &NewHome<'_>) -> Result<Option<Home>, Error> {
        // Index channels_phone_number_id.
        let home = sqlx::query_as!(
            Home,
            "insert into channels (tenant_id, id, kind, phone_number_id, page_id, token_sealed, token_key_id, created_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8)
             on conflict (phone_number_id) do nothing
             returning tenant_id, id as channel_id, kind, phone_number_id as meta_id",
            tenant_id,
            self.ambient.id(),
            new.kind,
            new.meta_id,
            new.page_id,
            new.token.bytes,
            new.token.key_id,
            self.ambient.now()
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(home)
    }

    /// Keeps that a message is about to be sent whose reading Meta tells by a moment.
    pub async fn begin_unread(&self, lane: LaneKey, channel_id: Uuid, message_id: Uuid) -> Result<(), Error> {
        let mut db = self.hot.statements().await?;
        sqlx::query!(
            "insert into unread (tenant_id, channel_id, contact_id, message_id, begun_at) values ($1, $2, $3, $4, $5)
             on conflict (tenant_id, channel_id, contact_id, message_id) do update set begun_at = excluded.begun_at",
            lane.tenant_id,
            channel_id,
            lane.contact_id,
            message_id,
            self.ambient.now()
        )
        .execute(&mut *db)
        .await?;
        Ok(db.commit().await?)
    }

    /// Gives up on a tenant's messages that were sent before this moment and not read, at most `limit`; tells how many.
    pub async fn delete_unread_before(&self, tenant_id: Uuid, before: DateTime<Utc>, limit: i64) -> Result<u64, Error> {
        // Primary key, by tenant.
        let deleted = sqlx::query!(
            "delete from unread where tenant_id = $1 and message_id in
                 (select message_id from unread where tenant_id = $1 and begun_at < $2 limit $3)",
            tenant_id,
            before,
            limit
        )
        .execute(&self.pool)
        .await?;
        Ok(deleted.rows_affected())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_one_channels_only_and_keeps_metas_id() {
        assert_ne!(scoped("PAGE", "77"), scoped("PAGE2", "77"));
        assert_eq!(person(&scoped("PAGE", "77")), "77");
        assert_eq!(person("US.13491208655302741918"), "US.13491208655302741918");
    }
}
