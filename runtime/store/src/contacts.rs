//! Contacts and their conversations: found or created in bulk, remembered in memory.
//!
//! A contact is known by WhatsApp id, by Meta's business-scoped user id, or by both.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use lru::LruCache;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Store;
use crate::ambient::Ambient;

/// Conversations remembered per process; about 300 bytes each.
const REMEMBERED: usize = 100_000;
/// How long a place is remembered. Meta gives a number to somebody else after months.
const LIFETIME: Duration = Duration::from_secs(60 * 60);
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
    since: Instant,
    /// It is found by an id that it has no more: not for what is sent from now on.
    is_former: bool,
}

/// Conversations that this process has seen. Contacts are never removed, but an id may become another's: whoever was
/// told so forgets it and tells the others, who would know after [`LIFETIME`] otherwise; of contacts that are merged see
/// [`crate::identity`].
pub(crate) struct Cache {
    remembered: Mutex<LruCache<Party, Remembered>>,
    /// Tells other processes of a tenant whose contacts' ids have changed.
    elsewhere: OnceLock<Box<dyn Fn(Uuid) + Send + Sync>>,
}

impl Default for Cache {
    fn default() -> Self {
        const CAPACITY: NonZeroUsize = NonZeroUsize::new(REMEMBERED).expect("not zero");
        Self { remembered: Mutex::new(LruCache::new(CAPACITY)), elsewhere: OnceLock::new() }
    }
}

/// What a transaction learned; goes to the cache once it is committed.
#[derive(Default)]
pub(crate) struct Learned(Vec<(Party, Remembered)>);

impl Learned {
    /// Those of whom something is news: that they are there, their profile, or that they wrote after a while.
    pub(crate) fn parties(&self) -> HashSet<&Party> {
        self.0.iter().map(|(party, _)| party).collect()
    }
}

impl Cache {
    fn remembered(&self) -> MutexGuard<'_, LruCache<Party, Remembered>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, party: &Party) -> Option<Remembered> {
        let known = self.remembered().get(party).cloned();
        known.filter(|known| known.since.elapsed() < LIFETIME)
    }

    /// Forgets who has one of these ids, here and elsewhere.
    pub(crate) fn forget_ids(&self, tenant_id: Uuid, ids: &[String]) {
        if let Some(elsewhere) = self.elsewhere.get() {
            elsewhere(tenant_id);
        }
        let has = |id: &Option<String>| id.as_ref().is_some_and(|id| ids.contains(id));
        self.forget(|party, _| party.tenant_id == tenant_id && (has(&party.wa_id) || has(&party.user_id)));
    }

    /// Forgets these contacts.
    pub(crate) fn forget_contacts(&self, ids: &[Uuid]) {
        self.forget(|_, place| ids.contains(&place.contact_id));
    }

    /// Forgets where these parties are.
    pub(crate) fn forget_parties<'a>(&self, parties: impl Iterator<Item = &'a Party>) {
        let mut cache = self.remembered();
        parties.for_each(|party| drop(cache.pop(party)));
    }

    fn forget(&self, is_it: impl Fn(&Party, &Place) -> bool) {
        let mut cache = self.remembered();
        let gone: Vec<Party> =
            cache.iter().filter(|(party, known)| is_it(party, &known.place)).map(|(party, _)| party.clone()).collect();
        gone.iter().for_each(|party| drop(cache.pop(party)));
    }

    pub(crate) fn learn(&self, learned: Learned) {
        let mut cache = self.remembered();
        for (party, remembered) in learned.0.into_iter().filter(|(_, remembered)| !remembered.is_former) {
            cache.put(party, remembered);
        }
    }
}

impl Store {
    /// How other processes are told that ids of a tenant's contacts have changed; it must not block. The first one stays.
    pub fn tell_of_changed_ids(&self, by: impl Fn(Uuid) + Send + Sync + 'static) {
        let _ = self.contacts.elsewhere.set(Box::new(by));
    }

    /// Another process has changed ids of this tenant's contacts, or, without one, of some tenant's: looks them up anew.
    pub fn forget_contacts(&self, tenant_id: Option<Uuid>) {
        self.contacts.forget(|party, _| tenant_id.is_none_or(|tenant_id| party.tenant_id == tenant_id));
    }
}

