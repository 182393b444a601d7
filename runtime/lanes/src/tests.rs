//! The loop that drives a stage, on stages that do nothing.

use std::sync::Mutex;

use super::*;

/// Claims take for ever; work is written down.
#[derive(Default)]
struct Slow {
    claims: Notify,
    worked: Mutex<Vec<u32>>,
    wake: Notify,
}

impl Stage for Slow {
    type Work = u32;
    type Born = u32;
    const NAME: &'static str = "delivery";

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
    let (stage, gate, stop) = (Arc::new(Slow::default()), Gate::new(8), CancellationToken::new());
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
