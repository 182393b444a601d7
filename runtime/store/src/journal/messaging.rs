//! What Messenger and Instagram tell in other ways than WhatsApp: progress by a moment in place of a message's id, and
//! echoes of all that a page sends, by whatever application. WhatsApp echoes what the business writes in its own app.
//!
//! Both become progress of single messages before the batch is appended, so that everything behind is the same for all
//! channels. An echo that is of no message of ours stays one, and becomes a message of the business.

use std::borrow::Cow;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Arrival, Item, Progress};
use crate::ambient::Ambient;
use crate::contacts::{Party, Place};

/// Everything that was sent to a person until a moment, or up to a message, came so far.
#[derive(Debug)]
pub struct Watermark {
    /// The item.
    pub item: Item,
    /// Who.
    pub party: Party,
    /// `delivered` or `read`.
    pub status: &'static str,
    /// The moment, by Meta's clock.
    pub until: Option<DateTime<Utc>>,
    /// Without a moment: the last message, by Meta's id.
    pub last: Option<String>,
    /// Whether the flow wants to see it.
    pub for_flow: bool,
    /// Makes the status item of a message, from Meta's id of it and ours: formats of Meta are not known here.
    pub item_of: fn(&Watermark, &str, Uuid) -> String,
}

/// The page or account wrote, or the business in the WhatsApp Business app. `item.external_id` is Meta's message id.
#[derive(Debug)]
pub struct Echo {
    /// The item, for the case that the message is not ours.
    pub item: Item,
    /// The progress that it is, for the case that it is.
    pub progress: Progress,
    /// To whom.
    pub party: Party,
    /// Meta's type.
    pub kind: String,
    /// What people read in a list.
    pub body: Option<String>,
    /// Another application sent it: what is attached to it is not an id of ours, or Meta echoes nothing else.
    pub foreign: bool,
    /// That it was read is told by a moment or by the last message, and not by its id.
    pub read_by_moment: bool,
}

/// The arrivals with progress of single messages: echoes of our messages become it, watermarks add it at the end.
pub(super) async fn expand<'a>(
    db: &mut PgConnection,
    arrivals: &'a [Arc<Arrival>],
) -> Result<Cow<'a, [Arc<Arrival>]>, sqlx::Error> {
    let mut watermarks: Vec<&Watermark> = Vec::new();
    let mut echoes: Vec<(usize, &Echo)> = Vec::new();
    for (place, arrival) in arrivals.iter().enumerate() {
        match &**arrival {
            Arrival::Watermark(watermark) => watermarks.push(watermark),
            Arrival::Echo(echo) => echoes.push((place, &**echo)),
            _ => {}
        }
    }
    if watermarks.is_empty() && echoes.is_empty() {
        return Ok(Cow::Borrowed(arrivals));
    }
    let mut expanded = arrivals.to_vec();
    let mut echoed: Vec<(Uuid, String)> = Vec::new();
    for (place, message_id) in ours(db, &echoes).await? {
        if let Some((place, echo)) = echoes.get(place) {
            echoed.push((message_id, echo.item.external_id.clone()));
            expanded[*place] =
                Arc::new(Arrival::Status(Progress { message_id: Some(message_id), ..echo.progress.clone() }));
        }
    }
    // Progress by Meta's id in the same batch as the echo that tells whose id it is.
    for arrival in &mut expanded {
        if let Arrival::Status(progress) = &**arrival
            && progress.message_id.is_none()
            && let Some((message_id, _)) = echoed.iter().find(|(_, mid)| *mid == progress.wa_message_id)
        {
            let progress = Progress { message_id: Some(*message_id), ..progress.clone() };
            *arrival = Arc::new(Arrival::Status(progress));
        }
    }
    for (place, message_id, wa_message_id) in until(db, &watermarks, &echoed).await? {
        if let Some(watermark) = watermarks.get(place) {
            let progress = watermark.progress(message_id, wa_message_id);
            let same = expanded.iter().position(|one| one.is_step(&progress));
            let progress = Arc::new(Arrival::Status(progress));
            match same {
                // It was named by Meta's id as well; this one says ours too.
                Some(place) => expanded[place] = progress,
                None => expanded.push(progress),
            }
        }
    }
    Ok(Cow::Owned(expanded))
}

impl Arrival {
    /// The same step of the same message.
    fn is_step(&self, other: &Progress) -> bool {
        let key = |item: &Item| (item.tenant_id, item.channel_id, item.external_id.clone());
        matches!(self, Arrival::Status(known) if key(&known.item) == key(&other.item))
    }
}

impl Watermark {
    fn progress(&self, message_id: Uuid, wa_message_id: String) -> Progress {
        let external_id = format!("{wa_message_id}/{}/{}", self.status, self.item.occurred_at.timestamp());
        let raw = (self.item_of)(self, &wa_message_id, message_id);
        Progress {
            item: Item { kind: "status".to_owned(), external_id, raw, note: None, ..self.item.clone() },
            wa_message_id,
            message_id: Some(message_id),
            status: self.status.to_owned(),
            error: None,
            for_flow: self.for_flow,
        }
    }
}

