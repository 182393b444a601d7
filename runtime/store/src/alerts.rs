//! Alerts: a tenant is told, by its webhooks, when too many of its messages die or its work waits for too long, and
//! when that is over.
//!
//! A row per tenant and kind holds the tenant's own bounds and whether the alert is raised. Processes may look at the
//! same time: the row decides, in the transaction that writes the notice, so that an alert is raised once.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use uuid::Uuid;

use crate::webhooks::types;
use crate::{Error, Store};

/// Tenants that one statement looks at.
const TENANTS: usize = 200;

/// What an alert is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// More new dead letters within the period than the threshold.
    DeadLetters,
    /// Work is ready and not begun for longer than the threshold, in seconds.
    QueueAge,
}

/// When an alert is raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Dead letters, or seconds.
    pub threshold: i32,
    /// One alert within it at the most; dead letters are counted over it. Seconds.
    pub period_seconds: i32,
}

/// An alert of a tenant.
#[derive(Debug, Clone)]
pub struct Alert {
    /// About what.
    pub kind: Kind,
    /// When it is raised.
    pub bounds: Bounds,
    /// When it was raised last.
    pub raised_at: Option<DateTime<Utc>>,
    /// When that was over; absent while it is raised.
    pub resolved_at: Option<DateTime<Utc>>,
}

/// What a look found.
struct Found {
    tenant_id: Uuid,
    alert: Alert,
    value: i64,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::DeadLetters, Self::QueueAge];

    /// As in the tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::DeadLetters => "dead_letters",
            Self::QueueAge => "queue_age",
        }
    }

    /// What counts unless the tenant says otherwise.
    pub fn defaults(self) -> Bounds {
        match self {
            Self::DeadLetters => Bounds { threshold: 10, period_seconds: 300 },
            Self::QueueAge => Bounds { threshold: 300, period_seconds: 300 },
        }
    }

    fn told_as(self) -> &'static str {
        match self {
            Self::DeadLetters => types::ALERT_DEAD_LETTERS,
            Self::QueueAge => types::ALERT_QUEUE_AGE,
        }
    }

    fn alert(self, row: Option<Row>) -> Alert {
        let defaults = self.defaults();
        let bounds = Bounds {
            threshold: row.as_ref().and_then(|row| row.threshold).unwrap_or(defaults.threshold),
            period_seconds: row.as_ref().and_then(|row| row.period_seconds).unwrap_or(defaults.period_seconds),
        };
        let (raised_at, resolved_at) = row.map_or((None, None), |row| (row.raised_at, row.resolved_at));
        Alert { kind: self, bounds, raised_at, resolved_at }
    }
}

impl Alert {
    /// Whether it is raised at present.
    pub fn is_raised(&self) -> bool {
        self.raised_at.is_some() && self.resolved_at.is_none()
    }
}

struct Row {
    threshold: Option<i32>,
    period_seconds: Option<i32>,
    raised_at: Option<DateTime<Utc>>,
    resolved_at: Option<DateTime<Utc>>,
}

impl Store {
    /// A tenant's alerts, of every kind.
    pub async fn alerts(&self, tenant_id: Uuid) -> Result<Vec<Alert>, Error> {
        let mut alerts = Vec::new();
        for kind in Kind::ALL {
            // Primary key.
            let row = sqlx::query_as!(
                Row,
                "select threshold, period_seconds, raised_at, resolved_at from alerts
                 where tenant_id = $1 and kind = $2",
                tenant_id,
                kind.name()
            )
            .fetch_optional(&self.pool)
            .await?;
            alerts.push(kind.alert(row));
        }
        Ok(alerts)
    }

