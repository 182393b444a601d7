//! What limits do, on a clock that stands: the same in the process and in Redis, where two nodes take turns.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use chrono::{DateTime, TimeDelta, Utc};
use common::Ground;
use hoopoe_shared::limits::{Ask, Limit, Scope, Verdict};
use uuid::Uuid;

const TENANT: Uuid = Uuid::from_u128(1);
const OTHER: Uuid = Uuid::from_u128(2);

/// Takes turns between the nodes.
struct Turns<'g> {
    ground: &'g Ground,
    turn: usize,
}

impl Turns<'_> {
    async fn take<'a>(&mut self, asks: &[Ask<'a>]) -> Vec<Verdict<'a>> {
        self.turn += 1;
        self.ground.nodes[self.turn % self.ground.nodes.len()].limits().take(asks).await
    }

    async fn one<'a>(&mut self, ask: Ask<'a>) -> Verdict<'a> {
        self.take(&[ask]).await[0]
    }

    async fn pause(&mut self, scope: Scope<'_>, until: DateTime<Utc>) {
        self.turn += 1;
        self.ground.nodes[self.turn % self.ground.nodes.len()].limits().pause(TENANT, scope, until).await;
    }

    async fn slow_down(&mut self, scope: Scope<'_>) {
        self.turn += 1;
        self.ground.nodes[self.turn % self.ground.nodes.len()].limits().slow_down(TENANT, scope).await;
    }

    fn now(&self) -> DateTime<Utc> {
        self.ground.time.now()
    }

    fn advance(&self, millis: i64) {
        self.ground.time.advance(TimeDelta::milliseconds(millis));
    }

    /// The wait, in whole milliseconds; 0 when granted.
    fn wait(&self, verdict: &Verdict<'_>) -> i64 {
        match verdict {
            Verdict::Granted => 0,
            // Not a moment too early, and at most two microseconds too late.
            Verdict::Wait { until, .. } => (*until - self.now() + TimeDelta::microseconds(997)).num_milliseconds(),
        }
    }

    async fn waits(&mut self, asks: &[Ask<'_>]) -> Vec<i64> {
        let verdicts = self.take(asks).await;
        verdicts.iter().map(|verdict| self.wait(verdict)).collect()
    }
}

fn number<'a>(number: &'a str, limit: Limit) -> Ask<'a> {
    Ask::of(TENANT).number(number, limit)
}

