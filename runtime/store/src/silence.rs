//! A server that says nothing: its host has lost power, or something on the way drops all packets. Then there is
//! neither an answer nor an error for as long as TCP tries again: a quarter of an hour, and for ever where all was sent
//! before.

use std::future::Future;
use std::io;
use std::time::Duration;

/// How long an answer of the database is waited for where others wait behind it. Longer than any statement takes there;
/// short enough that who waits for a webhook or a send hears "come back later" before giving up.
pub const SILENCE: Duration = Duration::from_secs(10);

/// What `work` comes to, or, when that takes longer than `within`, the error of a server that is away. What was asked
/// for may have happened all the same, or happen later: `work` has to be something that can be done again. A connection
/// that it leaves behind goes back to the others only if its answer still comes.
pub async fn answered<T, E: From<sqlx::Error>>(
    within: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    tokio::time::timeout(within, work).await.unwrap_or_else(|_| {
        let silence = io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {within:?}"));
        Err(E::from(sqlx::Error::Io(silence)))
    })
}
