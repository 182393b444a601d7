//! A running simulator, as tests and benchmarks hold it.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, extract::DefaultBodyLimit, routing};
use serde_json::Value;
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle};

use crate::{
    Accepted, BusinessNumber, Delivery, Direct, Fault, Grant, Inbound, MarkedRead, Options, Stats, control, direct,
    envelope, graph,
    line::{Line, Lines},
    management,
    media::{self, File},
    node,
    state::{State, now_ms},
    statuses, templates,
    webhook::{Poster, sign},
};

/// What was waited for did not come in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("waited {waited:?} for {wanted} {what}, {came} came")]
pub struct Timeout {
    /// What was counted.
    pub what: &'static str,
    /// How many were wanted.
    pub wanted: u64,
    /// How many came.
    pub came: u64,
    /// How long.
    pub waited: Duration,
}

/// A running simulator. It stops when it is dropped; [`Sim::stop`] also waits for that.
pub struct Sim {
    address: SocketAddr,
    state: Arc<State>,
    tasks: Vec<JoinHandle<()>>,
}

impl Sim {
    /// Starts it. Fails when the address is taken.
    pub async fn start(options: Options) -> io::Result<Sim> {
        let listener = TcpListener::bind(options.listen).await?;
        let address = listener.local_addr()?;
        let (progress, queue) = mpsc::unbounded_channel();
        let poster = Poster::new().map_err(io::Error::other)?;
        let state = Arc::new(State::new(options, poster, progress));
        let routes = Router::new()
            .route("/{version}/{phone_number_id}/messages", routing::post(graph::messages))
            .route(
                "/{version}/{phone_number_id}/media",
                routing::post(media::upload).layer(DefaultBodyLimit::max(media::LARGEST)),
            )
            .route(
                "/{version}/{waba_id}/message_templates",
                routing::get(templates::list).post(templates::create).delete(templates::delete),
            )
            .route("/_media/{key}", routing::get(media::bytes))
            .merge(management::routes())
            .merge(node::routes())
            .merge(control::routes())
            .fallback(async || graph::error(404, 2500, "Unknown path components", None))
            .with_state(state.clone());
        let stopping = state.stopping.clone().cancelled_owned();
        let serve = axum::serve(Lines(listener), routes.into_make_service_with_connect_info::<Line>())
            .with_graceful_shutdown(stopping);
        let tasks = vec![
            tokio::spawn(async move {
                // Serving a bound listener has no error to give.
                let _ = serve.await;
            }),
            tokio::spawn(statuses::run(state.clone(), queue)),
        ];
        Ok(Sim { address, state, tasks })
    }

    /// Base URL of the Graph API and of the control API, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where webhooks go from now on.
    pub fn set_webhook(&self, url: &str) {
        self.configure(|options| options.webhook_url = Some(url.to_owned()));
    }

    /// Signs webhooks with this secret from now on.
    pub fn set_app_secret(&self, secret: &str) {
        self.configure(|options| options.app_secret = secret.to_owned());
    }

    /// Changes settings while it runs. The address and `keep` stay as they were.
    pub fn configure(&self, change: impl FnOnce(&mut Options)) {
        self.state.configure(change);
    }

    /// Stops listening, resets what hangs, gives up statuses that are still on their way.
    pub async fn stop(mut self) {
        self.state.stopping.cancel();
        for mut task in std::mem::take(&mut self.tasks) {
            // A client may hold a request half-way open; it is not waited for longer.
            if tokio::time::timeout(Duration::from_secs(5), &mut task).await.is_err() {
                task.abort();
            }
        }
    }

    /// The messages accepted so far, in order; at most [`Options::keep`].
    pub fn accepted(&self) -> Vec<Accepted> {
        self.state.ledger().accepted().to_vec()
    }

    /// How many messages were accepted so far.
    pub fn accepted_count(&self) -> u64 {
        self.stats().accepted
    }

    /// How often this text was accepted for this recipient. Exact also beyond [`Options::keep`].
    pub fn times(&self, to: &str, text: &str) -> u64 {
        self.state.ledger().times(to, Some(text))
    }

    /// How many sends were not accepted.
    pub fn refused_count(&self) -> u64 {
        self.stats().refused
    }

    /// How many requests the messages endpoint had.
    pub fn requests(&self) -> u64 {
        self.stats().requests
    }

    /// What was marked as read.
    pub fn marked_read(&self) -> Vec<MarkedRead> {
        self.state.ledger().marked_read().to_vec()
    }

    /// How long each status took, from the moment at which it was due to its acknowledgement, whatever it waited for; at
    /// most [`Options::keep`] of them.
    pub fn status_times(&self) -> Vec<Duration> {
        self.state.ledger().status_times().to_vec()
    }

    /// All counters.
    pub fn stats(&self) -> Stats {
        self.state.stats()
    }

