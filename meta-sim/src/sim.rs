//! A running simulator, as tests and benchmarks hold it.

mod posts;
mod waits;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, extract::DefaultBodyLimit, routing};
use serde_json::Value;
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle};

pub(crate) use self::posts::{receive, receive_direct, tell};
pub use self::waits::Timeout;
use crate::{
    Accepted, BusinessNumber, Fault, Grant, MarkedRead, Options, Stats, control, graph,
    line::{Line, Lines},
    management,
    media::{self, File},
    node,
    state::State,
    statuses, templates,
    webhook::Poster,
};

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
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.state.stopping.cancel();
    }
}
