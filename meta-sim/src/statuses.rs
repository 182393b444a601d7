//! Statuses of accepted messages, on their way back to the runtime.
//!
//! One task takes what is due and posts as much of it together as fits, without waiting for more: a quiet simulator
//! sends single statuses, a busy one batches, as Meta does. Because there is one task, order is kept.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{sync::mpsc, time::Instant};

use crate::{
    direct::{self, Sent},
    envelope,
    state::{State, now_ms},
    webhook::sign,
};

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// One status of one message.
pub(crate) struct Progress {
    pub(crate) due: Instant,
    pub(crate) phone_number_id: String,
    pub(crate) wamid: String,
    pub(crate) to: String,
    pub(crate) callback_data: Option<String>,
    /// On Messenger or Instagram.
    pub(crate) direct: Option<Sent>,
    pub(crate) status: String,
    /// Code and title, for `failed`.
    pub(crate) error: Option<(i64, String)>,
    /// Its message's [`crate::Accepted::heard`].
    pub(crate) heard: Arc<OnceLock<std::time::Instant>>,
}

impl Progress {
    /// What its webhook is about.
    fn object(&self) -> &'static str {
        self.direct.as_ref().map_or("whatsapp_business_account", |sent| sent.platform.object())
    }

    fn item(&self) -> Value {
        let mut item = json!({ "id": self.wamid, "status": self.status, "timestamp": (now_ms() / 1000).to_string() });
        let recipient = if is_number(&self.to) { "recipient_id" } else { "recipient_user_id" };
        item[recipient] = json!(self.to);
        if let Some(data) = &self.callback_data {
            item["biz_opaque_callback_data"] = json!(data);
        }
        if let Some((code, title)) = &self.error {
            item["errors"] =
                json!([{ "code": code, "title": title, "message": title, "error_data": { "details": title } }]);
        } else if self.status == "sent" {
            item["conversation"] = json!({ "id": "sim-conversation", "origin": { "type": "service" } });
            item["pricing"] = json!({ "billable": false, "pricing_model": "PMP", "category": "service", "type": "free_customer_service" });
        }
        item
    }
}

/// Digits are a WhatsApp id; a business-scoped user id has letters.
pub(crate) fn is_number(id: &str) -> bool {
    id.bytes().all(|byte| byte.is_ascii_digit())
}

/// Runs until the simulator stops.
pub(crate) async fn run(state: Arc<State>, mut queue: mpsc::UnboundedReceiver<Progress>) {
    let stopping = state.stopping.clone();
    let work = async {
        let mut next = queue.recv().await;
        while let Some(first) = next.take() {
            tokio::time::sleep_until(first.due).await;
            let most = state.option(|options| options.status_batch.max(1));
            let mut batch = vec![first];
            while batch.len() < most
                && let Ok(more) = queue.try_recv()
            {
                if more.due > Instant::now() || batch.first().is_some_and(|first| first.object() != more.object()) {
                    next = Some(more);
                    break;
                }
                batch.push(more);
            }
            send(&state, &batch).await;
            if next.is_none() {
                next = queue.recv().await;
            }
        }
    };
    tokio::select! {
        () = work => {}
        () = stopping.cancelled() => {}
    }
}

async fn send(state: &State, batch: &[Progress]) {
    let body = body(state, batch);
    post(state, batch, body).await;
}

/// All of a batch go to one object: see [`Progress::object`].
fn body(state: &State, batch: &[Progress]) -> Vec<u8> {
    if let Some(platform) = batch.first().and_then(|first| first.direct.as_ref()).map(|sent| sent.platform) {
        let with_metadata = state.option(|options| options.echo_metadata);
        let items = batch.iter().filter_map(|progress| {
            let sent = progress.direct.as_ref()?;
            Some((sent.home.clone(), sent.item(&progress.status, &progress.wamid, &progress.to, with_metadata)))
        });
        return direct::body(platform, items.collect());
    }
    let waba = state.option(|options| options.waba_id.clone());
    let items = batch.iter().map(|progress| envelope::Part {
        account: waba.clone(),
        phone_number_id: progress.phone_number_id.clone(),
        contact: None,
        list: "statuses",
        item: progress.item(),
    });
    envelope::body(items.collect())
}

async fn post(state: &State, batch: &[Progress], body: Vec<u8>) {
    let count = batch.len() as u64;
    let mut repeats = state.option(|options| options.status_repeats);
    let mut retries = 0;
    let mut acknowledged = false;
    loop {
        let (url, secret, limit) =
            state.option(|options| (options.webhook_url.clone(), options.app_secret.clone(), options.webhook_retries));
        let good = match &url {
            None => false,
            Some(url) => {
                state.count(|stats| stats.status_posts += 1);
                let signature = sign(&secret, &body);
                state.poster.post(Some(url), body.clone(), Some(&signature)).await.is_acknowledged()
            }
        };
        if good && !acknowledged {
            acknowledged = true;
            let now = std::time::Instant::now();
            for progress in batch {
                // It keeps the time of the first.
                let _ = progress.heard.set(now);
            }
            state.ledger().acknowledge(batch.iter().map(|progress| progress.due.elapsed()));
            state.count(|stats| stats.statuses_acknowledged += count);
        }
        if good && repeats > 0 {
            repeats -= 1;
        } else if good || acknowledged {
            return;
        } else if url.is_none() || retries == limit {
            return state.count(|stats| stats.statuses_lost += count);
        } else {
            tokio::time::sleep(LONGEST_PAUSE.min(FIRST_PAUSE * 2u32.pow(retries.min(8)))).await;
            retries += 1;
        }
    }
}
