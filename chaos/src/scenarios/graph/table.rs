//! Meta's error table, row by row: one message to one contact meets one fault, and another message waits behind it.

use anyhow::{Context, Result};
use hoopoe_testing::{Tenant, eventually};
use meta_sim::Fault;
use serde_json::json;
use uuid::Uuid;

use super::LONG;
use crate::ground::Ground;
use crate::report::Report;

/// How a message that met a fault must end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// Surely not taken: sent again, and accepted by the second attempt.
    Again,
    /// The number is too fast: sent again once it may go on, and the refusal was no attempt.
    Later,
    /// Taken, and the answer was lost: never sent again; a status tells.
    Once,
    /// Will never be taken: one attempt, and a dead letter.
    Never,
    /// The template is stopped: one attempt, and the next message with it goes nowhere.
    Stopped,
    /// The channel is blocked: the message waits without an attempt, and the channel says why.
    Blocked,
}

struct Row {
    label: &'static str,
    fault: fn() -> Fault,
    end: End,
}

const ROWS: [Row; 27] = [
    Row { label: "500 with a page of HTML", fault: || Fault::ServerError(500), end: End::Again },
    Row { label: "503 with a page of HTML", fault: || Fault::ServerError(503), end: End::Again },
    Row { label: "429 without Meta's error", fault: || Fault::TooManyRequests, end: End::Later },
    Row { label: "4 (too many calls)", fault: || Fault::code(4), end: End::Later },
    Row { label: "613 (rate of calls)", fault: || Fault::code(613), end: End::Later },
    Row { label: "80007 (rate of the account)", fault: || Fault::code(80007), end: End::Later },
    Row { label: "130429 (rate of the number)", fault: || Fault::code(130429), end: End::Later },
    Row { label: "131057 (maintenance)", fault: || Fault::code(131057), end: End::Later },
    Row { label: "131056 (rate of the pair)", fault: || Fault::code(131056), end: End::Again },
    Row { label: "1 (unknown)", fault: || Fault::code(1), end: End::Again },
    Row { label: "2 (service)", fault: || Fault::code(2), end: End::Again },
    Row { label: "131000 (passing)", fault: || Fault::code(131000), end: End::Again },
    Row { label: "131016 (service unavailable)", fault: || Fault::code(131016), end: End::Again },
    Row { label: "131053 (upload of a file)", fault: || Fault::code(131053), end: End::Again },
    Row { label: "taken, then a reset", fault: || Fault::ResetAfterBody, end: End::Once },
    Row { label: "taken, then silence", fault: || Fault::AcceptThenHang(LONG), end: End::Once },
    Row { label: "taken, then an unreadable answer", fault: || Fault::Garbage200, end: End::Once },
    Row { label: "not taken, a reset", fault: || Fault::ResetAfterBodyLost, end: End::Again },
    Row { label: "not taken, silence", fault: || Fault::Hang(LONG), end: End::Again },
    Row { label: "131026 (undeliverable)", fault: || Fault::code(131026), end: End::Never },
    Row { label: "131047 (24 hours are over)", fault: || Fault::code(131047), end: End::Never },
    Row { label: "131049 (not before 24 hours)", fault: || Fault::code(131049), end: End::Never },
    Row { label: "131050 (opted out)", fault: || Fault::code(131050), end: End::Never },
    Row { label: "100 (invalid parameter)", fault: || Fault::code(100), end: End::Never },
    Row { label: "132015 (the template is paused)", fault: || Fault::code(132015), end: End::Stopped },
    Row { label: "132016 (the template is disabled)", fault: || Fault::code(132016), end: End::Stopped },
    Row { label: "190 (the token has expired)", fault: || Fault::code(190), end: End::Blocked },
];

/// Messages under way: of each row the one that meets the fault and the one behind it.
pub struct Table {
    sends: Vec<(Uuid, Uuid)>,
}

fn wa_id(row: usize) -> String {
    format!("1666{row:07}")
}

/// The template that a row's messages are, where it is about one.
fn template(row: usize) -> String {
    format!("offer_{row}")
}

impl Table {
    /// Makes the sends, through the tenants of the load; what blocks a channel, through the tenant `apart`.
    pub async fn begin(ground: &Ground, apart: &Tenant) -> Result<Self> {
        let mut sends = Vec::new();
        for (number, row) in ROWS.iter().enumerate() {
            let to = wa_id(number);
            let tenant = if row.end == End::Blocked { apart } else { &ground.tenants[number % ground.tenants.len()] };
            ground.sim.fail_to(&to, (row.fault)(), 1);
            let [first, second] = if row.end == End::Stopped {
                [offer(ground, tenant, number).await?, offer(ground, tenant, number).await?]
            } else {
                [ground.api.send(tenant, &to, "first").await, ground.api.send(tenant, &to, "second").await]
            };
            ground.book.open().apart.extend([first, second]);
            sends.push((first, second));
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
        Ok(Self { sends })
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
        for (number, (row, (first, second))) in ROWS.iter().zip(&self.sends).enumerate() {
            let (status, attempts) = self.message(ground, *first).await?;
            let in_order = place(first) < place(second);
            let (held, must) = match row.end {
                End::Again => (
                    attempts == 2 && times(first) == 1 && status == "read" && in_order,
                    "is sent again, once, before what waits behind it",
                ),
                End::Later => (
                    attempts == 1 && times(first) == 1 && status == "read" && in_order,
                    "waits for the number without an attempt, and is sent once, before what waits behind it",
                ),
                End::Once => (
                    attempts == 1 && times(first) == 1 && status == "read" && in_order,
                    "is not sent again, and a status settles it",
                ),
                End::Never => (
                    attempts == 1 && times(first) == 0 && status == "failed" && times(second) == 1,
                    "is given up at once, and what waits behind it is sent",
                ),
                End::Stopped => (
                    attempts == 1
                        && times(first) + times(second) == 0
                        && status == "failed"
                        && self.message(ground, *second).await?.0 == "failed"
                        && self.stopped(ground, &template(number)).await?,
                    "is given up, and its template is not tried again",
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

    /// Whether it is written down that Meta has stopped the template.
    async fn stopped(&self, ground: &Ground, template: &str) -> Result<bool> {
        let stopped: i64 = sqlx::query_scalar("select count(*) from suspended_templates where name = $1")
            .bind(template)
            .fetch_one(&ground.db.pool)
            .await
            .context("stopped templates")?;
        Ok(stopped == 1)
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

/// Sends the row's template to its contact.
async fn offer(ground: &Ground, tenant: &Tenant, row: usize) -> Result<Uuid> {
    let template = json!({ "name": template(row), "language": { "code": "en" } });
    let body = json!({ "to": wa_id(row), "payload": { "type": "template", "template": template } });
    let (status, answer) = ground.api.post(&format!("/tenants/{}/send", tenant.id), &tenant.key, &body).await;
    let id = answer["id"].as_str().filter(|_| status == 202).and_then(|id| id.parse().ok());
    id.with_context(|| format!("a template was answered {status}: {answer}"))
}
