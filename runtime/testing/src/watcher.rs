//! Somebody who watches a tenant live.

use reqwest::Method;
use serde_json::Value;

use crate::{Client, Tenant};

/// Reads `GET /tenants/{id}/live`. It goes when this is dropped.
pub struct Watcher {
    answer: reqwest::Response,
    /// What has come and was not looked at yet.
    rest: String,
}

impl Watcher {
    /// Watches from when this returns, on this process; on others as soon as Redis has its subscription.
    pub async fn start(api: &Client, tenant: &Tenant) -> Self {
        let request = api.request(Method::GET, &format!("/tenants/{}/live", tenant.id), &tenant.key);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self { answer, rest: String::new() }
    }

    /// The next event's data, whose type is the event's name; `None` when the answer has ended.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            while let Some((event, rest)) = self.rest.split_once("\n\n") {
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
                let found = field("event: ").zip(field("data: ")).map(|(name, data)| {
                    let data: Value = serde_json::from_str(data).unwrap();
                    assert_eq!(data["type"], name);
                    data
                });
                self.rest = rest.to_owned();
                if found.is_some() {
                    return found;
                }
            }
            let chunk = self.answer.chunk().await.unwrap()?;
            self.rest.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next so many events.
    pub async fn take(&mut self, events: usize) -> Vec<Value> {
        let mut taken = Vec::with_capacity(events);
        while taken.len() < events {
            taken.push(self.next().await.expect("it goes on"));
        }
        taken
    }
}
