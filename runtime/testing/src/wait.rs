//! Waiting for a condition without sleeping to be right: the condition decides, the bound only ends a failing test.

use std::time::Duration;

use tokio::time::Instant;

/// How long a test waits for what must come; also for the waiting functions of the simulator.
pub const PATIENCE: Duration = Duration::from_secs(30);

const STEP: Duration = Duration::from_millis(10);

/// Waits until `condition` holds; panics after [`PATIENCE`], naming `what` was waited for.
pub async fn eventually(what: &str, condition: impl AsyncFnMut() -> bool) {
    let mut condition = condition;
    eventually_some(what, async || condition().await.then_some(())).await;
}

/// Waits until `look` finds something, and gives it; panics after [`PATIENCE`], naming `what` was waited for.
pub async fn eventually_some<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    let mut look = look;
    let start = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain: {what}");
        tokio::time::sleep(STEP).await;
    }
}
