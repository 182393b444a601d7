//! The connections to Meta: HTTP/2 over TLS where the server has it, else one request at a time on each.
//!
//! A client keeps one HTTP/2 connection per host, and a request for which the server has no stream left waits there
//! with its clock running. So there are several clients, and another one is begun when those before it are full.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::{Client, ClientBuilder, Proxy};
use secrecy::ExposeSecret;

use crate::graph::Settings;

/// Requests of one client at once. Servers commonly allow a hundred streams per connection.
const STREAMS: usize = 64;
/// How long a connection without a request is kept.
const IDLE: Duration = Duration::from_secs(60);
/// How often an HTTP/2 connection is asked whether it still works, also without requests, and how long it may take to
/// answer: what a firewall has dropped is found before a message is sent into it.
const PING: Duration = Duration::from_secs(20);
const PONG: Duration = Duration::from_secs(10);

/// Clients, each with its connections.
pub(crate) struct Connections {
    settings: Settings,
    first: Client,
    shards: Vec<Shard>,
}

#[derive(Default)]
struct Shard {
    client: OnceLock<Client>,
    busy: AtomicUsize,
}

/// A place for one request.
pub(crate) struct Place<'a> {
    pub client: &'a Client,
    busy: &'a AtomicUsize,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Connections {
    pub fn new(settings: &Settings) -> Result<Self, reqwest::Error> {
        let first = builder(settings)?.build()?;
        let shards = (0..settings.concurrency.div_ceil(STREAMS).max(1)).map(|_| Shard::default());
        Ok(Self { settings: settings.clone(), first, shards: shards.collect() })
    }

    /// The first client that is not full; the last one when all are.
    pub fn place(&self) -> Place<'_> {
        let (last, before) = self.shards.split_last().expect("there is at least one");
        let free = before.iter().find(|shard| shard.enter());
        let shard = free.unwrap_or_else(|| {
            last.busy.fetch_add(1, Ordering::Relaxed);
            last
        });
        Place { client: shard.client.get_or_init(|| self.client(shard)), busy: &shard.busy }
    }

    fn client(&self, shard: &Shard) -> Client {
        if std::ptr::eq(shard, &self.shards[0]) {
            return self.first.clone();
        }
        // What could be built once can be built again; if not, all share what there is.
        builder(&self.settings).and_then(ClientBuilder::build).unwrap_or_else(|_| self.first.clone())
    }
}

impl Shard {
    fn enter(&self) -> bool {
        let entered = self.busy.fetch_add(1, Ordering::Relaxed) < STREAMS;
        if !entered {
            self.busy.fetch_sub(1, Ordering::Relaxed);
        }
        entered
    }
}

fn builder(settings: &Settings) -> Result<ClientBuilder, reqwest::Error> {
    let builder = Client::builder()
        .connect_timeout(settings.connect_timeout)
        .read_timeout(settings.first_byte_timeout)
        .timeout(settings.timeout)
        .redirect(reqwest::redirect::Policy::none())
        .tcp_nodelay(true)
        .pool_max_idle_per_host(settings.concurrency.min(STREAMS))
        .pool_idle_timeout(IDLE)
        .http2_keep_alive_interval(PING)
        .http2_keep_alive_timeout(PONG)
        .http2_keep_alive_while_idle(true)
        // A send is repeated by its verdict alone, never behind our back.
        .retry(reqwest::retry::never());
    match &settings.proxy {
        // In place of those of the environment.
        Some(proxy) => Ok(builder.proxy(Proxy::all(proxy.expose_secret())?)),
        None => Ok(builder),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_client_is_begun_when_the_first_is_full_and_left_when_it_is_not() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let settings = Settings { concurrency: STREAMS + 1, ..Settings::of("http://localhost") };
        let connections = Connections::new(&settings).expect("a client");
        assert_eq!(connections.shards.len(), 2);
        let busy = || connections.shards.iter().map(|shard| shard.busy.load(Ordering::Relaxed)).collect::<Vec<_>>();
        let mut places: Vec<_> = (0..STREAMS).map(|_| connections.place()).collect();
        assert_eq!(busy(), [STREAMS, 0]);
        assert!(connections.shards[1].client.get().is_none(), "nobody needs it yet");
        let beyond = connections.place();
        assert_eq!(busy(), [STREAMS, 1]);
        places.truncate(1);
        let again = connections.place();
        assert_eq!(busy(), [2, 1]);
        drop((places, beyond, again));
        assert_eq!(busy(), [0, 0]);
    }
}
