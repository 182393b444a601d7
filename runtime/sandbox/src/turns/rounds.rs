//! Whose turn it is.

use std::collections::{HashMap, VecDeque};

use crate::Owner;

/// What waits for a turn: one of each owner, round after round; an owner's own in order.
pub(super) struct Rounds<T> {
    waiting: HashMap<Owner, VecDeque<T>>,
    /// Each owner for whom something waits, once.
    order: VecDeque<Owner>,
}

impl<T> Rounds<T> {
    pub(super) fn new() -> Self {
        Rounds { waiting: HashMap::new(), order: VecDeque::new() }
    }

    pub(super) fn push(&mut self, owner: Owner, waiting: T) {
        let own = self.waiting.entry(owner).or_default();
        if own.is_empty() {
            self.order.push_back(owner);
        }
        own.push_back(waiting);
    }

    /// The next in turn.
    pub(super) fn pop(&mut self) -> Option<(Owner, T)> {
        let owner = self.order.pop_front()?;
        let own = self.waiting.get_mut(&owner)?;
        let next = own.pop_front()?;
        if own.is_empty() {
            self.waiting.remove(&owner);
        } else {
            self.order.push_back(owner);
        }
        Some((owner, next))
    }

    /// Take out what of an owner's is not to wait any more.
    pub(super) fn remove(&mut self, owner: Owner, is_gone: impl FnMut(&T) -> bool) -> Vec<T> {
        let Some(own) = self.waiting.get_mut(&owner) else { return Vec::new() };
        let (gone, left): (VecDeque<T>, _) = std::mem::take(own).into_iter().partition(is_gone);
        *own = left;
        if own.is_empty() {
            self.waiting.remove(&owner);
            self.order.retain(|other| *other != owner);
        }
        gone.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Owner = Owner(1);
    const B: Owner = Owner(2);
    const C: Owner = Owner(3);

    /// What waits, and in which order it has its turns.
    type Case = (&'static [(Owner, u32)], &'static [u32]);

    fn rounds(waiting: &[(Owner, u32)]) -> Rounds<u32> {
        let mut rounds = Rounds::new();
        waiting.iter().for_each(|(owner, item)| rounds.push(*owner, *item));
        rounds
    }

    fn all(mut rounds: Rounds<u32>) -> Vec<u32> {
        let items = std::iter::from_fn(|| rounds.pop().map(|(_, item)| item)).collect();
        assert!(rounds.waiting.is_empty() && rounds.order.is_empty());
        items
    }

    #[test]
    fn each_owner_has_one_turn_in_a_round() {
        let cases: [Case; 4] = [
            (&[], &[]),
            (&[(A, 1), (A, 2), (A, 3)], &[1, 2, 3]),
            (&[(A, 1), (A, 2), (A, 3), (B, 4)], &[1, 4, 2, 3]),
            (&[(A, 1), (A, 2), (B, 3), (C, 4), (B, 5), (A, 6)], &[1, 3, 4, 2, 5, 6]),
        ];
        for (waiting, expected) in cases {
            assert_eq!(all(rounds(waiting)), expected, "{waiting:?}");
        }
    }

    #[test]
    fn who_comes_back_again_and_again_does_not_push_others_away() {
        let mut rounds = rounds(&[(A, 1), (A, 2), (A, 3), (B, 9)]);
        let mut turns = Vec::new();
        for _ in 0..8 {
            let (owner, item) = rounds.pop().expect("they come back");
            turns.push(item);
            rounds.push(owner, item);
        }
        assert_eq!(turns, [1, 9, 2, 9, 3, 9, 1, 9]);
    }

    #[test]
    fn what_is_removed_gets_no_turn() {
        let mut some = rounds(&[(A, 1), (A, 2), (B, 3), (A, 4)]);
        assert_eq!(some.remove(A, |item| *item != 2), [1, 4]);
        assert_eq!(some.remove(C, |_| true), [0_u32; 0]);
        assert_eq!(all(some), [2, 3]);
        let mut whole = rounds(&[(A, 1), (B, 2)]);
        assert_eq!(whole.remove(A, |_| true), [1]);
        assert_eq!(all(whole), [2]);
    }
}
