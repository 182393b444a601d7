//! The settlement of claimed messages, fenced by their lanes' leases.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Settled, Settlement, Verdict};
use crate::Store;
use crate::composite::composite;
use crate::lanes::{self, LaneKey, Stage};

impl Store {
    /// Writes the verdicts down, all or none, and gives what became of each. An acceptance by Meta is never forgotten.
    pub async fn settle(&self, settlements: &[Arc<Settlement>]) -> Result<Vec<Settled>, sqlx::Error> {
        let now = self.ambient.now();
        let mut notices = self.notices();
        let is_plain = |one: &Settlement| {
            matches!(one.verdict, Verdict::Sent { .. })
                && one.verdict.told_as().is_none_or(|kind| !notices.want(one.lease.lane.tenant_id, kind))
        };
        // Nearly always all have been sent: that is one statement.
        let plain = settlements.iter().all(|one| is_plain(one));
        let mut db = if plain { self.hot.statements().await? } else { self.hot.transaction().await? };
        let Closed { settled, known, more } = close(&mut db, settlements, now).await?;
        if plain && more {
            // Whatever becomes of the rest.
            self.wakes.delivery.notify_one();
        }
        let written = || {
            let outcomes = settlements.iter().zip(&settled);
            outcomes.filter(|(one, settled)| one.verdict.is_told(**settled)).map(|(one, _)| one)
        };
        write_steps(&mut db, written().map(Arc::as_ref), now).await?;
        // A status was faster than the answer: the next claim only takes the message out.
        lanes::hurry(&mut db, Stage::Delivery, &known, now).await?;
        let late: Vec<(Uuid, Uuid)> = settlements
            .iter()
            .zip(&settled)
            .filter(|(one, settled)| matches!(one.verdict, Verdict::Sent { .. }) && **settled == Settled::Lost)
            .map(|(one, _)| (one.lease.lane.tenant_id, one.message_id))
            .collect();
        let hastened = hasten(&mut db, &late, now).await?;
        for one in written() {
            if let Some(kind) = one.verdict.told_as() {
                notices.message(one.lease.lane.tenant_id, one.message_id, kind, now);
            }
        }
        let told = notices.write(&mut db, now).await?;
        db.commit().await?;
        if told {
            self.wakes.webhooks.notify_one();
        }
        let is_left = |(one, settled): (&Arc<Settlement>, &Settled)| {
            *settled == Settled::Written && one.verdict.state().is_some()
        };
        if more || hastened || settlements.iter().zip(&settled).any(is_left) {
            self.wakes.delivery.notify_one();
        }
        Ok(settled)
    }
}

