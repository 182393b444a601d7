//! Contacts and their conversations: found or created in bulk, remembered in memory.
//!
//! A contact is known by WhatsApp id, by Meta's business-scoped user id, or by both.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use lru::LruCache;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::ambient::Ambient;

/// Conversations remembered per process; about 300 bytes each.
const REMEMBERED: usize = 100_000;
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

#[derive(Debug, Clone)]
struct Remembered {
    place: Place,
    profile: Profile,
    seen_at: Option<DateTime<Utc>>,
}

/// Conversations that this process has seen. Contacts are never removed, so what is remembered stays true.
pub(crate) struct Cache(Mutex<LruCache<Party, Remembered>>);

impl Default for Cache {
    fn default() -> Self {
        const CAPACITY: NonZeroUsize = NonZeroUsize::new(REMEMBERED).expect("not zero");
        Self(Mutex::new(LruCache::new(CAPACITY)))
    }
}

/// What a transaction learned; goes to the cache once it is committed.
#[derive(Default)]
pub(crate) struct Learned(Vec<(Party, Remembered)>);

impl Cache {
    fn get(&self, party: &Party) -> Option<Remembered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(party).cloned()
    }

    pub(crate) fn learn(&self, learned: Learned) {
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (party, remembered) in learned.0 {
            cache.put(party, remembered);
        }
    }
}

/// A party that spoke.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sighting<'a> {
    pub party: &'a Party,
    /// The profile and the moment, when the party wrote; `None` when somebody writes to it.
    pub seen: Option<(&'a Profile, DateTime<Utc>)>,
}

