//! The commit of arrivals, and what follows from it at once: who watches sees what is new, and the flow stage has what
//! belongs to this process.

use std::sync::Arc;

use chrono::TimeDelta;
use hoopoe_lanes::Gate;
use hoopoe_shared::Shared;
use hoopoe_shared::live::Happening;
use hoopoe_store::flow_work::Born;
use hoopoe_store::journal::{Arrival, Kept, News, Progress};
use hoopoe_store::lanes::Births;
use hoopoe_store::{SqlError, Store};
use hoopoe_telemetry::trace::{Kind, Span, TraceContext};
use uuid::Uuid;

use crate::counting;

/// Appends arrivals, and hands over those whose lanes belong to this process.
pub(crate) async fn append(
    store: &Store,
    shared: &Shared,
    flows: &Gate<Born>,
    arrivals: &[Arc<Arrival>],
    lease: TimeDelta,
) -> Result<Vec<Kept>, SqlError> {
    let tenant = |arrival: &Arc<Arrival>| arrival.tenant_id().filter(|_| arrival.is_for_flow_at_once());
    let admission = flows.admit(arrivals.iter().map(|arrival| tenant(arrival).map(|tenant_id| (tenant_id, tenant_id))));
    let appended = store.append(arrivals, Births { own: admission.own(), lease }).await?;
    counting::statuses(arrivals, &appended.kept);
    // Before a flow has any of it: who watches sees first what came first.
    appended.news.iter().for_each(|news| show(shared, news));
    // Several events may have come to one lane: there are places enough.
    flows.enter(admission, appended.born.into_iter().map(|born| (born.lease.lane.tenant_id, born)));
    for (place, message_id, trace) in appended.traced {
        if let Arrival::Status(progress) = &*arrivals[place] {
            progress_span(progress, message_id, trace);
        }
    }
    Ok(appended.kept)
}

fn show(shared: &Shared, news: &News) {
    match news {
        News::Event(arrival, event_id, conversation_id) => {
            if let Some(item) = arrival.item() {
                let (event_id, conversation_id) = (*event_id, *conversation_id);
                shared.happens(item.tenant_id, Happening::Event { event_id, kind: &item.kind, conversation_id });
            }
        }
        News::Step(arrival, message_id) => {
            if let Arrival::Status(progress) = &**arrival {
                let step = Happening::Message { message_id: *message_id, status: &progress.status };
                shared.happens(progress.item.tenant_id, step);
            }
        }
    }
}

/// The status belongs to the trace of its message, and came with another.
fn progress_span(progress: &Progress, message_id: Uuid, trace: TraceContext) {
    let mut span = Span::next("status", Kind::Consumer, Some(trace));
    span.set("hoopoe.tenant.id", progress.item.tenant_id);
    span.set("hoopoe.message.id", message_id);
    span.set("hoopoe.outcome", &progress.status);
    span.link(progress.item.trace);
}
