//! How numbers come aboard, and whether they stay usable.
//!
//! In: what Meta's Embedded Signup dialog gave; the access tokens of channels, at their registration and from time to
//! time. Out: a tenant with a channel; what Meta says of a token or a number. What can fail: Meta, each step of a signup
//! by name; the database. Nothing here is on the way of a message.

mod meta;
mod numbers;
mod signup;
mod tokens;

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use hoopoe_secrets::MasterKey;
use hoopoe_store::Store;
use secrecy::SecretString;

pub use hoopoe_protocol::graph::{Class, Failure};
pub use meta::{ClientError, Settings as MetaSettings};
pub use numbers::{AtMeta, NotAtMeta};
pub use signup::{Error, SIGNUP_LIMIT, SignedUp, SignupRequest, Step};
pub use tokens::Look;

use crate::meta::Meta;

/// Tokens that begin so are for trying things out: Meta does not know them.
const MOCK: &str = "mock_";

/// An app at Meta.
#[derive(Debug, Clone)]
pub struct App {
    /// Meta's id of it.
    pub id: String,
    /// Its secret.
    pub secret: SecretString,
}

/// How onboarding behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where and how to call Meta.
    pub meta: MetaSettings,
    /// The platform's app; Embedded Signup needs it.
    pub app: Option<App>,
    /// For all steps of a signup together: [`SIGNUP_LIMIT`], or less.
    pub signup_limit: Duration,
    /// Time between two checks of a token.
    pub check_every: TimeDelta,
    /// How long before a token ends its tenant is warned.
    pub warning: TimeDelta,
    /// Longest time between two looks for tokens whose check is due.
    pub poll: Duration,
}

/// The stage. Cheap to clone.
#[derive(Clone)]
pub struct Onboarding {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    master_key: MasterKey,
    settings: Settings,
    meta: Meta,
}

impl Onboarding {
    /// Fails when the HTTP client cannot be built.
    pub fn new(store: Store, master_key: MasterKey, settings: Settings) -> Result<Self, ClientError> {
        let meta = Meta::new(&settings.meta)?;
        Ok(Self { inner: Arc::new(Inner { store, master_key, settings, meta }) })
    }
}
