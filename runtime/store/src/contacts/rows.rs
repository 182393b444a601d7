//! The rows of contacts and conversations: found, completed or created.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Party, Place, Sighting};
use crate::ambient::Ambient;

/// Contacts that exist, by WhatsApp id first; an id that Meta tells for the first time is added to its contact. What was
/// sent before an id changed is its former contact's. Parties whose ids do not go together are added to `apart`; these, and
/// those that are not found by an id that is theirs, to `passing`: what is found is not to be remembered.
pub(super) async fn find(
    db: &mut PgConnection,
    asked: &[&Sighting<'_>],
    apart: &mut Vec<(Party, DateTime<Utc>)>,
    passing: &mut HashSet<Party>,
) -> Result<HashMap<Party, Uuid>, sqlx::Error> {
    // Indexes contacts_wa_id and contacts_user_id, primary key of former_ids.
    let rows = sqlx::query_as!(
        Row,
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
        &asked.iter().map(|one| one.party.tenant_id).collect::<Vec<_>>(),
        &asked.iter().map(|one| one.party.wa_id.clone()).collect::<Vec<_>>() as &[Option<String>],
        &asked.iter().map(|one| one.party.user_id.clone()).collect::<Vec<_>>() as &[Option<String>],
        &asked.iter().map(|one| one.at).collect::<Vec<_>>() as &[Option<DateTime<Utc>>]
    )
    .fetch_all(&mut *db)
    .await?;
    let mut found = HashMap::new();
    for rows in rows.chunk_by(|a, b| a.place == b.place) {
        let Some(first) = rows.first() else { continue };
        let Some(Sighting { party, at, dialed, .. }) =
            usize::try_from(first.place).ok().and_then(|place| asked.get(place - 1))
        else {
            continue;
        };
        let was = |id: Uuid| rows.iter().any(|row| row.how == 2 && row.id == id);
        let other = rows.iter().find(|row| row.how == 1 && row.id != first.id);
        let is_renumbered =
            first.how == 1 && first.wa_id.is_some() && party.wa_id.is_some() && first.wa_id != party.wa_id;
        // The user id tells who it is: of a number that was theirs then, and of one that was dialed, which takes nobody's
        // ids away.
        let is_anothers = first.user_id.is_some();
        let by_user_id_alone = |row: &&Row| was(row.id) || (*dialed && (row.wa_id.is_some() || is_anothers));
        let chosen = other.filter(by_user_id_alone).unwrap_or(first);
        let are_two = other.is_some_and(|row| row.id != chosen.id);
        if are_two || (is_renumbered && !was(first.id) && !dialed) {
            apart.extend(at.map(|at| ((*party).clone(), at)));
        }
        if are_two || is_renumbered {
            passing.insert((*party).clone());
        }
        let is_news = |known: &Option<String>, told: &Option<String>| known.is_none() && told.is_some();
        if chosen.how < 2 && (is_news(&chosen.wa_id, &party.wa_id) || is_news(&chosen.user_id, &party.user_id)) {
            complete(db, chosen.id, party).await?;
        }
        if chosen.how == 2 || chosen.id != first.id {
            passing.insert((*party).clone());
        }
        found.insert((*party).clone(), chosen.id);
    }
    Ok(found)
}

/// A contact that has or had one of a party's ids: its number (0), its user id (1), or either of them once (2).
struct Row {
    place: i64,
    how: i32,
    id: Uuid,
    wa_id: Option<String>,
    user_id: Option<String>,
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

pub(super) async fn insert(
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
pub(super) async fn converse(
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
