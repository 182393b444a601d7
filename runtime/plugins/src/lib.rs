//! Tenants' plugins: from an upload to a version that can run.
//!
//! In: a tenant, the name of a plugin and the digest of a version. Out: the plugin, loaded into the sandbox: from
//! memory, from the cache of compiled code, or from its component in Postgres. Built-in plugins are named without a
//! digest. What can fail: the version is gone, the database is away, or the component does not load; see [`Error`].

mod activation;
mod config;
mod content;
mod library;
mod names;
mod render;
mod upload;
mod versions;

pub use activation::{ActivateError, Activation, Tried};
pub use config::{LARGEST_CONFIG, Violation, check_config, check_schema};
pub use content::send_content;
pub use library::{Error, Library};
pub use names::{check_hosts, check_name, check_secret_name, check_secret_value};
pub use render::{RenderError, Rendered};
pub use upload::{UploadError, Uploaded};
pub use versions::Runnable;
