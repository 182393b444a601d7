//! Which version was active before: read from the history.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Error, Store};

/// Latest changes of the active version that a rollback looks at.
const HISTORY: i64 = 1000;

impl Store {
    /// The version that was active before the one that is active now and that still exists.
    pub async fn plugin_version_before(&self, tenant_id: Uuid, plugin: &str) -> Result<Option<String>, Error> {
        let mut db = self.pool.acquire().await?;
        Ok(before(&mut db, tenant_id, plugin).await?)
    }
}

/// The version before the active one: activations are stacked, and a rollback takes off what is above the version that
/// it went to. Versions that were deleted are passed over.
async fn before(db: &mut PgConnection, tenant_id: Uuid, plugin: &str) -> Result<Option<String>, sqlx::Error> {
    // Primary keys.
    let changes = sqlx::query!(
        r#"select a.action, a.digest as "digest!", v.digest is not null as "exists!"
           from (
               select id, action, digest from plugin_activations
               where tenant_id = $1 and plugin = $2 and action in ('activate', 'promote', 'rollback')
                 and digest is not null
               order by id desc limit $3
           ) as a
           left join plugin_versions v on v.tenant_id = $1 and v.plugin = $2 and v.digest = a.digest
           order by a.id"#,
        tenant_id,
        plugin,
        HISTORY
    )
    .fetch_all(db)
    .await?;
    let stack = stacked(changes.into_iter().map(|change| (change.action == "rollback", change.digest, change.exists)));
    Ok(stack.into_iter().rev().nth(1))
}

/// Versions in the order in which they took over, the active one last; `changes` are whether it was a rollback, which
/// version, and whether that still exists.
fn stacked(changes: impl Iterator<Item = (bool, String, bool)>) -> Vec<String> {
    let mut stack: Vec<(String, bool)> = Vec::new();
    for (is_rollback, digest, exists) in changes {
        if is_rollback && let Some(place) = stack.iter().rposition(|(known, _)| *known == digest) {
            stack.truncate(place + 1);
        } else if stack.last().is_none_or(|(top, _)| *top != digest) {
            stack.push((digest, exists));
        }
    }
    let mut left: Vec<String> = stack.into_iter().filter_map(|(digest, exists)| exists.then_some(digest)).collect();
    left.dedup();
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollback_goes_one_step_further_each_time() {
        // Capital letters: rollbacks to that version. `-` before a letter: it was deleted.
        let cases = [
            ("", ""),
            ("a", "a"),
            ("ab", "ab"),
            ("aab", "ab"),
            ("abc", "abc"),
            ("abcB", "ab"),
            ("abcBA", "a"),
            ("abA", "a"),
            ("abAc", "ac"),
            ("aba", "aba"),
            ("abaB", "ab"),
            ("a-bc", "ac"),
            ("a-ba", "a"),
            ("A", "a"),
        ];
        for (changes, expected) in cases {
            let mut deleted = false;
            let changes = changes.chars().filter_map(|letter| {
                let exists = !std::mem::replace(&mut deleted, letter == '-');
                (letter != '-').then(|| (letter.is_uppercase(), letter.to_lowercase().to_string(), exists))
            });
            let changes: Vec<_> = changes.collect();
            assert_eq!(stacked(changes.clone().into_iter()).concat(), expected, "{changes:?}");
        }
    }
}
