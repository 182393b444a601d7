//! Runs that have no effect, and what too many of them lead to.

use hoopoe_sandbox::Digest;
use hoopoe_store::flow_work::Event;
use hoopoe_store::plugins::Paused;
use uuid::Uuid;

use super::Runner;
use crate::breaker::Verdict;

/// Why a run has no effect: a stable code, and the reason for people.
pub(super) struct Failed {
    pub code: &'static str,
    pub reason: String,
}

impl Runner {
    /// Counts a failure, and pauses or takes back what fails too often.
    pub(super) async fn judge(
        &self,
        tenant_id: Uuid,
        event: &Event,
        digest: [u8; 32],
        canary: bool,
        failed: &Failed,
    ) -> Verdict {
        if failed.code == "reject" {
            // The plugin's own decision about this event.
            return Verdict::GoOn;
        }
        let verdict = self.breaker.failed(tenant_id, digest, canary);
        let name = &event.around.flow.name;
        let last = format!("the last with {}: {}", failed.code, failed.reason);
        let written = match verdict {
            Verdict::GoOn => return verdict,
            Verdict::Pause(failures) => {
                let reason = format!("{failures} runs failed in a row, {last}");
                let digest = event.around.flow.digest.is_some().then(|| Digest::from(digest).to_string());
                match self.store.pause_flow(tenant_id, name, digest.as_deref(), &reason).await {
                    // What is in charge by now has not failed.
                    Ok(Paused::NotInCharge) => return Verdict::GoOn,
                    Ok(Paused::Before) => Ok(()),
                    Ok(Paused::Now) => {
                        tracing::warn!(tenant = %tenant_id, plugin = name, reason, "the plugin is paused");
                        Ok(())
                    }
                    Err(error) => Err(error),
                }
            }
            Verdict::TakeBack(failures, runs) => {
                let reason = format!("{failures} of {runs} runs failed, {last}");
                let digest = event.around.flow.canary.as_ref().map(|(digest, _)| digest.as_str()).unwrap_or_default();
                tracing::warn!(tenant = %tenant_id, plugin = name, digest, reason, "the canary is taken back");
                self.store.canary_failed(tenant_id, name, digest, &reason).await.map(drop)
            }
        };
        if let Err(error) = written {
            tracing::warn!(tenant = %tenant_id, plugin = name, %error, "the breaker's verdict cannot be stored");
            return Verdict::GoOn;
        }
        verdict
    }
}
