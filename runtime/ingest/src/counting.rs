//! What became of items, as metrics.

use std::sync::Arc;

use hoopoe_store::journal::{Arrival, Kept};
use hoopoe_telemetry::metrics;
use hoopoe_telemetry::metrics::labels::{self, Label, Step};

use crate::reported;

/// Counts an item of an acknowledged webhook.
pub(crate) fn item(arrival: &Arrival, kept: Kept) {
    let item = match arrival {
        Arrival::Message(_) => labels::Item::Message,
        Arrival::Status(_) | Arrival::Watermark(_) | Arrival::Echo(_) => labels::Item::Status,
        Arrival::Notice(_) | Arrival::Other(_) => labels::Item::Other,
        Arrival::Unrouted(_) => labels::Item::Unowned,
    };
    let kept = match kept {
        Kept::New => labels::Kept::New,
        Kept::Repeated => labels::Kept::Repeated,
        Kept::Unrouted => labels::Kept::Unrouted,
    };
    metrics().webhook_items.of(item, kept).inc();
}

/// Counts the statuses of a committed batch that were news. `kept` is by arrival.
pub(crate) fn statuses(arrivals: &[Arc<Arrival>], kept: &[Kept]) {
    for (arrival, kept) in arrivals.iter().zip(kept) {
        if let (Arrival::Status(progress), Kept::New) = (&**arrival, kept) {
            let step = Step::named(&progress.status).unwrap_or(Step::Other);
            metrics().statuses.of(step).inc();
            if step == Step::Failed {
                metrics().status_failure(reported::code(progress));
            }
        }
    }
}
