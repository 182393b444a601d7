//! Start and stop.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::link::{self, Link};
use crate::nodes::Nodes;
use crate::outbox::{self, Outbox};
use crate::{Address, Clock, forget, limits, live, subscription, wake};

/// How to share.
#[derive(Debug, Clone)]
pub struct Options {
    /// Redis; without it everything stays in the process.
    pub address: Option<Address>,
    /// This node, unlike any other that ever was.
    pub node: Uuid,
    /// How long a call waits for Redis before it goes on without it.
    pub call_timeout: Duration,
    /// What all keys and channels begin with. Nodes share with those of the same namespace and database number.
    pub namespace: String,
}

impl Options {
    /// With a call timeout of 50 ms and the namespace `hoopoe`.
    pub fn new(address: Option<Address>, node: Uuid) -> Self {
        Self { address, node, call_timeout: Duration::from_millis(50), namespace: "hoopoe".to_owned() }
    }
}

/// Whether Redis answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redis {
    /// It does.
    Ok,
    /// It does not; nodes work by themselves until it does.
    Away,
}

/// What the nodes share. Cheap to clone.
#[derive(Clone)]
pub struct Shared {
    pub(crate) inner: Arc<Inner>,
    tasks: TaskTracker,
    stop: CancellationToken,
    /// Stops the tasks when the last clone goes.
    _stop: Arc<DropGuard>,
}

pub(crate) struct Inner {
    pub node: Uuid,
    pub namespace: String,
    pub clock: Clock,
    pub link: Option<Arc<Link>>,
    pub nodes: Nodes,
    pub limits: limits::Memory,
    pub outbox: Outbox,
    pub wakes: wake::Listeners,
    pub forgets: forget::Listeners,
    pub live: live::Watched,
}

impl Shared {
    /// Starts the tasks; has to be called within a runtime. It does not wait for Redis, which may come later.
    pub fn start(options: Options, clock: Clock) -> Self {
        let Options { address, node, call_timeout, namespace } = options;
        let namespace = match address.as_ref().map_or(0, Address::database) {
            0 => namespace,
            // Channels know nothing of databases.
            database => format!("{namespace}-{database}"),
        };
        // An address is read already, and so nothing is wrong with it.
        let link = address.and_then(|address| Link::new(&address, call_timeout).ok()).map(Arc::new);
        let inner = Arc::new(Inner {
            node,
            namespace,
            clock,
            link: link.clone(),
            nodes: Nodes::default(),
            limits: limits::Memory::new(),
            outbox: Outbox::default(),
            wakes: wake::Listeners::default(),
            forgets: forget::Listeners::default(),
            live: live::Watched::default(),
        });
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        if let Some(link) = link {
            tasks.spawn(run(inner.clone(), link, stop.clone()));
        }
        tasks.close();
        Self { inner, tasks, stop: stop.clone(), _stop: Arc::new(stop.drop_guard()) }
    }

    /// Everything in the process alone.
    pub fn alone(clock: Clock) -> Self {
        Self::start(Options::new(None, Uuid::nil()), clock)
    }

    /// Whether Redis answers, as far as this node knows; `None` when there is none.
    pub fn redis(&self) -> Option<Redis> {
        self.inner.link.as_ref().map(|link| if link.is_up() { Redis::Ok } else { Redis::Away })
    }

    /// How many nodes live, this one included, as far as it knows.
    pub fn nodes(&self) -> usize {
        self.inner.nodes.seen()
    }

    /// Tells the others what is still to be told and that this node goes; waits for Redis some seconds at the most.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}

async fn run(inner: Arc<Inner>, link: Arc<Link>, stop: CancellationToken) {
    let told = CancellationToken::new();
    let talk = async {
        tokio::join!(
            outbox::send(inner.clone(), link.clone(), stop.clone()),
            subscription::receive(inner.clone(), link.clone(), stop.clone())
        );
        // The connection goes last: there may have been something to tell.
        told.cancel();
    };
    tokio::join!(link::keep(inner.clone(), link.clone(), told.clone()), talk);
}
