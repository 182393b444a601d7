//! How a simulated Meta behaves.

use std::{net::SocketAddr, time::Duration};

/// The settings of a simulator at its start. Some can be changed while it runs.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Meta's id of the platform's app.
    pub app_id: String,
    /// The app's secret; signs webhooks.
    pub app_secret: String,
    /// Where webhooks go; without it none are sent.
    pub webhook_url: Option<String>,
    /// Tokens that are taken; without a list every token is.
    pub access_tokens: Option<Vec<String>>,
    /// How long the answer to a send takes.
    pub latency: Duration,
    /// Statuses that follow an accepted message. `failed` carries error 131026.
    pub statuses: Vec<String>,
    /// How long after the acceptance the statuses leave.
    pub status_delay: Duration,
    /// The order of one message's statuses.
    pub status_order: StatusOrder,
    /// Whether echoes of Messenger and Instagram tell what the sender attached (`metadata`).
    pub echo_metadata: bool,
    /// How often each status webhook is posted once more after it was acknowledged.
    pub status_repeats: u32,
    /// How many statuses may share a POST, at least 1. Under load Meta puts many into one.
    pub status_batch: usize,
    /// How often a status webhook that is not answered with 200 is posted again before it is given up. Pauses grow from
    /// 50 ms to 1 s.
    pub webhook_retries: u32,
    /// The WhatsApp Business account of numbers that do not say another (`entry.id`).
    pub waba_id: String,
    /// How many accepted messages are kept in full; later ones are counted only.
    pub keep: usize,
    /// How long the address of a file is good.
    pub media_url_life: Duration,
    /// Templates on a page at the most.
    pub template_page: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            app_id: "670843887433847".to_owned(),
            app_secret: "meta-sim-secret".to_owned(),
            webhook_url: None,
            access_tokens: None,
            latency: Duration::ZERO,
            statuses: ["sent", "delivered", "read"].map(str::to_owned).to_vec(),
            status_delay: Duration::ZERO,
            status_order: StatusOrder::InOrder,
            echo_metadata: true,
            status_repeats: 0,
            status_batch: 100,
            webhook_retries: 30,
            waba_id: "102290129340398".to_owned(),
            keep: 200_000,
            media_url_life: Duration::from_secs(300),
            template_page: 100,
        }
    }
}

/// The order in which the statuses of one message leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusOrder {
    /// As listed.
    InOrder,
    /// Last first.
    Reversed,
    /// Mixed, the same way for the same seed and message number.
    Shuffled(u64),
}

impl StatusOrder {
    /// The statuses of the message with this number, in their order.
    pub(crate) fn arrange(self, statuses: &[String], seq: u64) -> Vec<String> {
        let mut list = statuses.to_vec();
        match self {
            StatusOrder::InOrder => {}
            StatusOrder::Reversed => list.reverse(),
            StatusOrder::Shuffled(seed) => {
                let mut state = seed ^ seq.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                for place in (1..list.len()).rev() {
                    list.swap(place, (split_mix(&mut state) % (place as u64 + 1)) as usize);
                }
            }
        }
        list
    }
}

/// SplitMix64: enough to mix a handful of statuses, and the same everywhere.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut bits = *state;
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
