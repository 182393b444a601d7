//! What operators see of runs: metrics, and the span of an event's run; and what is shown to who watches the tenant.

use hoopoe_sandbox::{Plugin, Run};
use hoopoe_shared::Shared;
use hoopoe_shared::live::Happening;
use hoopoe_store::flow_runs::NO_FAILURES;
use hoopoe_store::flow_work::{Advance, Event};
use hoopoe_telemetry::metrics;
use hoopoe_telemetry::metrics::labels::{Ended, Label};
use hoopoe_telemetry::trace::{Kind, Span};
use uuid::Uuid;

/// Begins the span of an event, in the trace that it came with.
pub(crate) fn begin(tenant_id: Uuid, event: &Event, attempt: i32) -> Span {
    let mut span = Span::next("flow", Kind::Consumer, event.trace);
    span.set("hoopoe.tenant.id", tenant_id);
    span.set_number("hoopoe.event.id", event.id);
    span.set("hoopoe.event.kind", &event.kind);
    span.set_number("hoopoe.attempt", attempt.into());
    span
}

/// The plugin that gets the event.
pub(crate) fn chosen(span: &mut Span, plugin: &Plugin) {
    span.set("hoopoe.plugin", format_args!("{}@{}", plugin.manifest().name, plugin.manifest().version));
    span.set("hoopoe.plugin.digest", plugin.digest());
}

/// What a run took.
pub(crate) fn ran(span: &mut Span, run: &Run) {
    metrics().flow_run.observe(run.elapsed.as_secs_f64());
    metrics().flow_run_fuel.observe(run.fuel as f64);
    span.set_number("hoopoe.fuel", i64::try_from(run.fuel).unwrap_or(i64::MAX));
}

/// How it ended: `done`, `retry`, or the code of what hindered it.
pub(crate) fn ended(span: &mut Span, code: &str) {
    metrics().flow_runs.of(Ended::named(code).unwrap_or(Ended::Other)).inc();
    span.set("hoopoe.outcome", code);
    if !NO_FAILURES.contains(&code) {
        span.fail(code);
    }
}

/// The runs of a lane, once they are written down.
pub(crate) fn committed(shared: &Shared, lane: &Advance) {
    for handled in &lane.handled {
        let (event, run) = (&handled.event, &handled.run);
        let happening = Happening::Run {
            event_id: event.id,
            attempt: run.attempt,
            plugin: &run.plugin,
            result: &run.result,
            actions: run.actions,
            conversation_id: event.conversation_id,
        };
        shared.happens(lane.lease.lane.tenant_id, happening);
    }
}
