//! Turns of those who share a claim: how many places each gets, and behind whom the next claim goes on.
//!
//! A claim serves them in their order until its places are taken. The quantum is rounded up, so that no place is left
//! while all have enough waiting, and the last of them may get nothing: then they are the first next time. So of `n`
//! each is served within `n * quantum / limit` claims, rounded up.

/// The places of each of `waiting`, in a claim with `limit` places.
pub(crate) fn quantum(limit: usize, waiting: usize) -> usize {
    limit.div_ceil(waiting.max(1))
}

/// The last in `turns` who has had a turn, when a claim with `limit` places took these pieces of work, each named by
/// whose it is. `None` when nobody has.
pub(crate) fn last_served<'a, K: PartialEq>(turns: &'a [K], taken: &[K], limit: usize) -> Option<&'a K> {
    // With a place left everybody has had a turn: who got nothing has nothing that can be taken.
    let is_room_left = taken.len() < limit;
    turns.iter().rfind(|one| is_room_left || taken.contains(one))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// What a claim takes in the order of `turns`, as its statement does.
    fn take(turns: &[usize], waiting: &[usize], limit: usize) -> Vec<usize> {
        let quantum = quantum(limit, turns.len());
        let taken = turns.iter().flat_map(|one| std::iter::repeat_n(*one, waiting[*one].min(quantum)));
        taken.take(limit).collect()
    }

    /// The most claims in a row, of so many, that somebody gets nothing of. All have as much waiting at each.
    fn longest_wait(waiting: &[usize], limit: usize, claims: usize) -> usize {
        let mut turns: Vec<usize> = (0..waiting.len()).collect();
        let (mut waits, mut longest) = (vec![0_usize; waiting.len()], 0_usize);
        for _ in 0..claims {
            let taken = take(&turns, waiting, limit);
            for (one, wait) in waits.iter_mut().enumerate() {
                *wait = if taken.contains(&one) { 0 } else { *wait + 1 };
                longest = longest.max(*wait);
            }
            let last = *last_served(&turns, &taken, limit).unwrap();
            let place = turns.iter().position(|one| *one == last).unwrap();
            turns.rotate_left(place + 1);
        }
        longest
    }

    #[test]
    fn nobody_waits_for_more_claims_than_the_quanta_of_all_fill() {
        for limit in [1, 2, 3, 7, 10, 64, 255, 256] {
            for count in 1..=64 {
                let bound = (count * quantum(limit, count)).div_ceil(limit);
                let much = vec![limit; count];
                let mixed: Vec<usize> = (0..count).map(|one| if one % 3 == 0 { 1 } else { limit }).collect();
                for waiting in [much, mixed] {
                    let wait = longest_wait(&waiting, limit, 3 * bound);
                    assert!(wait < bound, "{count} share {limit} places, and one waits for {wait} claims");
                }
            }
        }
    }

    #[test]
    fn no_place_is_left_while_all_have_enough_waiting() {
        for limit in 1..=256 {
            for count in 1..=64 {
                let turns: Vec<usize> = (0..count).collect();
                assert_eq!(take(&turns, &vec![limit; count], limit).len(), limit, "{count} share {limit} places");
            }
        }
    }

    #[test]
    fn who_got_nothing_for_want_of_places_is_first_next_time() {
        assert_eq!(last_served(&[1, 2, 3], &[1, 1, 2], 3), Some(&2));
        // 2 and 3 had nothing any more.
        assert_eq!(last_served(&[1, 2, 3], &[1, 1], 3), Some(&3));
        assert_eq!(last_served(&[1, 2, 3], &[], 0), None);
    }
}
