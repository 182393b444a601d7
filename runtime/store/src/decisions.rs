//! What was decided, by flows or by the send API, written down in one statement: flows' lanes end, their runs go on
//! record, conversations keep their states, and messages get their outbox rows and lanes.
//!
//! In: lanes' runs, and messages that may belong to them. Out: which lanes were still owned, and what became of the
//! messages. Of a lane that somebody else owns by now nothing is written.

mod rows;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

use self::rows::{LaneEnd, Left, NewMessage, NewRun};
use crate::flow_work::Advance;
use crate::lanes::{self, LaneKey, Opened, Opening};
use crate::outbound::{Addressed, Inserted, first_of_lanes};
use crate::permission;
use crate::scheduled::{self, Scheduled};

/// What is to be written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decisions<'a> {
    /// Flows' lanes with their runs, each once.
    pub lanes: &'a [Arc<Advance>],
    /// Theirs or others', in the order in which they go out.
    pub messages: &'a [Addressed<'a>],
    /// Nothing at all is written when one of the messages may not go out ([`permission`]); otherwise it is left out.
    pub all_or_nothing: bool,
}

/// What became of it.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// For each lane, whether it was still owned.
    pub held: Vec<bool>,
    /// A flow's lane has work at once.
    pub more: bool,
    /// A message may not go out, and nothing was written.
    pub refused: bool,
    /// Of the messages.
    pub inserted: Inserted,
}