/// A settlement.
#[derive(sqlx::Encode)]
struct Given<'a> {
    tenant_id: Uuid,
    contact_id: Uuid,
    token: i64,
    touched: i32,
    more: bool,
    message_id: Uuid,
    again: Option<DateTime<Utc>>,
    status: Option<&'static str>,
    wa_message_id: Option<&'a str>,
    error: Option<&'a str>,
    attempts: i32,
    state: Option<&'static str>,
    uncounted: i32,
}
composite!(Given<'_>, "settlement");

impl<'a> Given<'a> {
    fn of(one: &'a Settlement) -> Self {
        let Settlement { lease, message_id, attempts, verdict } = one;
        Self {
            tenant_id: lease.lane.tenant_id,
            contact_id: lease.lane.contact_id,
            token: lease.token,
            touched: lease.touched,
            more: lease.more,
            message_id: *message_id,
            again: verdict.again(),
            status: verdict.status(),
            wa_message_id: verdict.wa_message_id(),
            error: verdict.error(),
            attempts: attempts - verdict.uncounted(),
            state: verdict.state(),
            uncounted: verdict.uncounted(),
        }
    }
}

/// What became of settlements.
struct Closed {
    /// Of each.
    settled: Vec<Settled>,
    /// Lanes that were given back with a message that Meta is known to have.
    known: Vec<LaneKey>,
    /// A lane has work at once.
    more: bool,
}

/// Closes the lanes that are still owned, as `decisions::write` does, with what is known of their messages: those go out of
/// the outbox, or back into it.
async fn close(
    db: &mut PgConnection,
    settlements: &[Arc<Settlement>],
    now: DateTime<Utc>,
) -> Result<Closed, sqlx::Error> {
    let mut sorted: Vec<(usize, &Settlement)> = settlements.iter().map(Arc::as_ref).enumerate().collect();
    sorted.sort_unstable_by_key(|(_, one)| (one.lease.lane, one.message_id));
    let given: Vec<Given<'_>> = sorted.iter().map(|(_, one)| Given::of(one)).collect();
    // Lanes, then messages, each by key; of two verdicts on one message an acceptance counts. Of a status that comes
    // meanwhile either this knows, or it waits for this. A message is not given up that a status has told of, and what was
    // given up and is accepted after all is no dead letter any more.
    let rows = sqlx::query!(
        r#"with k as materialized (
               select k.*, k.ordinality as place, 1::smallint as stage
               from unnest($1::settlement[]) with ordinality as k
           ), held as materialized (
               select k.*, k.again is not null or k.more or l.touched <> k.touched as stays
               from k
               cross join lateral (
                   select touched from lanes
                   where tenant_id = k.tenant_id and contact_id = k.contact_id and stage = k.stage
                     and lease_token = k.token
                   for update
               ) as l
           ), gone as (
               delete from lanes l using held h
               where not h.stays and l.tenant_id = any (array[h.tenant_id]) and l.contact_id = h.contact_id and l.stage = h.stage
           ), back as (
               update lanes l set ready_at = coalesce(h.again, $2), attempts = 0, lease_token = 0
               from held h
               where h.stays and l.tenant_id = any (array[h.tenant_id]) and l.contact_id = h.contact_id and l.stage = h.stage
           ), over as (
               delete from outbox o using held h
               where h.state is null and o.tenant_id = any (array[h.tenant_id]) and o.contact_id = h.contact_id
                 and o.message_id = h.message_id
           ), put_back as (
               update outbox o set state = h.state, attempts = o.attempts - h.uncounted,
                                   doubted = o.doubted or h.state = 'unknown'
               from held h
               where h.state is not null and o.tenant_id = any (array[h.tenant_id]) and o.contact_id = h.contact_id
                 and o.message_id = h.message_id
           ), told as (
               update messages m set
                   status = case
                       when k.status = 'sent' and m.dead_at is not null then 'sent'
                       when k.status = 'failed' and m.status >= 'sent' then m.status
                       else greatest(m.status, k.status::message_status)
                   end,
                   wa_message_id = coalesce(m.wa_message_id, k.wa_message_id),
                   attempts = greatest(m.attempts, k.attempts),
                   error = case
                       when k.status = 'sent' and (m.status < 'failed' or m.dead_at is not null) then null
                       when k.status = 'failed' and m.status >= 'sent' then m.error
                       else coalesce(k.error::json, m.error)
                   end,
                   accepted_at = case when k.status = 'sent' then coalesce(m.accepted_at, $2) else m.accepted_at end,
                   dead_at = case
                       when k.status = 'sent' then null
                       when k.status = 'failed' and m.status < 'sent' then $2
                       else m.dead_at
                   end,
                   updated_at = $2
               from (select * from k where status = 'sent' or place = any (array(select place from held))
                     order by tenant_id, message_id, status is distinct from 'sent' offset 0) as k
               where k.status is not null and m.tenant_id = any (array[k.tenant_id]) and m.id = k.message_id
               returning k.place, m.status >= 'sent' as accepted, k.status = 'failed' and m.dead_at is null as spared
           )
           select place as "place!", stays and (again is null or again <= $2) as "more!",
                  state is not null and place = any (array(select place from told where accepted)) as "known!",
                  place = any (array(select place from told where spared)) as "spared!"
           from held"#,
        &given as &[Given<'_>],
        now
    )
    .fetch_all(db)
    .await?;
    let mut closed = Closed { settled: vec![Settled::Lost; settlements.len()], known: Vec::new(), more: false };
    for row in rows {
        let Some((place, one)) = usize::try_from(row.place).ok().and_then(|place| sorted.get(place - 1)) else {
            continue;
        };
        closed.settled[*place] = if row.spared { Settled::Spared } else { Settled::Written };
        closed.more |= row.more;
        if row.known {
            closed.known.push(one.lease.lane);
        }
    }
    Ok(closed)
}

/// Messages that Meta is known to have by now, whose lanes somebody took over and, for want of that knowledge, lets wait:
/// the next claim takes them out. A contact may have been merged into another meanwhile.
async fn hasten(db: &mut PgConnection, late: &[(Uuid, Uuid)], now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    if late.is_empty() {
        return Ok(false);
    }
    // Primary keys, row by row.
    let hastened = sqlx::query!(
        "update lanes l set ready_at = $3
         from (select k.tenant_id, c.contact_id, 1::smallint as stage
               from unnest($1::uuid[], $2::uuid[]) as k (tenant_id, id)
               cross join lateral (
                   select coalesce(cv.merged_contact_id, cv.contact_id) as contact_id
                   from messages m
                   join conversations cv on cv.tenant_id = m.tenant_id and cv.id = m.conversation_id
                   where m.tenant_id = k.tenant_id and m.id = k.id limit 1
               ) as c
               cross join lateral (
                   select from outbox
                   where tenant_id = k.tenant_id and contact_id = c.contact_id and message_id = k.id
                     and state = 'unknown' limit 1
               ) as o
               order by k.tenant_id, c.contact_id) as k
         where l.tenant_id = any (array[k.tenant_id]) and l.contact_id = k.contact_id and l.stage = k.stage and l.lease_token < 1
           and l.ready_at > $3",
        &late.iter().map(|one| one.0).collect::<Vec<_>>(),
        &late.iter().map(|one| one.1).collect::<Vec<_>>(),
        now
    )
    .execute(db)
    .await?;
    Ok(hastened.rows_affected() > 0)
}

/// What the timeline shows of the verdicts. An acceptance is a column of the message.
async fn write_steps(
    db: &mut PgConnection,
    written: impl Iterator<Item = &Settlement>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let steps: Vec<_> = written.filter(|one| !matches!(one.verdict, Verdict::Sent { .. })).collect();
    if steps.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into message_statuses (tenant_id, message_id, status, occurred_at, recorded_at, detail)
         select tenant_id, message_id, status, $5, $5, detail::json
         from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) as k (tenant_id, message_id, status, detail)
         on conflict (tenant_id, message_id, status, occurred_at) do nothing",
        &steps.iter().map(|one| one.lease.lane.tenant_id).collect::<Vec<_>>(),
        &steps.iter().map(|one| one.message_id).collect::<Vec<_>>(),
        &steps.iter().map(|one| one.verdict.step().to_owned()).collect::<Vec<_>>(),
        &steps.iter().map(|one| one.verdict.error().map(str::to_owned)).collect::<Vec<_>>() as &[Option<String>],
        now
    )
    .execute(db)
    .await?;
    Ok(())
}
