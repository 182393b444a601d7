//! The claim of lanes with their events, and all that the flows may know of them.

use chrono::TimeDelta;
use sqlx::PgConnection;

use super::{Event, Flow, State, Work};
use crate::Store;
use crate::lanes::{self, Stage};

/// Events of one lane that a claim loads at the most; the rest comes with the next claim.
const EVENTS_PER_CLAIM: i64 = 16;
impl Store {
    /// Claims up to `limit` lanes with events, for `lease`.
    pub async fn claim_events(&self, limit: i64, lease: TimeDelta) -> Result<Vec<Work>, crate::Error> {
        let mut tx = self.pool.begin().await?;
        let claimed = lanes::claim(&mut tx, Stage::Flow, limit, self.ambient.now(), lease).await?;
        let mut work: Vec<Work> = claimed
            .into_iter()
            .map(|lane| Work {
                lease: lane.lease,
                done_event: lane.done_event,
                attempts: lane.attempts,
                events: Vec::new(),
            })
            .collect();
        if !work.is_empty() {
            load(&mut tx, &mut work).await?;
        }
        tx.commit().await?;
        Ok(work)
    }
}

async fn load(db: &mut PgConnection, work: &mut [Work]) -> Result<(), sqlx::Error> {
    // Index events_lane, then primary keys: by the event's tenant, not the lane's, where the event is needed first.
    let rows = sqlx::query!(
        r#"select k.place as "place!", e.id, e.kind, e.raw::text as "raw!", e.occurred_at, e.received_at,
                  cv.id as conversation_id, cv.state, cv.state_plugin, cv.state_digest,
                  cv.handed_off_at is not null as "handed_off!", cv.channel_id, ch.phone_number_id,
                  ch.display_phone_number, ct.wa_id, ct.user_id, ct.name, ct.username, ct.tags,
                  t.name as tenant_name, t.flow, t.flow_digest, t.flow_config_id, t.flow_canary_digest,
                  t.flow_canary_percent, t.flow_paused_at is not null as "paused!",
                  run.result is not null as "done!"
           from unnest($1::uuid[], $2::uuid[], $3::bigint[])
                with ordinality as k (tenant_id, contact_id, done_event, place)
           cross join lateral (
               select * from events
               where tenant_id = k.tenant_id and contact_id = k.contact_id and id > k.done_event
               order by id limit $4
           ) as e
           join conversations cv on cv.tenant_id = e.tenant_id and cv.id = e.conversation_id
           join channels ch on ch.tenant_id = e.tenant_id and ch.id = cv.channel_id
           join contacts ct on ct.tenant_id = k.tenant_id and ct.id = k.contact_id
           join tenants t on t.id = k.tenant_id
           left join lateral (
               select result from flow_runs
               where tenant_id = e.tenant_id and event_id = e.id and result not in ('retry', 'canary-failed', 'paused')
               limit 1
           ) as run on true
           order by k.place, e.id"#,
        &work.iter().map(|lane| lane.lease.lane.tenant_id).collect::<Vec<_>>(),
        &work.iter().map(|lane| lane.lease.lane.contact_id).collect::<Vec<_>>(),
        &work.iter().map(|lane| lane.done_event).collect::<Vec<_>>(),
        EVENTS_PER_CLAIM
    )
    .fetch_all(db)
    .await?;
    for row in rows {
        let Some(lane) = usize::try_from(row.place).ok().and_then(|place| work.get_mut(place - 1)) else { continue };
        if row.done {
            // The lane was opened by somebody who had waited while these were done.
            lane.done_event = row.id;
            continue;
        }
        lane.events.push(Event {
            id: row.id,
            kind: row.kind,
            raw: row.raw,
            occurred_at: row.occurred_at,
            received_at: row.received_at,
            conversation_id: row.conversation_id,
            state: row.state.map(|bytes| State {
                bytes,
                plugin: row.state_plugin.unwrap_or_default(),
                digest: row.state_digest.unwrap_or_default(),
            }),
            handed_off: row.handed_off,
            contact_id: lane.lease.lane.contact_id,
            channel_id: row.channel_id,
            phone_number_id: row.phone_number_id,
            display_phone_number: row.display_phone_number,
            wa_id: row.wa_id,
            user_id: row.user_id,
            name: row.name,
            username: row.username,
            tags: row.tags,
            tenant_name: row.tenant_name,
            flow: Flow {
                name: row.flow,
                digest: row.flow_digest,
                config_id: row.flow_config_id,
                canary: row
                    .flow_canary_digest
                    .map(|digest| (digest, u8::try_from(row.flow_canary_percent).unwrap_or(0))),
                paused: row.paused,
            },
        });
    }
    Ok(())
}
