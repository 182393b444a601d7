//! Places where a test kills the process, to prove that nothing is lost or repeated there.

/// Aborts the process, as `kill -9` would, when the environment's `HOOPOE_CRASH_AT` names this place. Builds for
/// production leave it out.
#[inline]
pub fn crash_point(place: &str) {
    if cfg!(debug_assertions) && std::env::var_os("HOOPOE_CRASH_AT").is_some_and(|at| at == place) {
        eprintln!("crash point {place}");
        std::process::abort();
    }
}
