//! One owner's plugins never hold the compiler while others wait for it.
//!
//! The compiler here is a script that goes on when the test lets it, so the order is the only thing that decides.

use std::fs;
use std::time::Duration;

use hoopoe_sandbox::compile::{CompileLimits, Compiler, Process};
use hoopoe_sandbox::load::Error;
use hoopoe_sandbox::{Owner, Sandbox, Settings};
use tempfile::TempDir;
use tokio::task::{JoinHandle, yield_now};

use crate::common::{DESCRIBE, guest};

const ATTACKER: Owner = Owner(1);
const OTHER: Owner = Owner(2);

/// Longer than any test here takes.
const LONG: Duration = Duration::from_secs(600);

/// Each process tells its number when it has started, and ends when there is a file for it to take.
struct Gate {
    folder: TempDir,
    sandbox: Sandbox,
}

impl Gate {
    /// With two processes at the same time.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display();
        let script = format!(
            "echo $$ >> {path}/started; until rm {path}/$$ 2>/dev/null; do sleep 0.02; done; echo over >&2; exit 2"
        );
        let limits = CompileLimits { cpu: LONG, wall: LONG, ..CompileLimits::default() };
        let process = Process { limits, ..Process::new("/bin/sh", ["-c", &script]) };
        let settings = Settings { max_instances: 4, compiler: Compiler::Process(process), ..Settings::default() };
        Gate { folder, sandbox: Sandbox::new(settings).unwrap() }
    }

    /// Upload the plugin of this number; it is in the queue when this returns.
    async fn upload(&self, owner: Owner, number: u32) -> JoinHandle<Error> {
        let (sandbox, plugin) = (self.sandbox.on_behalf_of(owner), plugin(number));
        let upload = tokio::spawn(async move { sandbox.inspect(&plugin).await.unwrap_err() });
        yield_now().await;
        upload
    }

    /// Like `upload`, for a plugin that is to run.
    async fn load(&self, owner: Owner, number: u32) -> JoinHandle<Error> {
        let (sandbox, plugin) = (self.sandbox.on_behalf_of(owner), plugin(number));
        let load = tokio::spawn(async move { sandbox.load(&plugin).await.unwrap_err() });
        yield_now().await;
        load
    }

    /// Wait until so many processes have started in all.
    async fn started(&self, count: usize) {
        while self.processes().len() < count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Their numbers, in the order in which they started.
    fn processes(&self) -> Vec<String> {
        let told = fs::read_to_string(self.folder.path().join("started")).unwrap_or_default();
        told.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')).map(str::to_owned).collect()
    }

    /// Let the process end that started at this place, once it has started.
    async fn let_end(&self, place: usize) {
        self.started(place + 1).await;
        fs::write(self.folder.path().join(&self.processes()[place]), "").unwrap();
    }
}

fn plugin(number: u32) -> Vec<u8> {
    guest(DESCRIBE, &format!("(i32.const {number}) unreachable"))
}

/// The end of a process of the gate.
fn is_over(error: &Error) -> bool {
    matches!(error, Error::Compiler(words) if words.contains("over"))
}

#[tokio::test]
async fn what_another_uploads_comes_after_one_bomb_not_after_all() {
    let gate = Gate::new();
    let mut bombs = Vec::new();
    for number in 0..5 {
        bombs.push(gate.upload(ATTACKER, number).await);
    }
    gate.started(1).await;
    let refused = gate.upload(ATTACKER, 5).await.await.unwrap();
    assert_eq!(refused, Error::OwnUploads { waiting: 4 });
    assert!(refused.is_ours() && refused.to_string().contains("one of yours at a time"), "{refused}");

    let other = gate.upload(OTHER, 6).await;
    gate.let_end(0).await;
    assert!(is_over(&bombs.remove(0).await.unwrap()));
    gate.let_end(1).await;
    assert!(is_over(&other.await.unwrap()));
    assert!(bombs.iter().all(|bomb| !bomb.is_finished()), "they are behind");

    // One has ended: there is room for one more.
    gate.started(3).await;
    bombs.push(gate.upload(ATTACKER, 7).await);
    for (place, bomb) in bombs.into_iter().enumerate() {
        gate.let_end(2 + place).await;
        assert!(is_over(&bomb.await.unwrap()));
    }
}

#[tokio::test]
async fn what_is_to_run_takes_its_turn_too() {
    let gate = Gate::new();
    let first = gate.load(ATTACKER, 0).await;
    gate.started(1).await;
    // One slot is free, and not for the attacker: uploaded, loaded and fetched, his plugins wait for his own.
    let upload = gate.upload(ATTACKER, 1).await;
    let second = gate.load(ATTACKER, 2).await;
    let other = gate.load(OTHER, 3).await;
    gate.let_end(1).await;
    assert!(is_over(&other.await.unwrap()));
    assert!(!first.is_finished() && !upload.is_finished() && !second.is_finished());
    for (place, next) in [(0, first), (2, upload), (3, second)] {
        gate.let_end(place).await;
        assert!(is_over(&next.await.unwrap()));
    }
}

#[tokio::test]
async fn who_waits_to_run_has_fetched_nothing() {
    let gate = Gate::new();
    let first = gate.load(OTHER, 0).await;
    gate.started(1).await;
    let digest = hoopoe_sandbox::Digest::of(&plugin(1));
    let sandbox = gate.sandbox.on_behalf_of(OTHER);
    let fetching = tokio::spawn(async move {
        let fetch = async { Err::<Vec<u8>, &str>("fetched") };
        sandbox.get(digest, fetch).await.unwrap_err().to_string()
    });
    yield_now().await;
    assert!(!fetching.is_finished());
    gate.let_end(0).await;
    assert!(is_over(&first.await.unwrap()));
    assert_eq!(fetching.await.unwrap(), "fetched");
}
