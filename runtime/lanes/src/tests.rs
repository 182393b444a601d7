//! The loop that drives a stage, on stages that do nothing.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

/// Claims take for ever, and are waited for so many milliseconds; work is written down.
#[derive(Default)]
struct Slow<const MILLIS: u64> {
    claims: Notify,
    worked: Mutex<Vec<u32>>,
    wake: Notify,
}

impl<const MILLIS: u64> Stage for Slow<MILLIS> {
    type Work = u32;
    type Born = u32;
    const NAME: &'static str = "delivery";
    const SILENCE: Duration = Duration::from_millis(MILLIS);

    async fn claim(&self, _: Ask) -> Result<Vec<u32>, hoopoe_store::Error> {
        self.claims.notify_one();
        std::future::pending().await
    }

    async fn adopt(&self, born: Vec<u32>) -> Result<Vec<u32>, hoopoe_store::Error> {
        Ok(born)
    }

    async fn next(&self) -> Result<Option<DateTime<Utc>>, hoopoe_store::Error> {
        Ok(None)
    }

    async fn work(&self, work: u32) {
        self.worked.lock().expect("not poisoned").push(work);
        self.wake.notify_one();
    }

    async fn extend(&self, _: &[Lease]) -> Result<(), hoopoe_store::Error> {
        Ok(())
    }

    fn tenant(_: &u32) -> Uuid {
        Uuid::nil()
    }

    fn lease(_: &u32) -> Option<Lease> {
        None
    }

    fn wake(&self) -> &Notify {
        &self.wake
    }
}

#[tokio::test]
async fn what_is_born_does_not_wait_for_a_claim() {
    let (stage, gate, stop) = (Arc::new(Slow::<60_000>::default()), Gate::new(8), CancellationToken::new());
    let second = Duration::from_secs(1);
    let options = Options { poll: second, lease: 10 * second, deadline: 60 * second };
    let driving = tokio::spawn(drive(stage.clone(), gate.clone(), options, Ambient::system(), stop));
    stage.claims.notified().await;
    for number in 1..=2 {
        let admission = gate.admit([Some((number, Uuid::nil()))]);
        assert_eq!(admission.own(), [true]);
        gate.enter(admission, [(number, number)]);
        let worked = async {
            while stage.worked.lock().expect("not poisoned").last() != Some(&number) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(10 * second, worked).await.expect("it is worked on while the claim hangs");
    }
    driving.abort();
}

#[tokio::test]
async fn a_claim_without_an_answer_is_given_up_and_another_follows() {
    let (stage, stop) = (Arc::new(Slow::<50>::default()), CancellationToken::new());
    let second = Duration::from_secs(1);
    let options = Options { poll: second, lease: 10 * second, deadline: 60 * second };
    let driving = tokio::spawn(drive(stage.clone(), Gate::new(8), options, Ambient::system(), stop.clone()));
    for claim in ["first", "second"] {
        tokio::time::timeout(10 * second, stage.claims.notified()).await.expect(claim);
    }
    stop.cancel();
    tokio::time::timeout(10 * second, driving).await.expect("what hangs holds up no end").expect("no panic");
}

#[tokio::test]
async fn a_few_births_are_adopted_at_the_pace_and_many_or_after_a_rest_at_once() {
    let (births, mut entering) = mpsc::unbounded_channel();
    let pace = Duration::from_millis(500);
    for (born, since, waits) in [(1, pace, false), (3, Duration::ZERO, true), (ENOUGH, Duration::ZERO, false)] {
        (0..born).for_each(|n| births.send(n).expect("somebody listens"));
        let (mut entered, start) = (Vec::new(), Instant::now());
        gather(&mut entering, &mut entered, start - since + pace).await;
        assert_eq!(entered, (0..born).collect::<Vec<_>>());
        assert_eq!(start.elapsed() >= pace, waits, "{born}");
    }
}

/// What waits is of a tenant whose work does not end by itself.
#[derive(Default)]
struct Greedy {
    claims: AtomicU32,
    ends: Notify,
    wake: Notify,
}

impl Stage for Greedy {
    type Work = u32;
    type Born = u32;
    const NAME: &'static str = "delivery";

    async fn claim(&self, _: Ask) -> Result<Vec<u32>, hoopoe_store::Error> {
        self.claims.fetch_add(1, Ordering::SeqCst);
        Ok(Vec::new())
    }

    async fn adopt(&self, born: Vec<u32>) -> Result<Vec<u32>, hoopoe_store::Error> {
        Ok(born)
    }

    async fn next(&self) -> Result<Option<DateTime<Utc>>, hoopoe_store::Error> {
        Ok(Some(DateTime::UNIX_EPOCH))
    }

    async fn work(&self, _: u32) {
        self.ends.notified().await;
    }

    async fn extend(&self, _: &[Lease]) -> Result<(), hoopoe_store::Error> {
        Ok(())
    }

    fn tenant(_: &u32) -> Uuid {
        Uuid::nil()
    }

    fn lease(_: &u32) -> Option<Lease> {
        None
    }

    fn wake(&self) -> &Notify {
        &self.wake
    }
}

#[tokio::test]
async fn what_waits_of_a_tenant_that_has_its_share_is_looked_for_when_a_place_is_free() {
    let (stage, gate, stop) = (Arc::new(Greedy::default()), Gate::new(2), CancellationToken::new());
    let minute = Duration::from_secs(60);
    let options = Options { poll: minute, lease: minute, deadline: minute };
    let driving = tokio::spawn(drive(stage.clone(), gate.clone(), options, Ambient::system(), stop.clone()));
    let claims = || stage.claims.load(Ordering::SeqCst);
    while claims() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let admission = gate.admit([Some((1, Uuid::nil()))]);
    assert_eq!(admission.own(), [true]);
    gate.enter(admission, [(1, 1)]);
    // Looks that began before the tenant had its share may end meanwhile.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let before = claims();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(claims(), before, "nobody looks while no place of it is free");
    stage.ends.notify_one();
    let looked = async {
        while claims() == before {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    // Sooner than the next look that comes by itself.
    tokio::time::timeout(PASSED_OVER / 2, looked).await.expect("a free place makes it look");
    stop.cancel();
    driving.await.expect("no panic");
}