/// Runs a case on every ground.
async fn everywhere(case: impl AsyncFn(Turns<'_>)) {
    for ground in Ground::both().await {
        println!("{}", ground.name);
        case(Turns { ground: &ground, turn: 0 }).await;
    }
}

#[tokio::test]
async fn a_burst_and_then_the_rate() {
    everywhere(async |mut turns| {
        let ask = || number("1", Limit::new(2.0, 3.0));
        for _ in 0..3 {
            assert_eq!(turns.one(ask()).await, Verdict::Granted);
        }
        assert_eq!(turns.waits(&[ask()]).await, [500]);
        turns.advance(499);
        assert_eq!(turns.waits(&[ask()]).await, [1]);
        turns.advance(1);
        assert_eq!(turns.waits(&[ask(), ask()]).await, [0, 500]);
        turns.advance(60_000);
        assert_eq!(turns.waits(&[ask(), ask(), ask(), ask()]).await, [0, 0, 0, 500], "no more than the burst");
    })
    .await;
}

#[tokio::test]
async fn who_waits_for_one_bucket_gets_a_time_of_its_own() {
    everywhere(async |mut turns| {
        let asks: Vec<_> = (0..5).map(|_| number("1", Limit::new(10.0, 2.0))).collect();
        assert_eq!(turns.waits(&asks).await, [0, 0, 100, 200, 300]);
        // Nothing was reserved: it is as if the last three had not asked.
        turns.advance(100);
        assert_eq!(turns.waits(&asks).await, [0, 100, 200, 300, 400]);
    })
    .await;
}

#[tokio::test]
async fn all_buckets_or_none_and_the_answer_names_the_slowest() {
    everywhere(async |mut turns| {
        let (wide, narrow) = (Limit::new(10.0, 3.0), Limit::new(0.2, 1.0));
        let both = |contact| Ask::of(TENANT).number("1", wide).pair("1", contact, narrow);
        let verdicts = turns.take(&[both("a"), both("a"), both("b"), both("c"), both("d")]).await;
        let waits: Vec<i64> = verdicts.iter().map(|verdict| turns.wait(verdict)).collect();
        assert_eq!(waits, [0, 5000, 0, 0, 100], "the second took nothing from the number");
        let named: Vec<_> = verdicts
            .iter()
            .filter_map(|verdict| if let Verdict::Wait { bucket, .. } = verdict { Some(*bucket) } else { None })
            .collect();
        assert_eq!(named, [Scope::Pair { number: "1", contact: "a" }, Scope::Number("1")]);
    })
    .await;
}

#[tokio::test]
async fn buckets_are_apart() {
    everywhere(async |mut turns| {
        let limit = Limit::new(1.0, 1.0);
        let asks = [
            Ask::of(TENANT).tenant(limit),
            Ask::of(OTHER).tenant(limit),
            Ask::of(TENANT).number("1", limit),
            Ask::of(OTHER).number("1", limit),
            Ask::of(TENANT).number("2", limit),
            Ask::of(TENANT).pair("1", "2", limit),
            Ask::of(TENANT).pair("1", "3", limit),
            Ask::of(TENANT).pair("2", "3", limit),
            Ask::of(TENANT),
        ];
        assert!(turns.take(&asks).await.iter().all(Verdict::is_granted));
        let again = turns.take(&asks).await;
        assert!(again[..8].iter().all(|verdict| !verdict.is_granted()));
        assert!(again[8].is_granted(), "what needs no bucket never waits");
        assert!(turns.take(&[]).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_pause_holds_and_a_longer_one_stays() {
    everywhere(async |mut turns| {
        let limit = Limit::new(100.0, 10.0);
        let later = turns.now() + TimeDelta::seconds(30);
        turns.pause(Scope::Number("1"), later).await;
        turns.pause(Scope::Number("1"), turns.now() + TimeDelta::seconds(10)).await;
        let verdict = turns.one(number("1", limit)).await;
        assert_eq!(turns.wait(&verdict), 30_000);
        let through = Ask::of(TENANT).pair("1", "a", limit).number("1", limit);
        assert!(matches!(turns.one(through).await, Verdict::Wait { bucket: Scope::Number("1"), .. }));
        assert!(turns.one(number("2", limit)).await.is_granted());
        turns.advance(30_000);
        assert!(turns.one(number("1", limit)).await.is_granted());
    })
    .await;
}

#[tokio::test]
async fn a_slowed_number_creeps_up_again() {
    everywhere(async |mut turns| {
        let limit = Limit::new(10.0, 1.0);
        let ask = || number("1", limit);
        turns.slow_down(Scope::Number("1")).await;
        // Of the same event.
        turns.slow_down(Scope::Number("1")).await;
        assert_eq!(turns.waits(&[ask(), ask()]).await, [0, 200], "half the rate");
        turns.advance(25_000);
        assert_eq!(turns.waits(&[ask(), ask()]).await, [0, 134], "three quarters");
        turns.slow_down(Scope::Number("1")).await;
        turns.advance(1_000);
        assert_eq!(turns.waits(&[ask(), ask()]).await, [0, 260], "half of these, and a hundredth");
        turns.advance(61_500);
        assert_eq!(turns.waits(&[ask(), ask()]).await, [0, 100], "all again");
        for _ in 0..20 {
            turns.slow_down(Scope::Number("1")).await;
            turns.advance(2_000);
        }
        turns.advance(60_000);
        let waits = turns.waits(&[ask(), ask()]).await;
        assert!((150..200).contains(&waits[1]), "however often it was slowed, a minute helps: {waits:?}");
    })
    .await;
}

#[tokio::test]
async fn of_a_limit_that_was_lower_a_bucket_owes_nothing() {
    everywhere(async |mut turns| {
        let (slow, fast) = (|| number("1", Limit::per_second(0.01)), || number("1", Limit::per_second(10.0)));
        assert_eq!(turns.waits(&[slow(), slow()]).await, [0, 100_000]);
        assert_eq!(turns.waits(&[fast()]).await, [100], "it is empty, and no more than that");
        turns.advance(100);
        assert_eq!(turns.waits(&[fast(), fast()]).await, [0, 100]);
    })
    .await;
}

#[tokio::test]
async fn a_clock_that_is_set_back_shuts_no_bucket() {
    everywhere(async |mut turns| {
        let ask = || number("1", Limit::per_second(10.0));
        let asks: Vec<_> = (0..11).map(|_| ask()).collect();
        assert_eq!(turns.waits(&asks).await[9..], [0, 100]);
        turns.slow_down(Scope::Number("1")).await;
        turns.advance(-600_000);
        assert_eq!(turns.waits(&[ask()]).await, [200], "empty, and as slow as if it had been slowed now");
        turns.slow_down(Scope::Number("1")).await;
        turns.advance(400);
        assert_eq!(turns.waits(&[ask()]).await, [0], "a quarter of the rate");
    })
    .await;
}

#[tokio::test]
async fn a_large_batch_of_many_tenants_is_answered_in_order() {
    everywhere(async |mut turns| {
        let contacts: Vec<String> = (0..1500).map(|contact| format!("1650555{contact:04}")).collect();
        let asks: Vec<Ask<'_>> = contacts
            .iter()
            .enumerate()
            .map(|(position, contact)| {
                Ask::of(Uuid::from_u128(100 + position as u128 % 10))
                    .number("106540352242922", Limit::new(80.0, 100.0))
                    .pair("106540352242922", contact, Limit::new(1.0 / 6.0, 45.0))
            })
            .collect();
        let verdicts = turns.take(&asks).await;
        for tenant in 0..10 {
            let granted: Vec<bool> = verdicts.iter().skip(tenant).step_by(10).map(Verdict::is_granted).collect();
            assert_eq!(granted, [vec![true; 100], vec![false; 50]].concat(), "tenant {tenant}");
        }
    })
    .await;
}

/// Thousands of calls, chosen by chance, are answered alike in the process and in Redis.
#[tokio::test]
async fn the_process_and_redis_decide_alike() {
    let Some(redis) = Ground::redis().await else { return };
    let alone = Ground::alone();
    let (mut redis, mut alone) = (Turns { ground: &redis, turn: 0 }, Turns { ground: &alone, turn: 0 });
    let mut seed = 1_u64;
    let mut below = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let names: Vec<String> = (0..4).map(|name| name.to_string()).collect();
    let mut refused = 0;
    for step in 0..2000 {
        let name = names[below(4) as usize].as_str();
        match below(10) {
            0 => {
                let until = alone.now() + TimeDelta::milliseconds(below(3000) as i64);
                alone.pause(Scope::Number(name), until).await;
                redis.pause(Scope::Number(name), until).await;
            }
            1 => {
                alone.slow_down(Scope::Number(name)).await;
                redis.slow_down(Scope::Number(name)).await;
            }
            2..=4 => {
                let millis = below(700) as i64;
                alone.advance(millis);
                redis.advance(millis);
            }
            _ => {
                let asks: Vec<Ask<'_>> = (0..1 + below(6))
                    .map(|_| {
                        let (number, contact) = (names[below(4) as usize].as_str(), names[below(4) as usize].as_str());
                        Ask::of(TENANT)
                            .number(number, Limit::new(7.0, 5.0))
                            .pair(number, contact, Limit::new(1.0 / 3.0, 4.0))
                            .tenant(Limit::new(15.0, 9.0))
                    })
                    .collect();
                let (here, there) = (alone.take(&asks).await, redis.take(&asks).await);
                for (here, there) in here.iter().zip(&there) {
                    match (here, there) {
                        (Verdict::Granted, Verdict::Granted) => {}
                        (Verdict::Wait { until, bucket }, Verdict::Wait { until: other, bucket: same })
                            if bucket == same && (*until - *other).num_microseconds().unwrap().abs() <= 2 =>
                        {
                            refused += 1;
                        }
                        _ => panic!("step {step}: {here:?} and {there:?}"),
                    }
                }
            }
        }
    }
    assert!(refused > 500, "{refused}");
}
