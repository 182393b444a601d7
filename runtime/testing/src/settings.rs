//! The configuration that tests give the runtime.

use std::collections::HashMap;

use meta_sim::Sim;

use crate::Database;

/// The operator's key.
pub const MASTER_KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
/// Signs webhooks.
pub const APP_SECRET: &str = "the-app-secret-of-tests";
/// For the verification of the webhook's address.
pub const VERIFY_TOKEN: &str = "the-verify-token-of-tests";

/// Environment of a runtime on this database, with this simulator as Meta: any free port, few connections. A test
/// changes what it is about.
pub fn settings(database: &Database, sim: &Sim) -> HashMap<String, String> {
    [
        ("APP_ENV", "development"),
        ("APP_SECRET", APP_SECRET),
        ("DATABASE_CONNECTIONS", "6"),
        ("DATABASE_URL", &database.url),
        ("GRAPH_BASE_URL", &sim.url()),
        ("HOST", "127.0.0.1"),
        ("LOG", "info"),
        ("MASTER_KEY", MASTER_KEY),
        ("MEDIA_STORE", &media_folder(database)),
        // Meta's limits are for the tests about them.
        ("NUMBER_RATE", "1000000"),
        ("PAIR_BURST", "1000000"),
        ("POLL_INTERVAL", "50ms"),
        ("PORT", "0"),
        ("VERIFY_TOKEN", VERIFY_TOKEN),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// Where the runtime keeps files: a folder of the test's own, made when the first one comes.
fn media_folder(database: &Database) -> String {
    let name = database.url.rsplit('/').next().unwrap_or_default();
    let name: String = name.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    std::env::temp_dir().join("hoopoe-media-of-tests").join(name).to_string_lossy().into_owned()
}

/// A simulator that signs with [`APP_SECRET`].
pub fn sim_options() -> meta_sim::Options {
    meta_sim::Options { app_secret: APP_SECRET.to_owned(), ..meta_sim::Options::default() }
}
