//! Messages into their table, their outbox and their lanes, in one statement.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Addressed, Inserted};
use crate::deliveries::{Delivery, Waiting};
use crate::lanes::{self, LaneKey, Lease, Opened, Opening};
use crate::messenger::person;
use crate::permission;
use crate::scheduled::{self, Scheduled};
use crate::traces;

/// Inserts messages that are new and may go out, with their outbox rows and lanes; those whose time is to come get
/// neither, and a second statement. See [`permission`] for what may not. Fails when a contact has been merged into another
/// meanwhile (`identity::is_merged`).
pub(crate) async fn insert(
    db: &mut PgConnection,
    messages: &[Addressed<'_>],
    now: DateTime<Utc>,
    lease: TimeDelta,
) -> Result<Inserted, sqlx::Error> {
    if messages.is_empty() {
        return Ok(Inserted::default());
    }
    // As in `lanes::open`. Each step asks for what the one before it gives: messages that may not go out open no lane, and
    // the lanes are locked before anything is put behind what waits there.
    let rows = sqlx::query!(
        r#"with k as materialized (
               select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[],
                                    $8::bigint[], $9::timestamptz[], $10::timestamptz[], $11::int[], $12::text[],
                                    $14::bool[], $15::bool[], $17::uuid[], $18::uuid[], $19::bool[], $20::smallint[],
                                    $21::bool[])
                   with ordinality as k (tenant_id, id, conversation_id, kind, body, payload, idempotency_key, event_id,
                                         send_at, expires_at, max_attempts, traceparent, marketing, free_form,
                                         contact_id, channel_id, own, priority, is_later, place)
           ), news as (
               insert into messages (tenant_id, id, conversation_id, direction, status, kind, body, payload,
                                     idempotency_key, event_id, send_at, expires_at, max_attempts, traceparent, marketing,
                                     created_at, updated_at)
               select tenant_id, id, conversation_id, 'OUT', 'queued', kind, body, payload::json, idempotency_key, event_id,
                      send_at, expires_at, max_attempts, traceparent, marketing, $13, $13
               from k
               where not (k.marketing or k.free_form)
                  or coalesce((select not (k.free_form and t.outside_window <> 'pass' and cv.last_inbound_at <= $16)
                                      and not (k.marketing and ct.opted_out)
                               from conversations cv
                               join contacts ct on ct.tenant_id = cv.tenant_id and ct.id = cv.contact_id
                               join tenants t on t.id = cv.tenant_id
                               where cv.tenant_id = k.tenant_id and cv.id = k.conversation_id limit 1), true)
               on conflict do nothing
               returning id
           ), going as materialized (
               select tenant_id, contact_id, id, channel_id, place, is_first, own, priority,
                      case when is_first and own then nextval('lease_tokens') else 0 end as token
               from (select *, row_number() over (partition by tenant_id, contact_id order by place) = 1 as is_first,
                            bool_and(own) over lane as own, min(priority) over lane as priority
                     from (select tenant_id, contact_id, id, channel_id, own, priority, place from k
                           where not is_later and id = any (array(select id from news))) as k
                     window lane as (partition by tenant_id, contact_id)
                     offset 0) as k (tenant_id, contact_id, id, channel_id, owns, priorities, place, is_first, own, priority)
           ), opened as (
               insert into lanes (tenant_id, contact_id, stage, ready_at, lease_token, done_event, priority)
               select tenant_id, contact_id, 1, case when own then $22::timestamptz else $13 end, token,
                      nextval('events_id_seq'), priority
               from going where is_first order by tenant_id, contact_id
               on conflict (tenant_id, contact_id, stage)
               do update set touched = lanes.touched + 1, priority = least(lanes.priority, excluded.priority)
               returning tenant_id, contact_id, ready_at, lease_token, touched
           ), locked as materialized (
               select refuse_merged(array_agg(tenant_id), array_agg(contact_id)) as all_are_there from opened
           ), queued as (
               insert into outbox (tenant_id, contact_id, message_id, channel_id, state, attempts, sending_at)
               select tenant_id, contact_id, id, channel_id, case when is_mine then 'sending' else 'queued' end,
                      case when is_mine then 1 else 0 end, case when is_mine then $13 end
               from (select going.*, token > 0 and token = any (array(select lease_token from opened)) as is_mine
                     from locked cross join going where all_are_there offset 0) as going
               order by place
           )
           select id, null as tenant_id, null as contact_id, null as ready_at, null as lease_token, null as touched from news
           union all
           select null, tenant_id, contact_id, ready_at, lease_token, touched from opened"#,
        &messages.iter().map(|one| one.tenant_id).collect::<Vec<_>>(),
        &messages.iter().map(|one| one.message.id).collect::<Vec<_>>(),
        &messages.iter().map(|one| one.place.conversation_id).collect::<Vec<_>>(),
        &messages.iter().map(|one| one.message.kind.clone()).collect::<Vec<_>>(),
        &messages.iter().map(|one| one.message.body.clone()).collect::<Vec<_>>() as &[Option<String>],
        &messages.iter().map(|one| one.message.payload.clone()).collect::<Vec<_>>(),
        &messages.iter().map(|one| one.message.idempotency_key.clone()).collect::<Vec<_>>() as &[Option<String>],
        &messages.iter().map(|one| one.message.event_id).collect::<Vec<_>>() as &[Option<i64>],
        &messages.iter().map(|one| one.message.send_at).collect::<Vec<_>>() as &[Option<DateTime<Utc>>],
        &messages.iter().map(|one| one.message.expires_at).collect::<Vec<_>>() as &[Option<DateTime<Utc>>],
        &messages.iter().map(|one| one.message.max_attempts).collect::<Vec<_>>() as &[Option<i32>],
        &traces::column(messages.iter().map(|one| one.message.trace)) as &[Option<String>],
        now,
        &messages.iter().map(|one| one.message.marketing).collect::<Vec<_>>(),
        &messages.iter().map(|one| one.message.free_form).collect::<Vec<_>>(),
        permission::window_start(now),
        &messages.iter().map(|one| one.place.contact_id).collect::<Vec<_>>(),
        &messages.iter().map(|one| one.channel_id).collect::<Vec<_>>(),
        &messages.iter().map(|one| one.own).collect::<Vec<_>>(),
        &messages.iter().map(|one| one.priority).collect::<Vec<_>>(),
        &messages.iter().map(|one| one.is_later(now)).collect::<Vec<_>>(),
        now + lease
    )
    .fetch_all(&mut *db)
    .await?;
    let new: HashSet<Uuid> = rows.iter().filter_map(|row| row.id).collect();
    let (later, out): (Vec<&Addressed<'_>>, Vec<&Addressed<'_>>) =
        messages.iter().filter(|one| new.contains(&one.message.id)).partition(|one| one.is_later(now));
    let openings = out.iter().map(|one| Opening { key: one.lane(), own: one.own, priority: one.priority });
    let openings = lanes::distinct(openings);
    let mut opened = Opened::default();
    for row in rows {
        if let (Some(tenant_id), Some(contact_id), Some(ready_at), Some(token), Some(touched)) =
            (row.tenant_id, row.contact_id, row.ready_at, row.lease_token, row.touched)
        {
            opened.add(&openings, LaneKey { tenant_id, contact_id }, (token, touched), ready_at <= now);
        }
    }
    let later: Vec<Scheduled> = later.iter().filter_map(|one| one.scheduled()).collect();
    scheduled::keep(db, &later).await?;
    let Opened { leases, waits } = opened;
    Ok(Inserted { born: first_of_lanes(&out, &leases, now, lease), new, waits, scheduled: !later.is_empty() })
}

