//! What waits, over all tenants and processes: for metrics.

use chrono::{DateTime, TimeDelta, Utc};
use hoopoe_telemetry::metrics::labels::{Class, Pool};
use hoopoe_telemetry::metrics::{Wait, metrics};
use sqlx::PgConnection;

use crate::lanes::Stage;
use crate::{Error, Store};

/// Lanes that are counted at the most, so that a look stays cheap when much waits.
const COUNTED: i64 = 50_000;

/// A look at the queues.
#[derive(Debug, Clone, PartialEq)]
pub struct Queues {
    /// One for each class.
    pub classes: Vec<Waiting>,
    /// How long the oldest notice for a webhook that is not disabled has been ready; zero when there is none.
    pub notices: TimeDelta,
    /// How long the first scheduled message has been due; zero when none is.
    pub overdue: TimeDelta,
}

/// What waits of a class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Waiting {
    /// Which.
    pub class: Class,
    /// Lanes that could be claimed now.
    pub ready: i64,
    /// Lanes that somebody works on, or that wait for a later time.
    pub later: i64,
    /// How long the oldest of the ready ones has been so; zero when there is none.
    pub oldest: TimeDelta,
}

impl Store {
    /// Looks at the queues. Counts stop at 50,000 lanes; ages are exact.
    pub async fn queues(&self) -> Result<Queues, Error> {
        let wait = Wait::of(metrics().database_acquire.of(Pool::General));
        let mut db = self.pool.acquire().await?;
        drop(wait);
        let now = self.ambient.now();
        let counts = counts(&mut db, now).await?;
        let ages = [
            (Stage::Flow, oldest(&mut db, Stage::Flow, now).await?),
            (Stage::Delivery, oldest(&mut db, Stage::Delivery, now).await?),
        ];
        let classes = [Class::Event, Class::Answer, Class::Single, Class::Bulk].map(|class| {
            let of = |(stage, priority): (i16, i16)| self::class(stage, priority) == class;
            let counted = counts.iter().filter(|count| of(count.of));
            let (ready, later) = counted.fold((0, 0), |sum, count| (sum.0 + count.ready, sum.1 + count.later));
            let since =
                ages.iter().flat_map(|(stage, ages)| ages.iter().map(move |(priority, at)| (*stage, *priority, *at)));
            let first = since.filter(|(stage, priority, _)| of((*stage as i16, *priority))).map(|(_, _, at)| at).min();
            Waiting { class, ready, later, oldest: first.map_or(TimeDelta::zero(), |at| now - at) }
        });
        let age =
            |since: Option<DateTime<Utc>>| since.map_or(TimeDelta::zero(), |at| (now - at).max(TimeDelta::zero()));
        let notices = age(oldest_notice(&mut db).await?);
        drop(db);
        let overdue = age(self.next_scheduled().await?);
        Ok(Queues { classes: classes.to_vec(), notices, overdue })
    }
}

fn class(stage: i16, priority: i16) -> Class {
    match (stage, priority) {
        (0, _) => Class::Event,
        (_, 0) => Class::Answer,
        (_, 1) => Class::Single,
        _ => Class::Bulk,
    }
}

struct Count {
    /// Stage and priority.
    of: (i16, i16),
    ready: i64,
    later: i64,
}

async fn counts(db: &mut PgConnection, now: DateTime<Utc>) -> Result<Vec<Count>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select stage as "stage!", priority as "priority!", count(*) filter (where ready_at <= $1) as "ready!",
                  count(*) filter (where ready_at > $1) as "later!"
           from (select stage, priority, ready_at from lanes limit $2) as few
           group by stage, priority"#,
        now,
        COUNTED
    )
    .fetch_all(db)
    .await?;
    let count = |(stage, priority, ready, later)| Count { of: (stage, priority), ready, later };
    Ok(rows.into_iter().map(|row| count((row.stage, row.priority, row.ready, row.later))).collect())
}

/// Since when the first lane of each priority is ready.
async fn oldest(
    db: &mut PgConnection,
    stage: Stage,
    now: DateTime<Utc>,
) -> Result<Vec<(i16, DateTime<Utc>)>, sqlx::Error> {
    // Index lanes_waiting, tenant by tenant.
    let rows = sqlx::query!(
        r#"with recursive tenants (id) as (
               (select tenant_id from lanes where stage::integer = $1 and lease_token = 0 order by tenant_id limit 1)
               union all
               select (select l.tenant_id from lanes l
                       where l.stage::integer = $1 and l.lease_token = 0 and l.tenant_id > t.id
                       order by l.tenant_id limit 1)
               from tenants t where t.id is not null
           )
           select p.priority::smallint as "priority!", min(first.ready_at) as "since!"
           from tenants t
           cross join generate_series(0, 2) as p (priority)
           cross join lateral (
               select ready_at from lanes l
               where l.stage::integer = $1 and l.lease_token = 0 and l.tenant_id = t.id and l.priority = p.priority
                 and l.ready_at <= $2
               order by ready_at limit 1
           ) as first
           group by p.priority"#,
        stage as i32,
        now
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.priority, row.since)).collect())
}

/// When the first notice of those that can be delivered is, or was, ready.
async fn oldest_notice(db: &mut PgConnection) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    // Index webhook_queue_ready, endpoint by endpoint of all tenants.
    sqlx::query_scalar!(
        "select min(first.ready_at)
         from webhooks w
         cross join lateral (
             select ready_at from webhook_queue
             where tenant_id = w.tenant_id and webhook_id = w.id order by ready_at limit 1
         ) as first
         where w.disabled_at is null"
    )
    .fetch_one(db)
    .await
}
