//! For whom the sandbox works.

/// On whose behalf plugins are compiled and run, for example a tenant's id. Owners share the sandbox evenly; it knows
/// nothing else of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Owner(pub u128);