    /// Forgets records, counts and faults.
    pub fn reset(&self) {
        self.state.reset();
    }

    /// Waits until `n` messages were accepted since the start (or reset) and gives them all.
    pub async fn wait_for_accepted(&self, n: usize, timeout: Duration) -> Result<Vec<Accepted>, Timeout> {
        self.wait("accepted messages", n as u64, timeout, |stats| stats.accepted).await?;
        Ok(self.accepted())
    }

    /// Waits until the runtime has acknowledged `n` statuses.
    pub async fn wait_for_statuses(&self, n: usize, timeout: Duration) -> Result<(), Timeout> {
        self.wait("acknowledged statuses", n as u64, timeout, |stats| stats.statuses_acknowledged).await
    }

    /// Waits until `n` requests came to the messages endpoint.
    pub async fn wait_for_requests(&self, n: usize, timeout: Duration) -> Result<(), Timeout> {
        self.wait("requests", n as u64, timeout, |stats| stats.requests).await
    }

    /// Waits until no status is on its way.
    pub async fn wait_for_webhook_idle(&self, timeout: Duration) -> Result<(), Timeout> {
        let mut watch = self.state.watch();
        let idle = tokio::time::timeout(timeout, watch.wait_for(Stats::is_idle)).await;
        let stats = self.stats();
        let timeout = Timeout {
            what: "statuses to be delivered",
            wanted: stats.statuses_queued,
            came: stats.statuses_acknowledged + stats.statuses_lost,
            waited: timeout,
        };
        if idle.is_ok_and(|idle| idle.is_ok()) { Ok(()) } else { Err(timeout) }
    }

    async fn wait(
        &self,
        what: &'static str,
        wanted: u64,
        waited: Duration,
        read: impl Fn(&Stats) -> u64,
    ) -> Result<(), Timeout> {
        let mut watch = self.state.watch();
        let came = tokio::time::timeout(waited, watch.wait_for(|stats| read(stats) >= wanted)).await;
        if came.is_ok_and(|came| came.is_ok()) {
            return Ok(());
        }
        Err(Timeout { what, wanted, came: read(&self.stats()), waited })
    }

    /// The next `times` sends that no [`Sim::fail_to`] concerns meet this fault. Several calls queue up.
    pub fn fail_next(&self, fault: Fault, times: u32) {
        self.state.script().push(None, fault, times);
    }

    /// The next `times` sends to this recipient meet this fault.
    pub fn fail_to(&self, to: &str, fault: Fault, times: u32) {
        self.state.script().push(Some(to), fault, times);
    }

    /// The next `times` calls of this name, `register` for example, meet this fault. Names are those of
    /// [`crate::management`]'s table.
    pub fn fail_call(&self, name: &str, fault: Fault, times: u32) {
        self.state.script().push(Some(name), fault, times);
    }

    /// How often this call was made, faults included.
    pub fn calls(&self, name: &str) -> u64 {
        self.state.directory().calls.get(name).copied().unwrap_or_default()
    }

    /// A further app, with its secret.
    pub fn add_app(&self, app_id: &str, secret: &str) {
        self.state.directory().apps.insert(app_id.to_owned(), secret.to_owned());
    }

    /// A number of a business account.
    pub fn add_number(&self, number: BusinessNumber) {
        self.state.directory().add_number(number);
    }

    /// A user went through the dialog: this code can be exchanged for this token, once.
    pub fn offer_code(&self, code: &str, grant: Grant) {
        self.state.directory().codes.insert(code.to_owned(), Some(grant));
    }

    /// Describes a token; one that is not described permits all and never expires.
    pub fn grant(&self, grant: Grant) {
        self.state.directory().grants.insert(grant.token.clone(), grant);
    }

    /// Takes a token no more: error 190 from now on.
    pub fn revoke(&self, token: &str) {
        self.state.directory().revoked.insert(token.to_owned());
    }

    /// Whether this app gets the account's webhooks.
    pub fn is_subscribed(&self, waba_id: &str, app_id: &str) -> bool {
        self.state.directory().subscriptions.contains(&(waba_id.to_owned(), app_id.to_owned()))
    }

    /// How often a number was registered, and its PIN.
    pub fn registrations(&self, phone_number_id: &str) -> (u32, Option<String>) {
        let directory = self.state.directory();
        let known = directory.numbers.get(phone_number_id);
        known.map_or((0, None), |known| (known.registrations, known.number.pin.clone()))
    }

    /// Everything goes well again.
    pub fn clear_faults(&self) {
        self.state.script().clear();
    }

    /// Posts one message from a user, signed, once.
    pub async fn receive(&self, message: Inbound) -> Delivery {
        self.receive_batch(vec![message]).await
    }

    /// Posts many messages in one signed POST, grouped by account and number as Meta does, once.
    pub async fn receive_batch(&self, messages: Vec<Inbound>) -> Delivery {
        receive(&self.state, messages).await
    }

