//! Contacts and their conversations: found or created in bulk, remembered in memory.
//!
//! A contact is known by WhatsApp id, by Meta's business-scoped user id, or by both.

mod cache;
mod rows;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use self::cache::Remembered;
pub(crate) use self::cache::{Cache, Learned};
use self::rows::{converse, find, insert};
use crate::ambient::Ambient;

/// `last_seen_at` is kept to this precision, so that a busy contact is not rewritten with every message.
const SEEN_PRECISION: TimeDelta = TimeDelta::seconds(60);

/// A contact on a channel, as an item or a request names it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Party {
    /// Whose contact.
    pub tenant_id: Uuid,
    /// On which number.
    pub channel_id: Uuid,
    /// Digits only.
    pub wa_id: Option<String>,
    /// Meta's business-scoped user id; on Messenger and Instagram what [`crate::messenger::scoped`] makes.
    pub user_id: Option<String>,
}

/// What a profile says, as far as it was told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// Display name.
    pub name: Option<String>,
    /// Username.
    pub username: Option<String>,
}

/// Where a party's messages go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The contact.
    pub contact_id: Uuid,
    /// The contact on the channel.
    pub conversation_id: Uuid,
}

/// A party that spoke.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sighting<'a> {
    pub party: &'a Party,
    /// The profile, when the party wrote; `None` when somebody writes to it.
    pub seen: Option<&'a Profile>,
    /// When it was named so; `None` when that says nothing of whose the ids are: somebody gave them to us.
    pub at: Option<DateTime<Utc>>,
    /// It was not written to us alone: Meta tells it of the party, or it stands in a group.
    pub aside: bool,
    /// Its number is one that was dialed. In some countries a person's WhatsApp id is another one, so that a difference
    /// between them says nothing.
    pub dialed: bool,
}

/// Where parties are.
#[derive(Default)]
pub(crate) struct Resolved {
    /// All of them.
    pub places: HashMap<Party, Place>,
    /// For the cache, after the commit.
    pub learned: Learned,
    /// Those whose ids were two contacts' so far, or whose number is another than was known.
    pub apart: Vec<(Party, DateTime<Utc>)>,
}

/// The places of all parties, found or created; profiles and `last_seen_at` follow.
pub(crate) async fn resolve(
    db: &mut PgConnection,
    cache: &Cache,
    ambient: &Ambient,
    sightings: &[Sighting<'_>],
) -> Result<Resolved, sqlx::Error> {
    let mut known: HashMap<Party, Remembered> = HashMap::new();
    let mut unknown: Vec<&Sighting<'_>> = Vec::new();
    for sighting in sightings {
        if known.contains_key(sighting.party) || unknown.iter().any(|asked| asked.party == sighting.party) {
            continue;
        }
        match cache.get(sighting.party) {
            Some(remembered) => drop(known.insert(sighting.party.clone(), remembered)),
            None => unknown.push(sighting),
        }
    }
    let mut learned: Vec<Party> = Vec::new();
    let (mut apart, mut passing) = (Vec::new(), HashSet::new());
    if !unknown.is_empty() {
        let now = ambient.now();
        let mut contacts = find(db, &unknown, &mut apart, &mut passing).await?;
        if contacts.len() < unknown.len() {
            let missing: Vec<&Sighting<'_>> =
                unknown.iter().copied().filter(|asked| !contacts.contains_key(asked.party)).collect();
            insert(db, ambient, missing.iter().map(|asked| asked.party).collect(), now).await?;
            contacts.extend(find(db, &missing, &mut apart, &mut passing).await?);
        }
        for (party, place) in converse(db, ambient, &contacts, now).await? {
            learned.push(party.clone());
            let (since, is_passing) = (Instant::now(), passing.contains(&party));
            let profile = Profile::default();
            known.insert(party, Remembered { place, profile, seen_at: None, since, is_passing });
        }
    }
    for party in touch(db, &mut known, sightings).await? {
        learned.push(party);
    }
    let places = known.iter().map(|(party, remembered)| (party.clone(), remembered.place)).collect();
    let learned = learned.into_iter().filter_map(|party| known.get(&party).cloned().map(|known| (party, known)));
    Ok(Resolved { places, learned: Learned(learned.collect()), apart })
}

/// What is news of a contact.
#[derive(Default)]
struct Seen {
    profile: Profile,
    at: Option<DateTime<Utc>>,
}

/// Writes profiles that changed and sightings that are news, and tells whose.
async fn touch(
    db: &mut PgConnection,
    known: &mut HashMap<Party, Remembered>,
    sightings: &[Sighting<'_>],
) -> Result<Vec<Party>, sqlx::Error> {
    let mut touched: Vec<Party> = Vec::new();
    for sighting in sightings {
        let Some((profile, at)) = sighting.seen.zip(sighting.at).filter(|_| !sighting.aside) else { continue };
        let Some(contact) = known.get_mut(sighting.party) else { continue };
        let renamed = (profile.name.is_some() && profile.name != contact.profile.name)
            || (profile.username.is_some() && profile.username != contact.profile.username);
        let unseen = contact.seen_at.is_none_or(|seen| at - seen >= SEEN_PRECISION);
        if renamed || unseen {
            contact.profile.name = profile.name.clone().or(contact.profile.name.take());
            contact.profile.username = profile.username.clone().or(contact.profile.username.take());
            contact.seen_at = contact.seen_at.max(Some(at));
            if !touched.contains(sighting.party) {
                touched.push(sighting.party.clone());
            }
        }
    }
    if touched.is_empty() {
        return Ok(touched);
    }
    // A contact may have been named by several parties: of names that of the latest counts.
    let mut rows: BTreeMap<(Uuid, Uuid), Seen> = BTreeMap::new();
    for party in &touched {
        let Some(Remembered { place, profile, seen_at, .. }) = known.get(party) else { continue };
        let row = rows.entry((party.tenant_id, place.contact_id)).or_default();
        let (newer, older) = if *seen_at >= row.at { (profile, &row.profile) } else { (&row.profile, profile) };
        let name = newer.name.clone().or_else(|| older.name.clone());
        let username = newer.username.clone().or_else(|| older.username.clone());
        *row = Seen { profile: Profile { name, username }, at: row.at.max(*seen_at) };
    }
    sqlx::query!(
        "update contacts c set name = coalesce(k.name, c.name), username = coalesce(k.username, c.username),
                               last_seen_at = greatest(c.last_seen_at, k.seen_at)
         from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[])
             as k (tenant_id, id, name, username, seen_at)
         where c.tenant_id = any (array[k.tenant_id]) and c.id = k.id",
        &rows.keys().map(|key| key.0).collect::<Vec<_>>(),
        &rows.keys().map(|key| key.1).collect::<Vec<_>>(),
        &rows.values().map(|row| row.profile.name.clone()).collect::<Vec<_>>() as &[Option<String>],
        &rows.values().map(|row| row.profile.username.clone()).collect::<Vec<_>>() as &[Option<String>],
        &rows.values().map(|row| row.at).collect::<Vec<_>>() as &[Option<DateTime<Utc>>]
    )
    .execute(db)
    .await?;
    Ok(touched)
}