/// Writes it. Messages whose time is to come get neither outbox row nor lane, and a second statement. `lease` is for how
/// long lanes belong to this process that it opens. Fails when a contact has been merged into another meanwhile
/// (`identity::is_merged`).
pub(crate) async fn write(
    db: &mut PgConnection,
    Decisions { lanes, messages, all_or_nothing }: Decisions<'_>,
    now: DateTime<Utc>,
    lease: TimeDelta,
) -> Result<Written, sqlx::Error> {
    let mut written = Written { held: vec![false; lanes.len()], ..Written::default() };
    if lanes.is_empty() && messages.is_empty() {
        return Ok(written);
    }
    let (ends, runs, left) = (LaneEnd::all(lanes), NewRun::all(lanes), Left::all(lanes));
    let given: Vec<NewMessage<'_>> = messages.iter().map(|one| NewMessage::of(one, now)).collect();
    // Lanes as in `lanes::open`, locked in the order of all who lock them: the flows' lanes,
    // conversations, then delivery's, each by key. Each step asks for what the one before it gives: what is not owned any
    // more leaves nothing, messages that may not go out open no lane, and nothing is put behind what waits in a lane
    // before that is locked.
    let rows = sqlx::query!(
        r#"with k as materialized (
               select k.*, k.ordinality as place,
                      not (marketing or free_form)
                      or coalesce((select not (k.free_form and t.outside_window <> 'pass' and cv.last_inbound_at <= $7)
                                          and not (k.marketing and ct.opted_out)
                                   from conversations cv
                                   join contacts ct on ct.tenant_id = cv.tenant_id and ct.id = cv.contact_id
                                   join tenants t on t.id = cv.tenant_id
                                   where cv.tenant_id = k.tenant_id and cv.id = k.conversation_id limit 1), true) as may_go
               from unnest($1::new_message[]) with ordinality as k
           ), held as materialized (
               select e.*, 0::smallint as stage, e.again is not null or e.more or l.touched <> e.touched as stays
               from unnest($2::lane_end[]) as e
               cross join lateral (
                   select touched from lanes
                   where tenant_id = e.tenant_id and contact_id = e.contact_id and stage = 0 and lease_token = e.token
                   for update
               ) as l
               where not ($8 and exists (select from k where not may_go))
           ), gone as (
               delete from lanes l using held h
               where not h.stays and l.tenant_id = any (array[h.tenant_id]) and l.contact_id = h.contact_id and l.stage = h.stage
           ), back as (
               update lanes l set ready_at = coalesce(h.again, $5), attempts = h.attempts, lease_token = 0,
                                  done_event = greatest(h.done_event, l.done_event)
               from held h
               where h.stays and l.tenant_id = any (array[h.tenant_id]) and l.contact_id = h.contact_id and l.stage = h.stage
           ), recorded as (
               insert into flow_runs (tenant_id, event_id, attempt, plugin, digest, result, reason, actions, fuel, micros,
                                      memory_bytes, logs, conversation_id, context, config_id, state, outcome, at)
               select tenant_id, event_id, attempt, plugin, digest, result, reason, actions, fuel, micros, memory_bytes,
                      logs::json, conversation_id, context::json, config_id, state, outcome::json, $5
               from unnest($3::new_run[])
               where lane = any (array(select lane from held))
               on conflict (tenant_id, event_id, attempt) do update set
                   plugin = excluded.plugin, digest = excluded.digest, result = excluded.result, reason = excluded.reason,
                   actions = excluded.actions, fuel = excluded.fuel, micros = excluded.micros,
                   memory_bytes = excluded.memory_bytes, logs = excluded.logs, context = excluded.context,
                   config_id = excluded.config_id, state = excluded.state, outcome = excluded.outcome, at = excluded.at
               where flow_runs.result in ('retry', 'canary-failed', 'paused')
           ), kept as (
               update conversations c set
                   state = case when s.changed then s.state else c.state end,
                   state_plugin = case when s.changed then s.plugin else c.state_plugin end,
                   state_digest = case when s.changed then s.digest else c.state_digest end,
                   handed_off_at = case when s.hand_off is null then c.handed_off_at else coalesce(c.handed_off_at, $5) end,
                   handed_off_reason = coalesce(s.hand_off, c.handed_off_reason)
               from unnest($4::next_state[]) as s
               where s.lane = any (array(select lane from held))
                 and c.tenant_id = any (array[s.tenant_id]) and c.id = s.conversation_id
               returning c.id
           ), news as (
               insert into messages (tenant_id, id, conversation_id, direction, status, kind, body, payload,
                                     idempotency_key, event_id, send_at, expires_at, max_attempts, traceparent, marketing,
                                     created_at, updated_at)
               select tenant_id, id, conversation_id, 'OUT', 'queued', kind, body, payload::json, idempotency_key, event_id,
                      send_at, expires_at, max_attempts, traceparent, marketing, $5, $5
               from k
               where may_go and (lane = 0 or lane = any (array(select lane from held)))
               on conflict do nothing
               returning id
           ), going as materialized (
               select tenant_id, contact_id, id, channel_id, place, is_first, own, priority,
                      case when is_first and own then nextval('lease_tokens') else 0 end as token
               from (select *, row_number() over (partition by tenant_id, contact_id order by place) = 1 as is_first,
                            bool_and(own) over lane as own, min(priority) over lane as priority
                     from (select tenant_id, contact_id, id, channel_id, own, priority, place from k
                           where not is_later and id = any (array(select id from news))
                             and (select count(*) from kept) >= 0) as k
                     window lane as (partition by tenant_id, contact_id)
                     offset 0) as k (tenant_id, contact_id, id, channel_id, owns, priorities, place, is_first, own, priority)
           ), opened as (
               insert into lanes (tenant_id, contact_id, stage, ready_at, lease_token, done_event, priority)
               select tenant_id, contact_id, 1, case when own then $6::timestamptz else $5 end, token,
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
                      case when is_mine then 1 else 0 end, case when is_mine then $5 end
               from (select going.*, token > 0 and token = any (array(select lease_token from opened)) as is_mine
                     from locked cross join going where all_are_there offset 0) as going
               order by place
           )
           select lane, stays and (again is null or again <= $5) as more, null::uuid as id, null::uuid as tenant_id,
                  null::uuid as contact_id, null::timestamptz as ready_at, null::bigint as lease_token,
                  null::int as touched
           from held
           union all
           select null, null, id, null, null, null, null, null from news
           union all
           select null, null, null, tenant_id, contact_id, ready_at, lease_token, touched from opened
           union all
           select 0, null, null, null, null, null, null, null where $8 and exists (select from k where not may_go)"#,
        &given as &[NewMessage<'_>],
        &ends as &[LaneEnd],
        &runs as &[NewRun<'_>],
        &left as &[Left<'_>],
        now,
        now + lease,
        permission::window_start(now),
        all_or_nothing
    )
    .fetch_all(&mut *db)
    .await?;
    let mut new = HashSet::new();
    for row in &rows {
        match row.lane {
            Some(0) => written.refused = true,
            Some(lane) => {
                written.more |= row.more.unwrap_or(false);
                if let Some(held) = rows::place(lane).and_then(|place| written.held.get_mut(place)) {
                    *held = true;
                }
            }
            None => new.extend(row.id),
        }
    }
    let (later, out): (Vec<&Addressed<'_>>, Vec<&Addressed<'_>>) =
        messages.iter().filter(|one| new.contains(&one.message.id)).partition(|one| one.is_later(now));
    let openings = out.iter().map(|one| Opening { key: one.key(), own: one.own, priority: one.priority });
    let openings = lanes::distinct(openings);
    let mut opened = Opened { leases: HashMap::with_capacity(openings.len()), waits: false };
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
    let born = first_of_lanes(&out, &leases, now, lease);
    written.inserted = Inserted { born, new, waits, scheduled: !later.is_empty() };
    Ok(written)
}