    /// Posts what people did on Messenger or Instagram, all on one of them, in one signed POST, once. From then on they can
    /// be written to.
    pub async fn receive_direct(&self, events: &[Direct]) -> Delivery {
        receive_direct(&self.state, events).await
    }

    /// Posts these bytes with this signature, or without one, once.
    pub async fn post_raw(&self, body: Vec<u8>, signature: Option<String>) -> Delivery {
        let url = self.state.option(|options| options.webhook_url.clone());
        self.state.poster.post(url.as_deref(), body, signature.as_deref()).await
    }

    /// The body that [`Sim::receive_batch`] would post, for tests that change it.
    pub fn body_of(&self, messages: Vec<Inbound>) -> Vec<u8> {
        body_of(&self.state, messages)
    }

    /// Puts a file there under this id.
    pub fn put_file(&self, id: &str, file: File) {
        self.state.files().put(id, file);
    }

    /// The file of this id.
    pub fn file(&self, id: &str) -> Option<File> {
        self.state.files().get(id)
    }

    /// Meta does not know the file any more; messages that name it are refused.
    pub fn forget_file(&self, id: &str) {
        self.state.files().forget(id);
    }

    /// The ids of files that were uploaded, in order.
    pub fn uploads(&self) -> Vec<String> {
        self.state.files().uploads()
    }

    /// How many times the bytes of a file were asked for.
    pub fn downloads(&self) -> u64 {
        self.state.files().downloads()
    }

    /// The next `times` downloads are answered with this status.
    pub fn fail_downloads(&self, status: u16, times: usize) {
        self.state.files().fail(status, times);
    }

    /// Puts a template of this account there, in this status. Gives its id.
    pub fn put_template(&self, account: &str, template: Value, status: &str) -> String {
        self.state.templates().put(account, template, status)
    }

    /// The account's templates, by name and language.
    pub fn templates(&self, account: &str) -> Vec<Value> {
        self.state.templates().of(account)
    }

    /// Takes a template away without telling anybody.
    pub fn remove_template(&self, account: &str, name: &str) {
        self.state.templates().remove(account, name, None);
    }

    /// Meta decides about a template of this account: its status is another one, and a webhook tells so.
    pub async fn judge_template(
        &self,
        account: &str,
        name: &str,
        language: &str,
        event: &str,
        reason: &str,
    ) -> Delivery {
        templates::judge(&self.state, account, (name, language), event, reason).await
    }

    /// Posts a change of any other field of this business account, signed, once: `account_update` for example.
    pub async fn change(&self, account: &str, field: &str, value: Value) -> Delivery {
        self.change_at(account, field, value, None).await
    }

    /// The same, made by Meta at this second since 1970.
    pub async fn change_at(&self, account: &str, field: &str, value: Value, time: Option<i64>) -> Delivery {
        let time = time.unwrap_or((now_ms() / 1000) as i64);
        tell(&self.state, account, field, value, time).await
    }

    /// Posts these bytes with the right signature, once.
    pub async fn post_signed(&self, body: Vec<u8>) -> Delivery {
        let signature = self.state.option(|options| sign(&options.app_secret, &body));
        self.post_raw(body, Some(signature)).await
    }
}

/// Posts a change of an account's, signed, as of this second, once.
pub(crate) async fn tell(state: &State, account: &str, field: &str, value: Value, time: i64) -> Delivery {
    let body = envelope::change(account, field, value, time);
    let (url, signature) = state.option(|options| (options.webhook_url.clone(), sign(&options.app_secret, &body)));
    state.poster.post(url.as_deref(), body, Some(&signature)).await
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.state.stopping.cancel();
    }
}

fn body_of(state: &State, messages: Vec<Inbound>) -> Vec<u8> {
    let account = state.option(|options| options.waba_id.clone());
    envelope::body(messages.into_iter().map(|message| message.part(&account)).collect())
}

pub(crate) async fn receive_direct(state: &State, events: &[Direct]) -> Delivery {
    for event in events {
        state.people().entry(event.person.clone()).or_default().push((event.platform, event.home.clone()));
    }
    post(state, direct::body_of(events), events.len() as u64).await
}

pub(crate) async fn receive(state: &State, messages: Vec<Inbound>) -> Delivery {
    let count = messages.len() as u64;
    post(state, body_of(state, messages), count).await
}

async fn post(state: &State, body: Vec<u8>, count: u64) -> Delivery {
    let (url, signature) = state.option(|options| (options.webhook_url.clone(), sign(&options.app_secret, &body)));
    state.count(|stats| stats.inbound += count);
    let delivery = state.poster.post(url.as_deref(), body, Some(&signature)).await;
    if delivery.is_acknowledged() {
        state.count(|stats| stats.inbound_acknowledged += count);
    }
    delivery
}