    /// Sets a tenant's bounds of one kind; `None` sets the default.
    pub async fn set_alert(
        &self,
        tenant_id: Uuid,
        kind: Kind,
        threshold: Option<i32>,
        period_seconds: Option<i32>,
    ) -> Result<(), Error> {
        sqlx::query!(
            "insert into alerts (tenant_id, kind, threshold, period_seconds) values ($1, $2, $3, $4)
             on conflict (tenant_id, kind) do update set threshold = $3, period_seconds = $4",
            tenant_id,
            kind.name(),
            threshold,
            period_seconds
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Looks after all tenants that have a webhook for alerts, and tells what has changed. Gives how many were told.
    pub async fn check_alerts(&self) -> Result<usize, Error> {
        let kinds = [types::ALERT_DEAD_LETTERS, types::ALERT_QUEUE_AGE, types::ALERT_RESOLVED];
        let mut told = 0;
        for tenants in self.listeners.known().wanting(&kinds).chunks(TENANTS) {
            for found in self.look(tenants).await? {
                told += usize::from(self.judge(&found).await?);
            }
        }
        Ok(told)
    }

    async fn look(&self, tenants: &[Uuid]) -> Result<Vec<Found>, Error> {
        let now = self.ambient.now();
        let (dead, age) = (Kind::DeadLetters, Kind::QueueAge);
        // Primary keys; index messages_died, as far as the threshold; index lanes_waiting, one step per stage and priority.
        let rows = sqlx::query!(
            r#"select k.id as "id!", d.threshold as dead_threshold, d.period_seconds as dead_period,
                      d.raised_at as dead_raised, d.resolved_at as dead_resolved, q.threshold as age_threshold,
                      q.period_seconds as age_period, q.raised_at as age_raised, q.resolved_at as age_resolved,
                      (select count(*) from (
                           select from messages m where m.tenant_id = k.id
                             and m.dead_at > $2::timestamptz - make_interval(secs => coalesce(d.period_seconds, $3))
                           order by m.dead_at desc limit coalesce(d.threshold, $4) + 1) as died) as "dead!",
                      (select min(first.ready_at) from generate_series(0, 1) as s (stage)
                       cross join generate_series(0, 2) as p (priority)
                       cross join lateral (
                           select ready_at from lanes l
                           where l.stage::integer = s.stage and l.lease_token = 0 and l.tenant_id = k.id
                             and l.priority = p.priority
                           order by ready_at limit 1) as first) as ready_at
               from unnest($1::uuid[]) as k (id)
               left join lateral (
                   select * from alerts where tenant_id = k.id and kind = 'dead_letters' limit 1) as d on true
               left join lateral (
                   select * from alerts where tenant_id = k.id and kind = 'queue_age' limit 1) as q on true"#,
            tenants,
            now,
            dead.defaults().period_seconds,
            dead.defaults().threshold
        )
        .fetch_all(&self.pool)
        .await?;
        let mut found = Vec::new();
        for row in rows {
            let kept = Row {
                threshold: row.dead_threshold,
                period_seconds: row.dead_period,
                raised_at: row.dead_raised,
                resolved_at: row.dead_resolved,
            };
            found.push(Found { tenant_id: row.id, alert: dead.alert(Some(kept)), value: row.dead });
            let kept = Row {
                threshold: row.age_threshold,
                period_seconds: row.age_period,
                raised_at: row.age_raised,
                resolved_at: row.age_resolved,
            };
            let value = row.ready_at.map_or(0, |at| (now - at).num_seconds().max(0));
            found.push(Found { tenant_id: row.id, alert: age.alert(Some(kept)), value });
        }
        Ok(found)
    }

    /// Raises or resolves an alert where that is due. Gives whether it was.
    async fn judge(&self, found: &Found) -> Result<bool, Error> {
        let Found { tenant_id, alert, value } = found;
        let (kind, bounds, now) = (alert.kind, alert.bounds, self.ambient.now());
        let period = TimeDelta::seconds(bounds.period_seconds.into());
        let is_over = *value > i64::from(bounds.threshold);
        if is_over == alert.is_raised() || (is_over && alert.raised_at.is_some_and(|at| at + period > now)) {
            return Ok(false);
        }
        let mut tx = self.pool.begin().await?;
        // Primary key. Of two processes one finds it done.
        let done = if is_over {
            sqlx::query!(
                "insert into alerts (tenant_id, kind, raised_at) values ($1, $2, $3)
                 on conflict (tenant_id, kind) do update set raised_at = $3, resolved_at = null
                 where alerts.raised_at is null or (alerts.resolved_at is not null and alerts.raised_at <= $4)",
                tenant_id,
                kind.name(),
                now,
                now - period
            )
            .execute(&mut *tx)
            .await?
        } else {
            sqlx::query!(
                "update alerts set resolved_at = $3
                 where tenant_id = $1 and kind = $2 and raised_at is not null and resolved_at is null",
                tenant_id,
                kind.name(),
                now
            )
            .execute(&mut *tx)
            .await?
        };
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        let raised_at = if is_over { now } else { alert.raised_at.unwrap_or(now) };
        let told_as = if is_over { kind.told_as() } else { types::ALERT_RESOLVED };
        let mut notices = self.notices();
        notices.other(*tenant_id, told_as, &format!("{}/{}", kind.name(), raised_at.timestamp_micros()), now, || {
            json!({
                "alert": kind.told_as(), "threshold": bounds.threshold, "periodSeconds": bounds.period_seconds,
                "value": value, "raisedAt": raised_at,
            })
        });
        let told = notices.write(&mut tx, now).await?;
        tx.commit().await?;
        if told {
            self.wakes.webhooks.notify_one();
        }
        tracing::warn!(tenant = %tenant_id, alert = kind.name(), raised = is_over, value, "an alert");
        Ok(true)
    }
}

/// Time between two looks.
pub const EVERY: Duration = Duration::from_secs(10);
