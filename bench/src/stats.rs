//! Medians and quantiles.

use std::time::Duration;

/// The middle of the values, or the mean of the two in the middle. NaN when there are none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    match (sorted.len(), sorted.len() / 2) {
        (0, _) => f64::NAN,
        (count, half) if count % 2 == 1 => sorted[half],
        (_, half) => f64::midpoint(sorted[half - 1], sorted[half]),
    }
}

/// Times in order.
pub struct Times(Vec<Duration>);

impl Times {
    /// Of any order.
    pub fn new(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Times(times)
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The smallest time that at least this share of all do not exceed (nearest rank); zero when there are none.
    pub fn quantile(&self, share: f64) -> Duration {
        let rank = (share * self.0.len() as f64).ceil() as usize;
        self.0.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }

    /// As [`Times::quantile`], in milliseconds.
    pub fn ms(&self, share: f64) -> f64 {
        self.quantile(share).as_secs_f64() * 1e3
    }

    /// As [`Times::quantile`], in microseconds.
    pub fn us(&self, share: f64) -> f64 {
        self.quantile(share).as_secs_f64() * 1e6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        for (values, expected) in [(vec![3.0], 3.0), (vec![9.0, 1.0, 2.0], 2.0), (vec![4.0, 1.0, 2.0, 3.0], 2.5)] {
            assert!((median(&values) - expected).abs() < 1e-9, "{values:?}");
        }
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn quantiles_are_values_that_occurred() {
        let times = Times::new((1..=200).rev().map(Duration::from_millis).collect());
        for (share, expected) in [(0.0, 1.0), (0.5, 100.0), (0.99, 198.0), (1.0, 200.0)] {
            assert!((times.ms(share) - expected).abs() < 1e-9, "{share}");
        }
        assert_eq!(Times::new(Vec::new()).quantile(0.5), Duration::ZERO);
    }
}
