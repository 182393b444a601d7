//! Files of messages: those that come in are fetched from Meta, those that go out are given to it; both are kept.
//!
//! In: rows that the journal wrote for files of messages ([`run`]), uploads of tenants ([`Media::upload`]), payloads
//! that name uploads ([`Media::at_meta`]). Out: bytes in a folder or a bucket ([`files`]), shown by signed links
//! ([`links`]). What can fail: Meta, the place, this process; a file that came in is tried again until Meta has
//! forgotten it, by whichever process.

mod fetch;
pub mod files;
mod limits;
pub mod links;
mod retention;
mod sending;
mod slots;
mod uploading;
mod verdict;

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use hoopoe_lanes::{Gate, Options};
use hoopoe_meta::Graph;
use hoopoe_secrets::MasterKey;
use hoopoe_store::Store;
use tokio_util::sync::CancellationToken;

use crate::fetch::Fetcher;
use crate::files::{Files, Place};
pub use crate::limits::{Types, plain_type};
use crate::links::Links;
use crate::sending::Under;
pub use crate::sending::{AtMeta, HANDLE, Number, Used, handles};
use crate::slots::Slots;
pub use crate::uploading::{NewUpload, UploadError};

/// Where files are kept, and which.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where.
    pub place: Place,
    /// Most bytes of a file that comes in.
    pub largest: u64,
    /// Types of files that come in and are kept.
    pub types: Types,
    /// Most bytes of a tenant's files with which it may upload another one; no limit when absent.
    pub tenant_bytes: Option<u64>,
    /// How long files are kept.
    pub retention: TimeDelta,
    /// How long a link is good.
    pub link_life: TimeDelta,
    /// What links begin with; may be empty.
    pub link_base: String,
}

/// How files are fetched.
#[derive(Debug, Clone, Copy)]
pub struct FetchSettings {
    /// Files on their way at the same time.
    pub concurrency: usize,
    /// How long a file belongs to its owner without a heartbeat.
    pub lease: TimeDelta,
    /// Longest time between two looks at the queue.
    pub poll: Duration,
}

/// Why it could not start.
#[derive(Debug, thiserror::Error)]
#[error("MEDIA_STORE cannot be used: {0}")]
pub struct Error(#[from] object_store::Error);

/// The files of all tenants. Cheap to clone.
#[derive(Clone)]
pub struct Media {
    store: Store,
    files: Files,
    graph: Graph,
    links: Links,
    master_key: MasterKey,
    largest: u64,
    types: Types,
    tenant_bytes: Option<u64>,
    retention: TimeDelta,
    under: Arc<Under>,
    slots: Arc<Slots>,
}

impl Media {
    /// Opens the place; nothing is read or written yet.
    pub fn open(store: Store, graph: Graph, master_key: MasterKey, settings: Settings) -> Result<Self, Error> {
        let Settings { place, largest, types, tenant_bytes, retention, link_life, link_base } = settings;
        Ok(Self {
            files: Files::open(&place)?,
            links: Links::new(&master_key, &link_base, link_life),
            store,
            graph,
            master_key,
            largest,
            types,
            tenant_bytes,
            retention,
            under: Arc::default(),
            slots: Arc::default(),
        })
    }

    /// The bytes of all files.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// Links to files.
    pub fn links(&self) -> &Links {
        &self.links
    }
}

/// Fetches what came in and removes what is old, until `stop`; then what is under way ends.
pub async fn run(media: Media, settings: FetchSettings, stop: CancellationToken) {
    let lease = settings.lease.to_std().unwrap_or_default();
    let options = Options { poll: settings.poll, lease, deadline: lease };
    let ambient = media.store.ambient.clone();
    let removing = retention::run(media.clone(), stop.clone());
    let fetcher = Fetcher::new(media, settings.lease, settings.concurrency.div_ceil(4));
    tokio::join!(
        hoopoe_lanes::drive(Arc::new(fetcher), Gate::new(settings.concurrency), options, ambient, stop),
        removing
    );
}
