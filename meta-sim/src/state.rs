//! What all parts of a simulator share.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    Options,
    direct::Platform,
    directory::{Directory, Grant},
    fault::Script,
    ledger::{Accepted, Ledger, MarkedRead, Stats},
    media::Files,
    statuses::Progress,
    templates::Templates,
    webhook::Poster,
};

pub(crate) struct State {
    options: Mutex<Options>,
    script: Mutex<Script>,
    ledger: Mutex<Ledger>,
    files: Mutex<Files>,
    templates: Mutex<Templates>,
    directory: Mutex<Directory>,
    /// Who wrote to which page or Instagram account.
    people: Mutex<HashMap<String, Vec<(Platform, String)>>>,
    stats: watch::Sender<Stats>,
    pub(crate) poster: Poster,
    progress: mpsc::UnboundedSender<Progress>,
    pub(crate) stopping: CancellationToken,
    /// Part of every id, so that simulators which share a database never give the same one.
    pub(crate) run: String,
}

impl State {
    pub(crate) fn new(options: Options, poster: Poster, progress: mpsc::UnboundedSender<Progress>) -> State {
        State {
            ledger: Mutex::new(Ledger::new(options.keep)),
            options: Mutex::new(options),
            script: Mutex::default(),
            files: Mutex::default(),
            templates: Mutex::default(),
            directory: Mutex::default(),
            people: Mutex::default(),
            stats: watch::Sender::new(Stats::default()),
            poster,
            progress,
            stopping: CancellationToken::new(),
            run: unique(),
        }
    }

    /// A copy of one setting or a few.
    pub(crate) fn option<T>(&self, read: impl FnOnce(&Options) -> T) -> T {
        read(&lock(&self.options))
    }

    pub(crate) fn configure(&self, change: impl FnOnce(&mut Options)) {
        change(&mut lock(&self.options));
    }

    pub(crate) fn script(&self) -> MutexGuard<'_, Script> {
        lock(&self.script)
    }

    pub(crate) fn files(&self) -> MutexGuard<'_, Files> {
        lock(&self.files)
    }

    pub(crate) fn templates(&self) -> MutexGuard<'_, Templates> {
        lock(&self.templates)
    }

    pub(crate) fn people(&self) -> MutexGuard<'_, HashMap<String, Vec<(Platform, String)>>> {
        lock(&self.people)
    }

    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        lock(&self.ledger)
    }

    pub(crate) fn directory(&self) -> MutexGuard<'_, Directory> {
        lock(&self.directory)
    }

    /// Whether Meta takes this token.
    pub(crate) fn takes(&self, token: &str) -> bool {
        let directory = self.directory();
        let listed = self.option(|options| {
            options.access_tokens.as_ref().is_none_or(|tokens| tokens.iter().any(|known| known == token))
        });
        !token.is_empty() && !directory.revoked.contains(token) && (listed || directory.grants.contains_key(token))
    }

    /// The secret of an app that there is.
    pub(crate) fn secret_of(&self, app_id: &str) -> Option<String> {
        let own = self.option(|options| (options.app_id == app_id).then(|| options.app_secret.clone()));
        own.or_else(|| self.directory().apps.get(app_id).cloned())
    }

    /// The app that a token was made for.
    pub(crate) fn app_of(&self, grant: &Grant) -> String {
        grant.app_id.clone().unwrap_or_else(|| self.option(|options| options.app_id.clone()))
    }

    pub(crate) fn stats(&self) -> Stats {
        *self.stats.borrow()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Stats> {
        self.stats.subscribe()
    }

    pub(crate) fn count(&self, change: impl FnOnce(&mut Stats)) {
        self.stats.send_modify(change);
    }

    /// Books an accepted message, and its statuses at once: who sees it accepted must not see the queue still empty.
    pub(crate) fn accept(&self, message: Accepted, progress: Vec<Progress>) {
        self.ledger().accept(message);
        self.count(|stats| {
            stats.accepted += 1;
            stats.statuses_queued += progress.len() as u64;
        });
        for status in progress {
            // The task that receives them ends only with the simulator.
            let _ = self.progress.send(status);
        }
    }

    pub(crate) fn mark_read(&self, read: MarkedRead) {
        self.ledger().mark_read(read);
        self.count(|stats| stats.marked_read += 1);
    }

    /// Forgets records, counts and faults. Statuses on their way are still counted when they arrive.
    pub(crate) fn reset(&self) {
        self.ledger().reset();
        self.script().clear();
        self.count(|stats| {
            let under_way = stats.statuses_queued - stats.statuses_acknowledged - stats.statuses_lost;
            *stats = Stats { statuses_queued: under_way, ..Stats::default() };
        });
    }
}

/// Nothing that runs under these locks panics half-way, so a poisoned one still holds good data.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64)
}

/// A short text that no other simulator of this machine gives.
pub(crate) fn unique() -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    format!("{:x}{:x}{:x}", now_ms(), std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed))
}
