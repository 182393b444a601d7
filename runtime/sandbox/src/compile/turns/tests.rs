//! The order of turns, told step by step: nothing here runs by itself.

use super::*;

const A: Option<Owner> = Some(Owner(1));
const B: Option<Owner> = Some(Owner(2));
const C: Option<Owner> = Some(Owner(3));

/// A place in the queue, under a name.
struct Place {
    name: &'static str,
    turn: Turn,
    called: oneshot::Receiver<()>,
}

struct Scene {
    turns: Arc<Turns>,
    places: Vec<Place>,
}

impl Scene {
    fn new(at_once: usize) -> Self {
        Scene { turns: Turns::new(at_once), places: Vec::new() }
    }

    fn come(&mut self, name: &'static str, owner: Option<Owner>, upload: bool) -> Result<(), Error> {
        let (turn, called) = self.turns.enqueue(Job { owner, upload })?;
        self.places.push(Place { name, turn, called });
        Ok(())
    }

    /// Those of this owner, each of them admitted.
    fn uploads(&mut self, owner: Option<Owner>, names: &[&'static str]) {
        names.iter().for_each(|name| self.come(name, owner, true).expect("there is room"));
    }

    /// Who is at the compiler; each is told once.
    fn at_work(&mut self) -> Vec<&'static str> {
        let called = |place: &mut Place| place.called.try_recv().ok().map(|()| place.name);
        self.places.iter_mut().filter_map(called).collect()
    }

    fn goes(&mut self, name: &str) {
        let place = self.places.iter().position(|place| place.name == name).expect("it is there");
        drop(self.places.remove(place).turn);
    }

    /// Let each end in turn, and tell the order.
    fn order(&mut self) -> Vec<&'static str> {
        let mut order = Vec::new();
        loop {
            let called = self.at_work();
            if called.is_empty() {
                return order;
            }
            called.iter().for_each(|name| self.goes(name));
            order.extend(called);
        }
    }
}

#[test]
fn an_owner_has_one_turn_at_a_time_and_all_slots_are_used() {
    let mut scene = Scene::new(3);
    scene.uploads(A, &["a1", "a2", "a3"]);
    assert_eq!(scene.at_work(), ["a1"]);
    scene.come("a4", A, false).expect("what is to run waits");
    scene.uploads(B, &["b1"]);
    assert_eq!(scene.at_work(), ["b1"]);
    scene.come("c1", C, false).expect("what is to run waits");
    assert_eq!(scene.at_work(), ["c1"]);
    scene.goes("a1");
    assert_eq!(scene.at_work(), ["a2"]);
}

#[test]
fn the_next_is_who_had_a_turn_longest_ago_not_who_came_first() {
    let mut scene = Scene::new(2);
    scene.uploads(A, &["a1", "a2", "a3", "a4"]);
    scene.uploads(B, &["b1", "b2"]);
    scene.uploads(C, &["c1"]);
    assert_eq!(scene.order(), ["a1", "b1", "c1", "a2", "b2", "a3", "a4"]);
}

#[test]
fn who_comes_late_waits_for_nobodys_second_turn() {
    let mut scene = Scene::new(2);
    scene.uploads(A, &["a1", "a2", "a3"]);
    assert_eq!(scene.at_work(), ["a1"]);
    scene.goes("a1");
    assert_eq!(scene.at_work(), ["a2"]);
    scene.uploads(B, &["b1"]);
    scene.goes("a2");
    assert_eq!(scene.at_work(), ["b1"]);
}

#[test]
fn uploads_leave_a_slot_to_what_is_to_run() {
    for (at_once, uploads) in [(1, 1), (2, 1), (3, 2)] {
        let mut scene = Scene::new(at_once);
        for (n, name) in ["u0", "u1", "u2", "u3"].into_iter().enumerate() {
            scene.uploads(Some(Owner(n as u128)), &[name]);
        }
        assert_eq!(scene.at_work().len(), uploads, "of {at_once}");
        scene.come("run", Some(Owner(9)), false).expect("what is to run waits");
        assert_eq!(scene.at_work(), if at_once > 1 { vec!["run"] } else { vec![] });
    }
}

#[test]
fn too_many_uploads_are_refused_and_runs_are_not() {
    let mut scene = Scene::new(1);
    scene.uploads(A, &["at work", "1", "2", "3", "4"]);
    assert_eq!(scene.come("5", A, true), Err(Error::OwnUploads { waiting: OWN_UPLOADS }));
    scene.come("run", A, false).expect("what is to run waits");
    scene.uploads(B, &["other"]);
    scene.goes("1");
    scene.uploads(A, &["5"]);

    let mut scene = Scene::new(1);
    for n in 0..=UPLOADS as u128 {
        scene.uploads(Some(Owner(n)), &["some"]);
    }
    assert_eq!(scene.come("more", Some(Owner(99)), true), Err(Error::Uploads { waiting: UPLOADS }));
    assert_eq!(scene.turns.queue().waiting.len(), UPLOADS, "the refused one is not in the queue");
    scene.come("run", Some(Owner(99)), false).expect("what is to run waits");
}

#[test]
fn the_host_itself_has_as_many_turns_as_there_are() {
    let mut scene = Scene::new(2);
    scene.come("one", None, false).expect("it waits");
    scene.come("two", None, false).expect("it waits");
    scene.come("three", None, false).expect("it waits");
    assert_eq!(scene.at_work(), ["one", "two"]);
}

#[test]
fn who_goes_away_leaves_nothing_behind() {
    let mut scene = Scene::new(1);
    scene.uploads(A, &["a1"]);
    scene.uploads(B, &["b1"]);
    scene.uploads(C, &["c1"]);
    // One that waits, and one that was called and does not know.
    scene.goes("b1");
    scene.goes("a1");
    assert_eq!(scene.at_work(), ["c1"]);
    scene.goes("c1");
    let queue = scene.turns.queue();
    assert!(queue.waiting.is_empty() && queue.running.is_empty() && queue.last.is_empty());
}

#[tokio::test]
async fn a_turn_that_nobody_awaits_any_more_goes_to_the_next() {
    let turns = Turns::new(1);
    let first = turns.turn(How::Inspect, A).await.expect("it is free");
    let mut second = Box::pin(turns.turn(How::Inspect, B));
    assert!(poll(second.as_mut()).is_pending());
    let third = tokio::spawn({
        let turns = Arc::clone(&turns);
        async move { turns.turn(How::Run, C).await.map(drop) }
    });
    drop(first);
    // Called, and never polled again.
    drop(second);
    assert_eq!(third.await.expect("it does not panic"), Ok(()));
}

fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> std::task::Poll<F::Output> {
    future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
}
