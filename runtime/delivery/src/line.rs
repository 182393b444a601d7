//! Those who wait here for a number's limit, in the order in which they came.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

/// How many stand at each tenant's numbers.
#[derive(Clone, Default)]
pub(crate) struct Line(Arc<Mutex<HashMap<(Uuid, String), usize>>>);

/// A place in line, until it is dropped.
pub(crate) struct Place {
    line: Line,
    at: (Uuid, String),
    /// How many stood there before.
    pub ahead: usize,
}

impl Line {
    pub fn is_empty(&self, tenant_id: Uuid, number: &str) -> bool {
        let standing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        !standing.contains_key(&(tenant_id, number.to_owned()))
    }

    pub fn join(&self, tenant_id: Uuid, number: &str) -> Place {
        let at = (tenant_id, number.to_owned());
        let mut standing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = standing.entry(at.clone()).or_default();
        let ahead = *count;
        *count += 1;
        drop(standing);
        Place { line: self.clone(), at, ahead }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut standing = self.line.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = standing.get_mut(&self.at) {
            *count -= 1;
            if *count == 0 {
                standing.remove(&self.at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stands_behind_those_who_came_before_at_the_same_number() {
        let (line, tenant) = (Line::default(), Uuid::nil());
        let first = line.join(tenant, "1");
        let second = line.join(tenant, "1");
        assert_eq!((first.ahead, second.ahead, line.join(tenant, "2").ahead), (0, 1, 0));
        drop(first);
        assert_eq!(line.join(tenant, "1").ahead, 1);
        drop(second);
        assert!(line.is_empty(tenant, "1") && line.is_empty(tenant, "2"));
    }
}
