//! The claim of notices that are ready, fair between endpoints.
//!
//! Endpoints take turns as tenants do in `lanes`: a claim goes round those that have notices ready, from behind the
//! last that got a place. So neither an endpoint that hangs nor a tenant with many notices delays anybody else.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use hoopoe_secrets::Sealed;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::lanes::{last_served, quantum};
use crate::{Error, Store};

/// Endpoints that one claim serves at the most; the next goes on with those behind them.
const ENDPOINTS: i64 = 64;

/// Where a process is in its round of the endpoints: tenant and webhook.
pub type Turn = (Uuid, Uuid);

/// What a process asks for.
#[derive(Debug, Clone)]
pub struct NoticeAsk {
    /// Notices at the most.
    pub limit: usize,
    /// For how long: longer than an attempt takes.
    pub lease: TimeDelta,
    /// Endpoints that have their share of this process already.
    pub full: Vec<Uuid>,
    /// Notices under way here, by endpoint.
    pub under_way: HashMap<Uuid, usize>,
    /// Notices of one endpoint at the same time in this process.
    pub most: usize,
    /// The same for one whose last attempt failed.
    pub most_failing: usize,
    /// Where the round goes on.
    pub turn: Turn,
}

/// Proves the ownership of a claimed notice.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NoticeLease {
    /// Whose.
    pub tenant_id: Uuid,
    /// For which endpoint.
    pub webhook_id: Uuid,
    /// The header `webhook-id`.
    pub notice_id: String,
    /// Drawn by the claim.
    pub token: i64,
}

/// A claimed notice, with what is needed to deliver it.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// Proves the ownership.
    pub lease: NoticeLease,
    /// The type.
    pub kind: String,
    /// What is signed and sent, as it is.
    pub body: String,
    /// Where to.
    pub url: String,
    /// The secrets that sign: the newest first.
    pub secrets: Vec<Sealed>,
    /// 1 for the first claim. An owner that was lost counts as well.
    pub attempt: i32,
    /// The last attempt of the endpoint failed.
    pub failing: bool,
}

/// An endpoint with notices that are ready.
struct Endpoint {
    tenant_id: Uuid,
    id: Uuid,
    url: String,
    secrets: Vec<Sealed>,
    failing: bool,
}

impl NoticeAsk {
    fn room(&self, endpoint: &Endpoint) -> usize {
        let most = if endpoint.failing { self.most_failing } else { self.most };
        most.saturating_sub(self.under_way.get(&endpoint.id).copied().unwrap_or(0))
    }

    /// Endpoints that are not looked at, and those that are not while they fail.
    fn passed_over(&self) -> (Vec<Uuid>, Vec<Uuid>) {
        let having =
            |most: usize| self.under_way.iter().filter(move |(_, notices)| **notices >= most).map(|(id, _)| *id);
        (self.full.iter().copied().chain(having(self.most)).collect(), having(self.most_failing).collect())
    }
}

impl Store {
    /// Claims notices that are ready, and tells where the round goes on.
    pub async fn claim_notices(&self, ask: &NoticeAsk) -> Result<(Vec<Claimed>, Turn), Error> {
        let now = self.ambient.now();
        let mut db = self.pool.acquire().await?;
        let full = ask.passed_over();
        let mut endpoints = waiting(&mut db, ask.turn, &full, now).await?;
        if endpoints.len() < ENDPOINTS as usize && ask.turn != Turn::default() {
            // Once round: those before the start, and then those behind it, which are there already.
            let before = waiting(&mut db, Turn::default(), &full, now).await?;
            endpoints.extend(before.into_iter().take_while(|it| (it.tenant_id, it.id) <= ask.turn));
        }
        if endpoints.is_empty() {
            return Ok((Vec::new(), Turn::default()));
        }
        let quantum = quantum(ask.limit, endpoints.len());
        let rooms: Vec<i32> = endpoints
            .iter()
            .map(|endpoint| i32::try_from(ask.room(endpoint).min(quantum)).unwrap_or(i32::MAX))
            .collect();
        let claimed = take(&mut db, &endpoints, &rooms, ask, now).await?;
        let turns: Vec<Turn> = endpoints.iter().map(|it| (it.tenant_id, it.id)).collect();
        let taken: Vec<Turn> = claimed.iter().map(|it| (it.lease.tenant_id, it.lease.webhook_id)).collect();
        let turn = last_served(&turns, &taken, ask.limit).copied().unwrap_or(ask.turn);
        Ok((claimed, turn))
    }

    /// When the next notice is ready, if one waits for an endpoint that has room.
    pub async fn next_notice(&self, ask: &NoticeAsk) -> Result<Option<DateTime<Utc>>, Error> {
        let (full, full_failing) = ask.passed_over();
        // Index webhook_queue_ready, endpoint by endpoint.
        let next = sqlx::query_scalar!(
            r#"with recursive endpoints (tenant_id, id) as (
                   (select tenant_id, webhook_id from webhook_queue order by tenant_id, webhook_id limit 1)
                   union all
                   select n.tenant_id, n.webhook_id from endpoints e cross join lateral (
                       select q.tenant_id, q.webhook_id from webhook_queue q
                       where (q.tenant_id, q.webhook_id) > (e.tenant_id, e.id)
                       order by q.tenant_id, q.webhook_id limit 1) as n
               )
               select first.ready_at as "ready_at!"
               from endpoints e
               cross join lateral (
                   select ready_at from webhook_queue where tenant_id = e.tenant_id and webhook_id = e.id
                   order by ready_at limit 1) as first
               cross join lateral (
                   select * from webhooks where tenant_id = e.tenant_id and id = e.id and disabled_at is null limit 1) as w
               where w.id <> all ($1) and (w.failing_since is null or w.id <> all ($2))
               order by first.ready_at limit 1"#,
            &full,
            &full_failing
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(next)
    }
}

