//! Who is who: numbers and user ids that turn out to be one person's, or that change.
//!
//! Meta tells it by a system message (`user_changed_number`, `user_changed_user_id`), or by a message that carries both
//! ids. A change is a transaction of its own, before that of the message that told it; done again it changes nothing.
//! Contacts that are one are [merged](merge): the older stays.
//!
//! Places that other processes remember may be those of a contact that is merged by now. So whoever adds work for a
//! contact looks into `merged_contacts` in the statement that adds it, under the lock of the contact's lane, which a
//! merge takes as well: it finds the merge, or the merge finds its work. The former looks up its contacts anew.

mod merge;
mod rows;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use self::rows::{insert, locked, remember, set_ids, with_ids};
use crate::contacts::Party;
use crate::error::Fault;
use crate::journal::Inbound;
use crate::lanes::LaneKey;
use crate::{SqlError, Store};

/// Times that a change is tried when others are in its way.
const TRIES: usize = 5;

/// What Meta says of a person's ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Renamed {
    /// The number from now on.
    pub wa_id: Option<String>,
    /// The user id from now on.
    pub user_id: Option<String>,
    /// Ids until now.
    pub former: Vec<String>,
}

/// A contact as this module sees it.
#[derive(Debug, Clone)]
struct Known {
    id: Uuid,
    wa_id: Option<String>,
    user_id: Option<String>,
}

/// Others are changing the same contacts, or have made one with such an id.
fn is_in_the_way(error: &SqlError) -> bool {
    let is_taken = error.as_database_error().is_some_and(|error| error.is_unique_violation());
    is_taken || Fault::of(error) == Fault::Conflict
}

/// Some contacts have been merged into others.
const MERGED: &str = "a contact was merged into another meanwhile";

/// What a transaction fails with whose contacts have been merged meanwhile; [`Fault::of`] takes it for a conflict.
pub(crate) fn merged() -> SqlError {
    SqlError::Protocol(MERGED.to_owned())
}

/// Of the function `refuse_merged`.
const MERGED_CODE: &str = "HP001";

/// Whether it is that, said by us or by the database.
pub(crate) fn is_merged(error: &SqlError) -> bool {
    match error {
        SqlError::Protocol(text) => text == MERGED,
        SqlError::Database(error) => error.code().is_some_and(|code| code == MERGED_CODE),
        _ => false,
    }
}

/// Which of these contacts have been merged into others.
pub(crate) async fn merged_among(db: &mut PgConnection, lanes: &[LaneKey]) -> Result<Vec<Uuid>, SqlError> {
    // Primary key.
    sqlx::query_scalar!(
        "select g.contact_id from unnest($1::uuid[], $2::uuid[]) as k (tenant_id, contact_id)
         join merged_contacts g on g.tenant_id = k.tenant_id and g.contact_id = k.contact_id",
        &lanes.iter().map(|lane| lane.tenant_id).collect::<Vec<_>>(),
        &lanes.iter().map(|lane| lane.contact_id).collect::<Vec<_>>()
    )
    .fetch_all(db)
    .await
}

impl Store {
    /// Carries out what system messages tell, in their order, as far as they have not come before.
    pub(crate) async fn rename(&self, messages: &[(&Inbound, &Renamed)]) -> Result<(), SqlError> {
        for (message, renamed) in messages {
            let item = &message.item;
            // Index of events on tenant, channel, kind and Meta's id.
            let known = sqlx::query_scalar!(
                "select id from events where tenant_id = $1 and channel_id = $2 and kind = $3 and external_id = $4",
                item.tenant_id,
                item.channel_id,
                item.kind,
                item.external_id
            )
            .fetch_optional(&self.pool)
            .await?;
            // An old notice could be about a number that is somebody else's by now.
            if known.is_none() {
                self.unite(item.tenant_id, renamed, item.occurred_at.min(item.received_at)).await?;
            }
        }
        Ok(())
    }

    /// A message of this party carries both ids: they are one person's from now on.
    pub(crate) async fn unite_party(&self, party: &Party, at: DateTime<Utc>) -> Result<(), SqlError> {
        let renamed = Renamed { wa_id: party.wa_id.clone(), user_id: party.user_id.clone(), former: Vec::new() };
        self.unite(party.tenant_id, &renamed, at).await
    }

    async fn unite(&self, tenant_id: Uuid, renamed: &Renamed, at: DateTime<Utc>) -> Result<(), SqlError> {
        let mut tries = 0;
        loop {
            match self.try_unite(tenant_id, renamed, at).await {
                Err(error) if is_in_the_way(&error) && tries < TRIES => tries += 1,
                done => return done,
            }
        }
    }

