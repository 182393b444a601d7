//! Connects, tells that this node lives, and connects anew.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Connected, Link, PATIENCE, log::Log};
use crate::nodes::{self, BEAT};
use crate::shared::Inner;

/// The pause before the second attempt; it doubles up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// A connection that lasted so long was a good one: the next attempt comes without a pause.
const LASTING: Duration = Duration::from_secs(10);

/// Keeps the link until `stop`.
pub(crate) async fn keep(inner: Arc<Inner>, link: Arc<Link>, stop: CancellationToken) {
    let mut log = Log::default();
    let mut pause = Duration::ZERO;
    while !stop.is_cancelled() {
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(pause) => {}
        }
        let since = Instant::now();
        let ended = tokio::select! {
            () = stop.cancelled() => break,
            ended = connect_and_beat(&inner, &link, &mut log) => ended,
        };
        // Counts what was asked meanwhile from now on.
        log.away(&ended, inner.nodes.seen());
        pause = match pause {
            _ if since.elapsed() > LASTING => Duration::ZERO,
            Duration::ZERO => PAUSE,
            pause => (pause * 2).min(LONGEST_PAUSE),
        };
    }
    let connected = link.connected.write().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    link.up.send_replace(false);
    if let Some(connected) = connected {
        let leave = nodes::leave(&inner, &connected.connection);
        // The others forget this node by themselves too.
        let _ = tokio::time::timeout(PATIENCE, leave).await;
    }
}

/// Returns when there is no connection any more, or none could be made: why.
async fn connect_and_beat(inner: &Inner, link: &Link, log: &mut Log) -> String {
    let connected = match tokio::time::timeout(2 * PATIENCE, connect(inner, link)).await {
        Ok(Ok(connected)) => Arc::new(connected),
        Ok(Err(error)) => return error.to_string(),
        Err(_) => return format!("no answer within {:?}", 2 * PATIENCE),
    };
    *link.connected.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(connected.clone());
    link.up.send_replace(true);
    log.back(link.missed.swap(0, Ordering::Relaxed));
    loop {
        tokio::select! {
            () = link.lost.notified() => return "a call was not answered".to_owned(),
            () = tokio::time::sleep(BEAT) => {}
        }
        let beat = nodes::beat(inner, &connected.connection);
        let error = match tokio::time::timeout(PATIENCE, beat).await {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {PATIENCE:?}"),
        };
        link.lose(&connected, &error);
        // Told by itself.
        link.lost.notified().await;
        return error;
    }
}

async fn connect(inner: &Inner, link: &Link) -> Result<Connected, redis::RedisError> {
    let connection = link.client.connect().await?;
    let mut pipeline = redis::pipe();
    for script in crate::limits::SCRIPTS {
        pipeline.cmd("SCRIPT").arg("LOAD").arg(script);
    }
    let scripts = connection.run(&pipeline).await?;
    nodes::beat(inner, &connection).await?;
    Ok(Connected { connection, scripts })
}