/// Endpoints behind `turn` with a notice that is ready, in the order of their tenants and ids.
async fn waiting(
    db: &mut PgConnection,
    turn: Turn,
    (full, full_failing): &(Vec<Uuid>, Vec<Uuid>),
    now: DateTime<Utc>,
) -> Result<Vec<Endpoint>, sqlx::Error> {
    // Index webhook_queue_ready: one step per endpoint that has notices, and one look at its first.
    let rows = sqlx::query!(
        r#"with recursive endpoints (tenant_id, id) as (
               (select tenant_id, webhook_id from webhook_queue where (tenant_id, webhook_id) > ($1, $2)
                order by tenant_id, webhook_id limit 1)
               union all
               select n.tenant_id, n.webhook_id from endpoints e cross join lateral (
                   select q.tenant_id, q.webhook_id from webhook_queue q
                   where (q.tenant_id, q.webhook_id) > (e.tenant_id, e.id)
                   order by q.tenant_id, q.webhook_id limit 1) as n
           )
           select w.tenant_id as "tenant_id!", w.id as "id!", w.url as "url!", w.secret_sealed as "secret_sealed!",
                  w.secret_key_id as "secret_key_id!", w.former_sealed, w.former_key_id, w.former_until,
                  w.failing_since is not null as "failing!"
           from endpoints e
           cross join lateral (
               select ready_at from webhook_queue where tenant_id = e.tenant_id and webhook_id = e.id
               order by ready_at limit 1) as first
           cross join lateral (
               select * from webhooks where tenant_id = e.tenant_id and id = e.id and disabled_at is null limit 1) as w
           where w.id <> all ($3) and (w.failing_since is null or w.id <> all ($6)) and first.ready_at <= $4
           limit $5"#,
        turn.0,
        turn.1,
        full,
        now,
        ENDPOINTS,
        full_failing
    )
    .fetch_all(db)
    .await?;
    let endpoints = rows.into_iter().map(|row| {
        let former = row.former_sealed.zip(row.former_key_id).filter(|_| row.former_until.is_some_and(|it| it > now));
        let mut secrets = vec![Sealed { key_id: row.secret_key_id, bytes: row.secret_sealed }];
        secrets.extend(former.map(|(bytes, key_id)| Sealed { key_id, bytes }));
        Endpoint { tenant_id: row.tenant_id, id: row.id, url: row.url, secrets, failing: row.failing }
    });
    Ok(endpoints.collect())
}

async fn take(
    db: &mut PgConnection,
    endpoints: &[Endpoint],
    rooms: &[i32],
    ask: &NoticeAsk,
    now: DateTime<Utc>,
) -> Result<Vec<Claimed>, sqlx::Error> {
    // Index webhook_queue_ready.
    let rows = sqlx::query!(
        "with taken as (
             select q.tenant_id, q.webhook_id, q.notice_id
             from unnest($1::uuid[], $2::uuid[], $3::int[]) as e (tenant_id, id, room)
             cross join lateral (
                 select tenant_id, webhook_id, notice_id from webhook_queue
                 where tenant_id = e.tenant_id and webhook_id = e.id and ready_at <= $4
                 order by ready_at limit e.room
                 for update skip locked
             ) as q
             limit $5
         )
         update webhook_queue q set ready_at = $6, lease_token = nextval('lease_tokens'), attempts = q.attempts + 1
         from taken t
         where q.tenant_id = t.tenant_id and q.webhook_id = t.webhook_id and q.notice_id = t.notice_id
         returning q.tenant_id, q.webhook_id, q.notice_id, q.type as kind, q.body, q.attempts, q.lease_token",
        &endpoints.iter().map(|endpoint| endpoint.tenant_id).collect::<Vec<_>>(),
        &endpoints.iter().map(|endpoint| endpoint.id).collect::<Vec<_>>(),
        rooms,
        now,
        i64::try_from(ask.limit).unwrap_or(i64::MAX),
        now + ask.lease
    )
    .fetch_all(db)
    .await?;
    let claimed = rows.into_iter().filter_map(|row| {
        let endpoint = endpoints.iter().find(|it| it.id == row.webhook_id && it.tenant_id == row.tenant_id)?;
        Some(Claimed {
            lease: NoticeLease {
                tenant_id: row.tenant_id,
                webhook_id: row.webhook_id,
                notice_id: row.notice_id,
                token: row.lease_token,
            },
            kind: row.kind,
            body: row.body,
            url: endpoint.url.clone(),
            secrets: endpoint.secrets.clone(),
            attempt: row.attempts,
            failing: endpoint.failing,
        })
    });
    Ok(claimed.collect())
}
