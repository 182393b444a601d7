//! Connects the process with what the nodes share: a commit here wakes the stages of other processes, and a change of
//! what they remember makes them forget it.

use std::sync::Arc;

use hoopoe_ingest::Ingest;
use hoopoe_shared::forget::{Cache, Forget};
use hoopoe_shared::wake::Stage;
use hoopoe_shared::{Address, Clock, Options, Shared};
use hoopoe_store::ambient::Ambient;
use hoopoe_store::{Store, Wake, Wakes};

/// Starts sharing. A clock that a test gave counts for limits in Redis too.
pub(crate) fn start(address: Option<Address>, ambient: &Ambient, given: bool) -> Shared {
    let node = ambient.id();
    let time = ambient.clone();
    let clock = if given { Clock::pinned(move || time.now()) } else { Clock::new(move || time.now()) };
    Shared::start(Options::new(address, node), clock)
}

/// Both ways: work that is added here and work that is added elsewhere.
pub(crate) fn connect_wakes(shared: &Shared, store: &Store) {
    for stage in Stage::ALL {
        wake(&store.wakes, stage).tell_others(shared.waker(stage));
    }
    let wakes: Arc<Wakes> = store.wakes.clone();
    shared.on_wake(move |stage| {
        // Here alone: the others were told by who added the work.
        let here: &tokio::sync::Notify = wake(&wakes, stage);
        here.notify_one();
    });
}

/// Routes are forgotten when one has changed. They know of channels what makes a status let one go on.
pub(crate) fn connect_routes(shared: &Shared, ingest: Ingest) {
    shared.on_forget(move |forget| {
        if forget.concerns(Cache::Routes) || forget.concerns(Cache::Channels) {
            ingest.forget_routes();
        }
    });
}

/// Whose a contact's ids are is forgotten when some have changed.
pub(crate) fn connect_contacts(shared: &Shared, store: &Store) {
    let others = shared.clone();
    store.tell_of_changed_ids(move |tenant_id| others.forget(Forget::One(Cache::Contacts, tenant_id.to_string())));
    let store = store.clone();
    shared.on_forget(move |forget| match forget {
        Forget::One(Cache::Contacts, tenant_id) => store.forget_contacts(tenant_id.parse().ok()),
        Forget::All(Cache::Contacts) | Forget::Everything => store.forget_contacts(None),
        _ => {}
    });
}

fn wake(wakes: &Wakes, stage: Stage) -> &Wake {
    match stage {
        Stage::Flow => &wakes.flow,
        Stage::Delivery => &wakes.delivery,
        Stage::Scheduled => &wakes.scheduled,
        Stage::Timers => &wakes.timers,
        Stage::Calls => &wakes.calls,
        Stage::Webhooks => &wakes.webhooks,
        Stage::Media => &wakes.media,
    }
}