/// The places of all parties, found or created; profiles and `last_seen_at` follow.
pub(crate) async fn resolve(
    db: &mut PgConnection,
    cache: &Cache,
    ambient: &Ambient,
    sightings: &[Sighting<'_>],
) -> Result<(HashMap<Party, Place>, Learned), sqlx::Error> {
    let mut known: HashMap<Party, Remembered> = HashMap::new();
    let mut unknown: Vec<&Party> = Vec::new();
    for sighting in sightings {
        if known.contains_key(sighting.party) || unknown.contains(&sighting.party) {
            continue;
        }
        match cache.get(sighting.party) {
            Some(remembered) => drop(known.insert(sighting.party.clone(), remembered)),
            None => unknown.push(sighting.party),
        }
    }
    let mut learned: Vec<Party> = Vec::new();
    if !unknown.is_empty() {
        let now = ambient.now();
        let mut contacts = find(db, &unknown).await?;
        if contacts.len() < unknown.len() {
            let missing: Vec<&Party> = unknown.iter().copied().filter(|p| !contacts.contains_key(*p)).collect();
            insert(db, ambient, &missing, now).await?;
            contacts.extend(find(db, &missing).await?);
        }
        for (party, place) in converse(db, ambient, &contacts, now).await? {
            learned.push(party.clone());
            known.insert(party, Remembered { place, profile: Profile::default(), seen_at: None });
        }
    }
    for party in touch(db, &mut known, sightings).await? {
        learned.push(party);
    }
    let places = known.iter().map(|(party, remembered)| (party.clone(), remembered.place)).collect();
    let learned = learned.into_iter().filter_map(|party| known.get(&party).cloned().map(|known| (party, known)));
    Ok((places, Learned(learned.collect())))
}

/// Contacts that exist, by WhatsApp id first; an id that Meta tells for the first time is added to its contact.
async fn find(db: &mut PgConnection, parties: &[&Party]) -> Result<HashMap<Party, Uuid>, sqlx::Error> {
    // Indexes contacts_wa_id and contacts_user_id.
    let rows = sqlx::query!(
        r#"select k.place as "place!", c.id as "id!", c.wa_id, c.user_id
           from unnest($1::uuid[], $2::text[], $3::text[]) with ordinality as k (tenant_id, wa_id, user_id, place)
           cross join lateral (
               select id, wa_id, user_id from (
                   select id, wa_id, user_id from contacts where tenant_id = k.tenant_id and wa_id = k.wa_id
                   union all
                   select id, wa_id, user_id from contacts where tenant_id = k.tenant_id and user_id = k.user_id
               ) as either limit 1
           ) as c"#,
        &parties.iter().map(|party| party.tenant_id).collect::<Vec<_>>(),
        &parties.iter().map(|party| party.wa_id.clone()).collect::<Vec<_>>() as &[Option<String>],
        &parties.iter().map(|party| party.user_id.clone()).collect::<Vec<_>>() as &[Option<String>]
    )
    .fetch_all(&mut *db)
    .await?;
    let mut found = HashMap::new();
    for row in rows {
        let Some(party) = usize::try_from(row.place).ok().and_then(|place| parties.get(place - 1)) else { continue };
        let news = (row.wa_id.is_none() && party.wa_id.is_some()) || (row.user_id.is_none() && party.user_id.is_some());
        if news {
            complete(db, row.id, party).await?;
        }
        found.insert((*party).clone(), row.id);
    }
    Ok(found)
}

/// Adds the id that the contact lacked, unless another contact has it: those two are for people to merge.
async fn complete(db: &mut PgConnection, contact_id: Uuid, party: &Party) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update contacts c set
             wa_id = coalesce(c.wa_id, (select $3 where not exists
                 (select from contacts o where o.tenant_id = $1 and o.wa_id = $3))),
             user_id = coalesce(c.user_id, (select $4 where not exists
                 (select from contacts o where o.tenant_id = $1 and o.user_id = $4)))
         where tenant_id = $1 and id = $2",
        party.tenant_id,
        contact_id,
        party.wa_id,
        party.user_id
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn insert(
    db: &mut PgConnection,
    ambient: &Ambient,
    parties: &[&Party],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let mut parties = parties.to_vec();
    parties.sort_unstable_by_key(|party| (party.tenant_id, &party.wa_id, &party.user_id));
    sqlx::query!(
        "insert into contacts (tenant_id, id, wa_id, user_id, created_at)
         select tenant_id, id, wa_id, user_id, $5
         from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) as k (tenant_id, id, wa_id, user_id)
         on conflict do nothing",
        &parties.iter().map(|party| party.tenant_id).collect::<Vec<_>>(),
        &parties.iter().map(|_| ambient.id()).collect::<Vec<_>>(),
        &parties.iter().map(|party| party.wa_id.clone()).collect::<Vec<_>>() as &[Option<String>],
        &parties.iter().map(|party| party.user_id.clone()).collect::<Vec<_>>() as &[Option<String>],
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The conversations of contacts, found or created.
async fn converse(
    db: &mut PgConnection,
    ambient: &Ambient,
    contacts: &HashMap<Party, Uuid>,
    now: DateTime<Utc>,
) -> Result<Vec<(Party, Place)>, sqlx::Error> {
    let mut contacts: Vec<(&Party, Uuid)> = contacts.iter().map(|(party, id)| (party, *id)).collect();
    contacts.sort_unstable_by_key(|(party, id)| (party.tenant_id, party.channel_id, *id));
    let tenants: Vec<_> = contacts.iter().map(|(party, _)| party.tenant_id).collect();
    let channels: Vec<_> = contacts.iter().map(|(party, _)| party.channel_id).collect();
    let ids: Vec<_> = contacts.iter().map(|(_, id)| *id).collect();
    sqlx::query!(
        "insert into conversations (tenant_id, id, channel_id, contact_id, created_at)
         select tenant_id, id, channel_id, contact_id, $5
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[]) as k (tenant_id, id, channel_id, contact_id)
         on conflict do nothing",
        &tenants,
        &contacts.iter().map(|_| ambient.id()).collect::<Vec<_>>(),
        &channels,
        &ids,
        now
    )
    .execute(&mut *db)
    .await?;
    let rows = sqlx::query!(
        r#"select k.place as "place!", c.id
           from unnest($1::uuid[], $2::uuid[], $3::uuid[]) with ordinality as k (tenant_id, channel_id, contact_id, place)
           join conversations c on c.tenant_id = k.tenant_id and c.channel_id = k.channel_id
                               and c.contact_id = k.contact_id"#,
        &tenants,
        &channels,
        &ids
    )
    .fetch_all(db)
    .await?;
    let places = rows.into_iter().filter_map(|row| {
        let (party, contact_id) = contacts.get(usize::try_from(row.place).ok()? - 1)?;
        Some(((*party).clone(), Place { contact_id: *contact_id, conversation_id: row.id }))
    });
    Ok(places.collect())
}

/// Writes profiles that changed and sightings that are news, and tells whose.
async fn touch(
    db: &mut PgConnection,
    known: &mut HashMap<Party, Remembered>,
    sightings: &[Sighting<'_>],
) -> Result<Vec<Party>, sqlx::Error> {
    let mut touched: Vec<Party> = Vec::new();
    for sighting in sightings {
        let (Some((profile, at)), Some(contact)) = (sighting.seen, known.get_mut(sighting.party)) else { continue };
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
    touched.sort_unstable_by_key(|party| (party.tenant_id, known.get(party).map(|known| known.place.contact_id)));
    let rows: Vec<(&Party, &Remembered)> =
        touched.iter().filter_map(|party| known.get(party).map(|known| (party, known))).collect();
    sqlx::query!(
        "update contacts c set name = coalesce(k.name, c.name), username = coalesce(k.username, c.username),
                               last_seen_at = greatest(c.last_seen_at, k.seen_at)
         from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[])
             as k (tenant_id, id, name, username, seen_at)
         where c.tenant_id = k.tenant_id and c.id = k.id",
        &rows.iter().map(|(party, _)| party.tenant_id).collect::<Vec<_>>(),
        &rows.iter().map(|(_, known)| known.place.contact_id).collect::<Vec<_>>(),
        &rows.iter().map(|(_, known)| known.profile.name.clone()).collect::<Vec<_>>() as &[Option<String>],
        &rows.iter().map(|(_, known)| known.profile.username.clone()).collect::<Vec<_>>() as &[Option<String>],
        &rows.iter().map(|(_, known)| known.seen_at).collect::<Vec<_>>() as &[Option<DateTime<Utc>>]
    )
    .execute(db)
    .await?;
    Ok(touched)
}
