//! The connection on which this node is told things. When it is made anew, messages may have been missed: everything
//! is forgotten and every stage is woken.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use redis::Msg;
use redis::aio::PubSubSink;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::forget::Forget;
use crate::link::{Link, PATIENCE};
use crate::news::News;
use crate::shared::Inner;
use crate::wake::Stage;
use crate::{live, outbox};

/// Time between two looks whether the connection still lives.
const PING: Duration = Duration::from_secs(2);
/// The pause after an attempt that failed.
const PAUSE: Duration = Duration::from_millis(100);

/// Listens until `stop`.
pub(crate) async fn receive(inner: Arc<Inner>, link: Arc<Link>, stop: CancellationToken) {
    let listening = async {
        loop {
            // The other connection knows when Redis is there, and says so in the log.
            link.up().await;
            if let Err(error) = listen(&inner, &link).await {
                tracing::debug!(error, "the subscription has ended");
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = listening => {}
    }
}

/// Why the connection is no longer of use.
type Lost = String;

async fn listen(inner: &Inner, link: &Link) -> Result<(), Lost> {
    let (mut sink, mut messages) = within(link.subscriber()).await?.split();
    within(sink.subscribe(outbox::channel(inner))).await?;
    let mut watched = HashSet::new();
    follow(inner, &mut sink, &mut watched).await?;
    inner.forgets.tell(&Forget::Everything);
    Stage::ALL.into_iter().for_each(|stage| inner.wakes.tell(stage));
    inner.outbox.hello();
    let mut ping = tokio::time::interval(PING);
    loop {
        tokio::select! {
            message = messages.next() => take(inner, &message.ok_or("the connection was closed")?),
            () = inner.live.changed.notified() => follow(inner, &mut sink, &mut watched).await?,
            _ = ping.tick() => within(sink.ping::<redis::Value>()).await.map(drop)?,
        }
    }
}

/// Brings the subscriptions in line with what is watched here.
async fn follow(inner: &Inner, sink: &mut PubSubSink, watched: &mut HashSet<Uuid>) -> Result<(), Lost> {
    let wanted: HashSet<Uuid> = inner.live.tenants().into_iter().collect();
    for tenant in &wanted - &*watched {
        within(sink.subscribe(live::channel(inner, tenant))).await?;
        inner.outbox.watch(tenant);
    }
    for tenant in &*watched - &wanted {
        within(sink.unsubscribe(live::channel(inner, tenant))).await?;
    }
    *watched = wanted;
    Ok(())
}

fn take(inner: &Inner, message: &Msg) {
    let Ok(text) = std::str::from_utf8(message.get_payload_bytes()) else { return };
    if let Some(tenant) = message.get_channel_name().strip_prefix(&live::prefix(inner)) {
        let event = text.split_once(' ').filter(|(node, _)| node.parse() != Ok(inner.node));
        if let (Some((_, json)), Ok(tenant)) = (event, tenant.parse()) {
            inner.live.show(tenant, &json.into());
        }
        return;
    }
    match News::read(text) {
        Some((node, _)) if node == inner.node => {}
        Some((_, News::Hello)) => {
            inner.nodes.met();
            inner.outbox.greet();
        }
        Some((_, News::Wake(stages))) => stages.into_iter().for_each(|stage| inner.wakes.tell(stage)),
        Some((_, News::Forget(forget))) => inner.forgets.tell(&forget),
        Some((_, News::Watch(tenant))) => inner.live.reached(tenant, true),
        None => {}
    }
}

async fn within<T>(answer: impl Future<Output = redis::RedisResult<T>>) -> Result<T, Lost> {
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {PATIENCE:?}")),
    }
}