/// A party that spoke.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sighting<'a> {
    pub party: &'a Party,
    /// The profile and the moment, when the party wrote; `None` when somebody writes to it.
    pub seen: Option<(&'a Profile, DateTime<Utc>)>,
    /// It was not written to us alone: Meta tells it of the party, or it stands in a group.
    pub aside: bool,
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
    let mut unknown: Vec<Asked<'_>> = Vec::new();
    for sighting in sightings {
        if known.contains_key(sighting.party) || unknown.iter().any(|(party, _)| *party == sighting.party) {
            continue;
        }
        match cache.get(sighting.party) {
            Some(remembered) => drop(known.insert(sighting.party.clone(), remembered)),
            None => unknown.push((sighting.party, sighting.seen.map(|(_, at)| at))),
        }
    }
    let mut learned: Vec<Party> = Vec::new();
    let (mut apart, mut former) = (Vec::new(), HashSet::new());
    if !unknown.is_empty() {
        let now = ambient.now();
        let mut contacts = find(db, &unknown, &mut apart, &mut former).await?;
        if contacts.len() < unknown.len() {
            let missing: Vec<Asked<'_>> =
                unknown.iter().copied().filter(|(party, _)| !contacts.contains_key(*party)).collect();
            insert(db, ambient, missing.iter().map(|(party, _)| *party).collect(), now).await?;
            contacts.extend(find(db, &missing, &mut apart, &mut former).await?);
        }
        for (party, place) in converse(db, ambient, &contacts, now).await? {
            learned.push(party.clone());
            let (since, is_former) = (Instant::now(), former.contains(&party));
            let profile = Profile::default();
            known.insert(party, Remembered { place, profile, seen_at: None, since, is_former });
        }
    }
    for party in touch(db, &mut known, sightings).await? {
        learned.push(party);
    }
    let places = known.iter().map(|(party, remembered)| (party.clone(), remembered.place)).collect();
    let learned = learned.into_iter().filter_map(|party| known.get(&party).cloned().map(|known| (party, known)));
    Ok(Resolved { places, learned: Learned(learned.collect()), apart })
}

/// A party, and when it wrote, if it did.
type Asked<'a> = (&'a Party, Option<DateTime<Utc>>);

/// Contacts that exist, by WhatsApp id first; an id that Meta tells for the first time is added to its contact. What was
/// sent before an id changed is its former contact's. Parties whose ids do not go together are added to `apart`, those
/// that are found by an id that was theirs to `former`.
async fn find(
    db: &mut PgConnection,
    asked: &[Asked<'_>],
    apart: &mut Vec<(Party, DateTime<Utc>)>,
    former: &mut HashSet<Party>,
) -> Result<HashMap<Party, Uuid>, sqlx::Error> {
    // Indexes contacts_wa_id and contacts_user_id, primary key of former_ids.
    let rows = sqlx::query!(
        r#"select k.place as "place!", c.how as "how!", c.id as "id!", c.wa_id, c.user_id
           from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[])
                with ordinality as k (tenant_id, wa_id, user_id, at, place)
           cross join lateral (
               select 0 as how, id, wa_id, user_id from contacts where tenant_id = k.tenant_id and wa_id = k.wa_id
               union all
               select 1, id, wa_id, user_id from contacts where tenant_id = k.tenant_id and user_id = k.user_id
               union all
               select 2, contact_id, null::text, null::text from former_ids
               where tenant_id = k.tenant_id and former_id = k.wa_id and until >= k.at
               union all
               select 2, contact_id, null::text, null::text from former_ids
               where tenant_id = k.tenant_id and former_id = k.user_id and until >= k.at
           ) as c
           order by k.place, c.how"#,
        &asked.iter().map(|(party, _)| party.tenant_id).collect::<Vec<_>>(),
        &asked.iter().map(|(party, _)| party.wa_id.clone()).collect::<Vec<_>>() as &[Option<String>],
        &asked.iter().map(|(party, _)| party.user_id.clone()).collect::<Vec<_>>() as &[Option<String>],
        &asked.iter().map(|(_, at)| *at).collect::<Vec<_>>() as &[Option<DateTime<Utc>>]
    )
    .fetch_all(&mut *db)
    .await?;
    let mut found = HashMap::new();
    for rows in rows.chunk_by(|a, b| a.place == b.place) {
        let Some(first) = rows.first() else { continue };
        let Some((party, at)) = usize::try_from(first.place).ok().and_then(|place| asked.get(place - 1)) else {
            continue;
        };
        let was = |id: Uuid| rows.iter().any(|row| row.how == 2 && row.id == id);
        let differs =
            |known: &Option<String>, told: &Option<String>| known.is_some() && told.is_some() && known != told;
        let are_two = rows.iter().any(|row| row.how < 2 && row.id != first.id);
        let is_renumbered = first.how == 1 && differs(&first.wa_id, &party.wa_id) && !was(first.id);
        if are_two || is_renumbered {
            apart.extend(at.map(|at| ((*party).clone(), at)));
        }
        let is_news = |known: &Option<String>, told: &Option<String>| known.is_none() && told.is_some();
        if first.how < 2 && (is_news(&first.wa_id, &party.wa_id) || is_news(&first.user_id, &party.user_id)) {
            complete(db, first.id, party).await?;
        }
        if first.how == 2 {
            former.insert((*party).clone());
        }
        found.insert((*party).clone(), first.id);
    }
    Ok(found)
}

/// Adds the id that the contact lacked, unless another contact has it.
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
    mut parties: Vec<&Party>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    // Those with both ids first: who is told by one of them alone is the same.
    let lacks = |party: &Party| party.wa_id.is_none() || party.user_id.is_none();
    parties.sort_unstable_by_key(|party| (party.tenant_id, lacks(party), &party.wa_id, &party.user_id));
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
           join conversations c on c.tenant_id = any (array[k.tenant_id]) and c.channel_id = k.channel_id
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
        let (Some((profile, at)), Some(contact)) = (sighting.seen, known.get_mut(sighting.party)) else { continue };
        if sighting.aside {
            continue;
        }
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
