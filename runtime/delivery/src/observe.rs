//! What operators see of deliveries: metrics, and the spans of a message and of its request; and what is shown to who
//! watches the tenant.

use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use hoopoe_protocol::graph::Failure;
use hoopoe_shared::Shared;
use hoopoe_shared::live::Happening;
use hoopoe_store::deliveries::{Delivery, Settled, Settlement, Verdict};
use hoopoe_telemetry::metrics;
use hoopoe_telemetry::metrics::labels::{self, Doubt, Label};
use hoopoe_telemetry::trace::{Kind, Span};

/// Begins the span of an attempt, in the trace of what queued the message.
pub(crate) fn begin(delivery: &Delivery) -> Span {
    let mut span = Span::next("delivery", Kind::Consumer, delivery.trace);
    span.set("hoopoe.tenant.id", delivery.lease.lane.tenant_id);
    span.set("hoopoe.message.id", delivery.message_id);
    span.set_number("hoopoe.attempt", delivery.attempt.into());
    span
}

/// What became of the message at `now`, and of the verdict: none when that could not be written down.
pub(crate) fn judged(
    span: &mut Span,
    verdict: &Verdict,
    settled: Option<Settled>,
    delivery: &Delivery,
    now: DateTime<Utc>,
) {
    let all = metrics();
    let outcome = match verdict {
        Verdict::Sent { .. } => {
            all.delivery_wait.observe((now - delivery.due_at).as_seconds_f64().max(0.0));
            labels::Verdict::Sent
        }
        Verdict::Retry { .. } => labels::Verdict::Retry,
        Verdict::Unknown { .. } => {
            all.unknown_outcomes.of(Doubt::AnswerLost).inc();
            labels::Verdict::Unknown
        }
        Verdict::Postponed { .. } => labels::Verdict::Postponed,
        Verdict::Dead { .. } if settled != Some(Settled::Written) => labels::Verdict::Spared,
        Verdict::Dead { error, .. } => {
            let (tenant, message) = (delivery.lease.lane.tenant_id, delivery.message_id);
            tracing::error!(%tenant, %message, attempt = delivery.attempt, error, "a message was given up");
            labels::Verdict::Dead
        }
    };
    all.deliveries.of(outcome).inc();
    span.set("hoopoe.outcome", outcome.value());
    if matches!(outcome, labels::Verdict::Dead | labels::Verdict::Unknown) {
        span.fail(outcome.value());
    }
}

/// Verdicts, once they are written down, with what became of each.
pub(crate) fn settled(shared: &Shared, settlements: &[Arc<Settlement>], settled: &[Settled]) {
    for (one, settled) in settlements.iter().zip(settled) {
        if one.verdict.is_told(*settled) {
            let step = Happening::Message { message_id: one.message_id, status: one.verdict.step() };
            shared.happens(one.lease.lane.tenant_id, step);
        }
    }
}

/// A request to the Graph API.
pub(crate) struct Request {
    start: Instant,
    span: Span,
}

impl Request {
    /// Within the message's span. The trace ends here: Meta is not told of it.
    pub(crate) fn begin(message: &Span) -> Self {
        let mut span = Span::next("POST messages", Kind::Client, message.context());
        span.set("http.request.method", "POST");
        Self { start: Instant::now(), span }
    }

    pub(crate) fn end(mut self, answer: &Result<String, Failure>) {
        metrics().graph_request.observe(self.start.elapsed().as_secs_f64());
        let Err(failure) = answer else {
            self.span.set_number("http.response.status_code", 200);
            return;
        };
        metrics().graph_failure(failure.class.as_str(), failure.code);
        if let Some(status) = failure.http_status {
            self.span.set_number("http.response.status_code", status.into());
        }
        if let Some(code) = failure.code {
            self.span.set_number("hoopoe.graph.code", code);
        }
        self.span.fail(failure.class.as_str());
    }
}

#[cfg(test)]
mod tests {
    use hoopoe_protocol::graph::Class;
    use hoopoe_telemetry::metrics::labels::FailureClass;

    use super::*;

    /// Of a class that is added this says nothing before its label is added as well.
    fn label(class: Class) -> FailureClass {
        match class {
            Class::PausePair => FailureClass::PausePair,
            Class::PauseNumber => FailureClass::PauseNumber,
            Class::Transient => FailureClass::Transient,
            Class::Ambiguous => FailureClass::Ambiguous,
            Class::Permanent => FailureClass::Permanent,
            Class::SuspendTemplate => FailureClass::SuspendTemplate,
            Class::SuspendChannel => FailureClass::SuspendChannel,
        }
    }

    #[test]
    fn classes_of_failures_are_those_whose_series_are_there_from_the_start() {
        let classes = [
            Class::PausePair,
            Class::PauseNumber,
            Class::Transient,
            Class::Ambiguous,
            Class::Permanent,
            Class::SuspendTemplate,
            Class::SuspendChannel,
        ];
        assert_eq!(classes.map(label).as_slice(), FailureClass::ALL);
        for class in classes {
            assert_eq!(class.as_str(), label(class).value());
        }
    }
}