impl Addressed<'_> {
    fn lane(&self) -> LaneKey {
        LaneKey { tenant_id: self.tenant_id, contact_id: self.place.contact_id }
    }

    fn is_later(&self, now: DateTime<Utc>) -> bool {
        self.message.send_at.is_some_and(|at| at > now)
    }

    fn scheduled(&self) -> Option<Scheduled> {
        let message = Waiting { lane: self.lane(), message_id: self.message.id, channel_id: self.channel_id };
        Some(Scheduled { message, send_at: self.message.send_at?, priority: self.priority })
    }
}

/// The first message of each owned lane; the lease remembers whether there are more.
fn first_of_lanes(
    out: &[&Addressed<'_>],
    leases: &HashMap<LaneKey, Lease>,
    now: DateTime<Utc>,
    time: TimeDelta,
) -> Vec<Delivery> {
    let mut born: Vec<Delivery> = Vec::with_capacity(leases.len());
    let mut places: HashMap<LaneKey, usize> = HashMap::with_capacity(leases.len());
    for one in out {
        let Some(lease) = leases.get(&one.lane()) else { continue };
        if let Some(place) = places.get(&one.lane()) {
            born[*place].lease.more = true;
            continue;
        }
        places.insert(one.lane(), born.len());
        born.push(Delivery {
            lease: *lease,
            until: now + time,
            message_id: one.message.id,
            channel_id: one.channel_id,
            priority: one.priority,
            wa_id: one.wa_id.map(str::to_owned),
            user_id: one.user_id.map(|id| person(id).to_owned()),
            payload: one.message.payload.clone(),
            attempt: 1,
            due_at: now,
            expires_at: one.message.expires_at,
            max_attempts: one.message.max_attempts,
            opted_out: false,
            trace: one.message.trace,
        });
    }
    born
}