    async fn try_unite(&self, tenant_id: Uuid, renamed: &Renamed, at: DateTime<Utc>) -> Result<(), SqlError> {
        let now = self.ambient.now();
        let Renamed { wa_id, user_id, former } = renamed;
        let mut tx = self.pool.begin().await?;
        // Changes of one tenant's contacts come one after the other.
        sqlx::query!(
            "select pg_advisory_xact_lock('merged_contacts'::regclass::oid::integer, hashtext($1))",
            tenant_id.to_string()
        )
        .execute(&mut *tx)
        .await?;
        let ids: Vec<String> = [wa_id, user_id].into_iter().flatten().chain(former).cloned().collect();
        let known = with_ids(&mut tx, tenant_id, &ids).await?;
        let mut known = locked(&mut tx, tenant_id, &known).await?;
        if let Some(other) = former_holder(&known, renamed) {
            let other = known.remove(other);
            if known.is_empty() && former.is_empty() {
                // A user id that was never seen, and a number with another: nothing says who has it.
                return Ok(());
            }
            let (id, number) = (other.id, other.wa_id.clone());
            set_ids(&mut tx, tenant_id, &Known { wa_id: None, ..other }).await?;
            remember(&mut tx, tenant_id, id, number.as_slice(), at).await?;
        }
        let first = match known.first() {
            Some(first) => first.clone(),
            // Nobody that is known: the notice came before all else.
            None if former.is_empty() => return Ok(()),
            None => Known { id: self.ambient.id(), wa_id: wa_id.clone(), user_id: user_id.clone() },
        };
        if known.is_empty() {
            insert(&mut tx, tenant_id, &first, now).await?;
        }
        let others: Vec<Uuid> = known.iter().skip(1).map(|it| it.id).collect();
        let mut gone: Vec<String> = former.clone();
        let newest = |new: &Option<String>, of: fn(&Known) -> &Option<String>| {
            new.clone().or_else(|| known.iter().find_map(|it| of(it).clone().filter(|id| !former.contains(id))))
        };
        let united =
            Known { id: first.id, wa_id: newest(wa_id, |it| &it.wa_id), user_id: newest(user_id, |it| &it.user_id) };
        for id in known.iter().flat_map(|it| [&it.wa_id, &it.user_id]).flatten() {
            if united.wa_id.as_ref() != Some(id) && united.user_id.as_ref() != Some(id) && !gone.contains(id) {
                gone.push(id.clone());
            }
        }
        let gone: Vec<String> = gone
            .into_iter()
            .filter(|id| united.wa_id.as_ref() != Some(id) && united.user_id.as_ref() != Some(id))
            .collect();
        if !others.is_empty() {
            merge::merge(&mut tx, tenant_id, first.id, &others, now).await?;
        }
        set_ids(&mut tx, tenant_id, &united).await?;
        remember(&mut tx, tenant_id, first.id, &gone, at).await?;
        tx.commit().await?;
        self.contacts.forget_ids(tenant_id, &ids);
        self.contacts.forget_ids(tenant_id, &gone);
        if !others.is_empty() {
            tracing::info!(tenant = %tenant_id, contact = %first.id, merged = ?others, "contacts are one person's");
            self.contacts.forget_contacts(&others);
            self.wakes.flow.notify_one();
            self.wakes.delivery.notify_one();
        }
        Ok(())
    }
}

/// Who has the number so far and is somebody else: has another user id than the person that has it from now on.
fn former_holder(known: &[Known], renamed: &Renamed) -> Option<usize> {
    let Renamed { wa_id, user_id, former } = renamed;
    let is_former = |id: &String| former.contains(id);
    let had = |it: &&Known| [&it.wa_id, &it.user_id].into_iter().flatten().any(is_former);
    let person = user_id.as_ref().or_else(|| known.iter().find(had)?.user_id.as_ref())?;
    let differs = |id: &String| id != person && !is_former(id);
    known.iter().position(|it| it.wa_id.is_some() && it.wa_id == *wa_id && it.user_id.as_ref().is_some_and(differs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_with_another_user_id_is_somebody_elses() {
        let known = |ids: &[(Option<&str>, Option<&str>)]| -> Vec<Known> {
            let one = |(wa_id, user_id): &(Option<&str>, Option<&str>)| Known {
                id: Uuid::nil(),
                wa_id: wa_id.map(str::to_owned),
                user_id: user_id.map(str::to_owned),
            };
            ids.iter().map(one).collect()
        };
        let told = |wa_id: &str, user_id: Option<&str>, former: &[&str]| Renamed {
            wa_id: Some(wa_id.to_owned()),
            user_id: user_id.map(str::to_owned),
            former: former.iter().map(|id| (*id).to_owned()).collect(),
        };
        for (label, contacts, renamed, holder) in [
            ("two halves of one", known(&[(Some("1"), None), (None, Some("A"))]), told("1", Some("A"), &[]), None),
            (
                "the number was B's",
                known(&[(Some("1"), Some("B")), (None, Some("A"))]),
                told("1", Some("A"), &[]),
                Some(0),
            ),
            (
                "A had another number",
                known(&[(Some("2"), Some("A")), (Some("1"), None)]),
                told("1", Some("A"), &[]),
                None,
            ),
            (
                "A's new number was B's",
                known(&[(Some("2"), Some("A")), (Some("1"), Some("B"))]),
                told("1", None, &["2"]),
                Some(1),
            ),
            (
                "A's new number was known",
                known(&[(Some("2"), Some("A")), (Some("1"), None)]),
                told("1", None, &["2"]),
                None,
            ),
            ("A has another user id", known(&[(Some("1"), Some("A"))]), told("1", Some("C"), &["A"]), None),
            ("nobody is known", known(&[]), told("1", Some("A"), &["2"]), None),
        ] {
            assert_eq!(former_holder(&contacts, &renamed), holder, "{label}");
        }
    }
}