/// The echoes that are of messages of ours: by the id that we attached, by Meta's; or, where an echo says nothing of what
/// was attached, the one message that is under way to the person, when it says the same.
async fn ours(db: &mut PgConnection, echoes: &[(usize, &Echo)]) -> Result<Vec<(usize, Uuid)>, sqlx::Error> {
    if echoes.is_empty() {
        return Ok(Vec::new());
    }
    // Primary keys; indexes messages_metas_id and contacts_user_id.
    let rows = sqlx::query!(
        r#"select k.place as "place!", one.id as "id!"
           from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::uuid[], $6::bool[], $7::text[], $8::text[])
                with ordinality as k (tenant_id, channel_id, user_id, mid, ours, foreign_data, kind, body, place)
           cross join lateral (
               select id from (
                   (select id, 1 as rank from messages
                    where tenant_id = k.tenant_id and id = k.ours and direction = 'OUT' and payload is not null)
                   union all
                   (select id, 2 from messages
                    where tenant_id = k.tenant_id and wa_message_id = k.mid and direction = 'OUT' and payload is not null)
                   union all
                   (select m.id, 3 from contacts ct
                    join outbox o on o.tenant_id = any (array[ct.tenant_id]) and o.contact_id = ct.id
                    join messages m on m.tenant_id = any (array[o.tenant_id]) and m.id = o.message_id
                    where ct.tenant_id = any (array[k.tenant_id]) and ct.user_id = k.user_id and k.ours is null and not k.foreign_data
                      and o.channel_id = k.channel_id and o.state <> 'queued' and m.wa_message_id is null
                      and (m.body = k.body or (m.body is null and k.body is null and m.kind = k.kind)))
               ) as any_of order by rank limit 1
           ) as one"#,
        &echoes.iter().map(|(_, echo)| echo.item.tenant_id).collect::<Vec<_>>(),
        &echoes.iter().map(|(_, echo)| echo.item.channel_id).collect::<Vec<_>>(),
        &echoes.iter().map(|(_, echo)| echo.party.user_id.clone()).collect::<Vec<_>>() as &[Option<String>],
        &echoes.iter().map(|(_, echo)| echo.item.external_id.clone()).collect::<Vec<_>>(),
        &echoes.iter().map(|(_, echo)| echo.progress.message_id).collect::<Vec<_>>() as &[Option<Uuid>],
        &echoes.iter().map(|(_, echo)| echo.foreign).collect::<Vec<_>>(),
        &echoes.iter().map(|(_, echo)| echo.kind.clone()).collect::<Vec<_>>(),
        &echoes.iter().map(|(_, echo)| echo.body.clone()).collect::<Vec<_>>() as &[Option<String>]
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().filter_map(|row| Some((usize::try_from(row.place).ok()? - 1, row.id))).collect())
}

/// The messages that came so far, by place of the watermark, with Meta's ids of them. Those whose echo is in the batch are
/// not known as sent yet: `echoed` has them, with Meta's ids.
async fn until(
    db: &mut PgConnection,
    watermarks: &[&Watermark],
    echoed: &[(Uuid, String)],
) -> Result<Vec<(usize, Uuid, String)>, sqlx::Error> {
    if watermarks.is_empty() {
        return Ok(Vec::new());
    }
    let of_echo = |mid: &String| echoed.iter().find(|(_, echo)| echo == mid).map(|(id, _)| *id);
    // Index contacts_user_id, then primary keys.
    let rows = sqlx::query!(
        r#"select k.place as "place!", m.id as "id!", m.wa_message_id
           from unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::text[], $6::uuid[], $7::text[])
                with ordinality as k (tenant_id, channel_id, user_id, until, last, last_id, status, place)
           cross join lateral (
               select id from contacts where tenant_id = k.tenant_id and user_id = k.user_id limit 1
           ) as ct
           join unread u on u.tenant_id = k.tenant_id and u.channel_id = k.channel_id and u.contact_id = ct.id
           join messages m on m.tenant_id = any (array[u.tenant_id]) and m.id = u.message_id
           where m.status < k.status::message_status
             and ((m.status >= 'sent' and m.wa_message_id is not null) or m.id = any ($8::uuid[]))
             and u.begun_at <= coalesce(k.until, (
                 select max(b.begun_at) from unread b
                 join messages s on s.tenant_id = b.tenant_id and s.id = b.message_id
                 where b.tenant_id = k.tenant_id and b.channel_id = k.channel_id and b.contact_id = ct.id
                   and (s.wa_message_id = k.last or s.id = k.last_id)))
           order by k.place, u.begun_at"#,
        &watermarks.iter().map(|one| one.item.tenant_id).collect::<Vec<_>>(),
        &watermarks.iter().map(|one| one.item.channel_id).collect::<Vec<_>>(),
        &watermarks.iter().map(|one| one.party.user_id.clone()).collect::<Vec<_>>() as &[Option<String>],
        &watermarks.iter().map(|one| one.until).collect::<Vec<_>>() as &[Option<DateTime<Utc>>],
        &watermarks.iter().map(|one| one.last.clone()).collect::<Vec<_>>() as &[Option<String>],
        &watermarks.iter().map(|one| one.last.as_ref().and_then(of_echo)).collect::<Vec<_>>() as &[Option<Uuid>],
        &watermarks.iter().map(|one| one.status.to_owned()).collect::<Vec<_>>(),
        &echoed.iter().map(|(id, _)| *id).collect::<Vec<_>>()
    )
    .fetch_all(db)
    .await?;
    let came = rows.into_iter().filter_map(|row| {
        let echo = || echoed.iter().find(|(id, _)| *id == row.id).map(|(_, mid)| mid.clone());
        let mid = row.wa_message_id.clone().or_else(echo)?;
        Some((usize::try_from(row.place).ok()? - 1, row.id, mid))
    });
    Ok(came.collect())
}

