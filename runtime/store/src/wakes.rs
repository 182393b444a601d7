//! What a commit wakes.

use std::ops::Deref;
use std::sync::OnceLock;

use tokio::sync::Notify;

/// Wakes one stage: who adds work tells who does it.
///
/// As a [`Notify`] it wakes the stage in this process alone.
#[derive(Default)]
pub struct Wake {
    here: Notify,
    elsewhere: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

impl Wake {
    /// There may be work for the stage, in whatever process it runs.
    pub fn notify_one(&self) {
        self.here.notify_one();
        if let Some(elsewhere) = self.elsewhere.get() {
            elsewhere();
        }
    }

    /// How other processes are told; it must not block. The first one stays. Without one they find the work by polling.
    pub fn tell_others(&self, by: impl Fn() + Send + Sync + 'static) {
        let _ = self.elsewhere.set(Box::new(by));
    }
}

impl Deref for Wake {
    type Target = Notify;

    fn deref(&self) -> &Notify {
        &self.here
    }
}

/// The stages that wait for work.
#[derive(Default)]
pub struct Wakes {
    /// An event waits for its flow.
    pub flow: Wake,
    /// A message waits for delivery.
    pub delivery: Wake,
    /// A message was scheduled.
    pub scheduled: Wake,
    /// A timer was set.
    pub timers: Wake,
    /// An HTTP call waits.
    pub calls: Wake,
    /// A notice waits for a webhook.
    pub webhooks: Wake,
    /// A file waits to be fetched.
    pub media: Wake,
}
