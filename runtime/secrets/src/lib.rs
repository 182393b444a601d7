//! What must stay secret at rest: tenants' access tokens, sealed with AES-256-GCM, and API keys, of which only a
//! digest is kept. No database here; randomness comes in from the caller.

mod api_key;
mod seal;

pub use api_key::{ApiKey, constant_time_eq, digest};
pub use seal::{Error, MasterKey, Sealed};