/// What was read is not waited for any more.
pub(super) async fn forget_read(db: &mut PgConnection, arrivals: &[Arc<Arrival>]) -> Result<(), sqlx::Error> {
    let read: Vec<&Watermark> = arrivals
        .iter()
        .filter_map(|arrival| match &**arrival {
            Arrival::Watermark(watermark) if watermark.status == "read" => Some(watermark),
            _ => None,
        })
        .collect();
    if read.is_empty() {
        return Ok(());
    }
    // Index contacts_user_id, then primary keys.
    sqlx::query!(
        "delete from unread u
         using unnest($1::uuid[], $2::uuid[], $3::text[]) as k (tenant_id, channel_id, user_id)
         cross join lateral (
             select id from contacts where tenant_id = k.tenant_id and user_id = k.user_id limit 1
         ) as ct
         where u.tenant_id = k.tenant_id and u.channel_id = k.channel_id and u.contact_id = ct.id
           and exists (select from messages m where m.tenant_id = any (array[u.tenant_id]) and m.id = u.message_id
                       and m.status >= 'read')",
        &read.iter().map(|one| one.item.tenant_id).collect::<Vec<_>>(),
        &read.iter().map(|one| one.item.channel_id).collect::<Vec<_>>(),
        &read.iter().map(|one| one.party.user_id.clone()).collect::<Vec<_>>() as &[Option<String>]
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Keeps what the business wrote by other applications as its own messages, sent already; it may be read as any other.
pub(super) async fn insert_echoes(
    db: &mut PgConnection,
    ambient: &Ambient,
    fresh: &[(i64, &Echo, Place)],
) -> Result<(), sqlx::Error> {
    if fresh.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = fresh.iter().map(|_| ambient.id()).collect();
    sqlx::query!(
        "insert into messages (tenant_id, id, conversation_id, direction, status, kind, body, wa_message_id, event_id,
                               accepted_at, created_at, updated_at)
         select tenant_id, id, conversation_id, 'OUT', 'sent', kind, body, wa_message_id, event_id, occurred_at,
                received_at, received_at
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::bigint[],
                     $8::timestamptz[], $9::timestamptz[])
              as k (tenant_id, id, conversation_id, kind, body, wa_message_id, event_id, occurred_at, received_at)",
        &fresh.iter().map(|(_, echo, _)| echo.item.tenant_id).collect::<Vec<_>>(),
        &ids,
        &fresh.iter().map(|(_, _, place)| place.conversation_id).collect::<Vec<_>>(),
        &fresh.iter().map(|(_, echo, _)| echo.kind.clone()).collect::<Vec<_>>(),
        &fresh.iter().map(|(_, echo, _)| echo.body.clone()).collect::<Vec<_>>() as &[Option<String>],
        &fresh.iter().map(|(_, echo, _)| echo.item.external_id.clone()).collect::<Vec<_>>(),
        &fresh.iter().map(|(event_id, _, _)| *event_id).collect::<Vec<_>>(),
        &fresh.iter().map(|(_, echo, _)| echo.item.occurred_at).collect::<Vec<_>>(),
        &fresh.iter().map(|(_, echo, _)| echo.item.received_at).collect::<Vec<_>>()
    )
    .execute(&mut *db)
    .await?;
    let unread: Vec<(&Echo, Place, Uuid)> = fresh
        .iter()
        .zip(ids)
        .filter(|((_, echo, _), _)| echo.read_by_moment)
        .map(|((_, echo, place), id)| (*echo, *place, id))
        .collect();
    if unread.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into unread (tenant_id, channel_id, contact_id, message_id, begun_at)
         select tenant_id, channel_id, contact_id, message_id, occurred_at
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::timestamptz[])
              as k (tenant_id, channel_id, contact_id, message_id, occurred_at)",
        &unread.iter().map(|(echo, _, _)| echo.item.tenant_id).collect::<Vec<_>>(),
        &unread.iter().map(|(echo, _, _)| echo.item.channel_id).collect::<Vec<_>>(),
        &unread.iter().map(|(_, place, _)| place.contact_id).collect::<Vec<_>>(),
        &unread.iter().map(|(_, _, id)| *id).collect::<Vec<_>>(),
        &unread.iter().map(|(echo, _, _)| echo.item.occurred_at).collect::<Vec<_>>()
    )
    .execute(db)
    .await?;
    Ok(())
}
