//! Meta's error table, row by row: one message to one contact meets one fault, and another message waits behind it.

use anyhow::{Context, Result};
use hoopoe_testing::{Tenant, eventually};
use meta_sim::Fault;
use uuid::Uuid;

use super::LONG;
use crate::ground::Ground;
use crate::report::Report;

/// How a message that met a fault must end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// Surely not taken: sent again, and accepted by the second attempt.
    Again,
    /// Taken, and the answer was lost: never sent again; a status tells.
    Once,
    /// Will never be taken: one attempt, and a dead letter.
    Never,
    /// The channel is blocked: the message waits without an attempt, and the channel says why.
    Blocked,
}

struct Row {
    label: &'static str,
    fault: fn() -> Fault,
    end: End,
}

const ROWS: [Row; 16] = [
    Row { label: "500 with a page of HTML", fault: || Fault::ServerError(500), end: End::Again },
    Row { label: "503 with a page of HTML", fault: || Fault::ServerError(503), end: End::Again },
    Row { label: "429 without Meta's error", fault: || Fault::TooManyRequests, end: End::Again },
    Row { label: "4 (too many calls)", fault: || Fault::code(4), end: End::Again },
    Row { label: "130429 (rate of the number)", fault: || Fault::code(130429), end: End::Again },
    Row { label: "131056 (rate of the pair)", fault: || Fault::code(131056), end: End::Again },
    Row { label: "131000 (passing)", fault: || Fault::code(131000), end: End::Again },
    Row { label: "taken, then a reset", fault: || Fault::ResetAfterBody, end: End::Once },
    Row { label: "taken, then silence", fault: || Fault::AcceptThenHang(LONG), end: End::Once },
    Row { label: "taken, then an unreadable answer", fault: || Fault::Garbage200, end: End::Once },
    Row { label: "not taken, a reset", fault: || Fault::ResetAfterBodyLost, end: End::Again },
    Row { label: "not taken, silence", fault: || Fault::Hang(LONG), end: End::Again },
    Row { label: "131026 (undeliverable)", fault: || Fault::code(131026), end: End::Never },
    Row { label: "131047 (24 hours are over)", fault: || Fault::code(131047), end: End::Never },
    Row { label: "100 (invalid parameter)", fault: || Fault::code(100), end: End::Never },
    Row { label: "190 (the token has expired)", fault: || Fault::code(190), end: End::Blocked },
];

/// Messages under way: of each row the one that meets the fault and the one behind it.
pub struct Table {
    sends: Vec<(Uuid, Uuid)>,
}

fn wa_id(row: usize) -> String {
    format!("1666{row:07}")
}

impl Table {
    /// Makes the sends, through the tenants of the load; what blocks a channel, through the tenant `apart`.
    pub async fn begin(ground: &Ground, apart: &Tenant) -> Self {
        let mut sends = Vec::new();
        for (number, row) in ROWS.iter().enumerate() {
            let to = wa_id(number);
            let tenant = if row.end == End::Blocked { apart } else { &ground.tenants[number % ground.tenants.len()] };
            ground.sim.fail_to(&to, (row.fault)(), 1);
            sends.push((ground.api.send(tenant, &to, "first").await, ground.api.send(tenant, &to, "second").await));
        }
        let met = |(row, (first, _)): (&Row, &(Uuid, Uuid))| (row.end != End::Blocked).then_some(*first);
        let firsts: Vec<Uuid> = ROWS.iter().zip(&sends).filter_map(met).collect();
        eventually("every fault has met its message", async || {
            let waiting = "select (select count(*) from outbox where attempts = 0 and message_id = any ($1))
                                + (select count(*) from channels where tenant_id = $2 and suspended_at is null)";
            let waiting = sqlx::query_scalar::<_, i64>(waiting).bind(&firsts).bind(apart.id);
            waiting.fetch_one(&ground.db.pool).await.is_ok_and(|waiting| waiting == 0)
        })
        .await;
        Self { sends }
    }

    /// Checks how each ended, by the tables and by what Meta accepted.
    pub async fn judge(&self, ground: &Ground, apart: &Tenant, report: &mut Report) -> Result<()> {
        let accepted = ground.sim.accepted();
        let times = |id: &Uuid| {
            let id = id.to_string();
            accepted.iter().filter(|one| one.callback_data.as_deref() == Some(&id)).count()
        };
        let place = |id: &Uuid| {
            let id = id.to_string();
            accepted.iter().position(|one| one.callback_data.as_deref() == Some(&id))
        };
        for (row, (first, second)) in ROWS.iter().zip(&self.sends) {
            let (status, attempts) = self.message(ground, *first).await?;
            let in_order = place(first) < place(second);
            let (held, must) = match row.end {
                End::Again => (
                    attempts == 2 && times(first) == 1 && status == "read" && in_order,
                    "is sent again, once, before what waits behind it",
                ),
                End::Once => (
                    attempts == 1 && times(first) == 1 && status == "read" && in_order,
                    "is not sent again, and a status settles it",
                ),
                End::Never => (
                    attempts == 1 && times(first) == 0 && status == "failed" && times(second) == 1,
                    "is given up at once, and what waits behind it is sent",
                ),
                End::Blocked => (
                    attempts == 0 && times(first) == 0 && status == "queued" && self.blocked(ground, apart).await?,
                    "waits, and the channel says why",
                ),
            };
            let found = format!("{status} after {attempts} attempts, accepted {} times", times(first));
            report.check(held, format!("{} {must} ({found})", row.label));
        }
        Ok(())
    }

    async fn message(&self, ground: &Ground, id: Uuid) -> Result<(String, i32)> {
        sqlx::query_as("select status::text, attempts from messages where id = $1")
            .bind(id)
            .fetch_one(&ground.db.pool)
            .await
            .with_context(|| format!("message {id}"))
    }

    /// Whether the tenant's channel tells why it is blocked.
    async fn blocked(&self, ground: &Ground, tenant: &Tenant) -> Result<bool> {
        let suspended: i64 =
            sqlx::query_scalar("select count(*) from channels where tenant_id = $1 and suspended_reason <> ''")
                .bind(tenant.id)
                .fetch_one(&ground.db.pool)
                .await
                .context("the channel of the tenant apart")?;
        Ok(suspended == 1)
    }
}
