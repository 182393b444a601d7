//! Flows in other languages, with the compilers and interpreters that their tools bring: within the limits of
//! production they hold a conversation, and do the same for the same event.
//!
//! Each is built by its own script. Where that finds no tools, or cannot install packages, the test says so and
//! passes; the script's own faults, and the plugin's, fail it.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stderr)]

mod events;

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use events::{context, press, status, text, timer};
use hoopoe_runtime::compile;
use hoopoe_sandbox::compile::{CompileLimits, Compiler, Process};
use hoopoe_sandbox::contract::{Action, Context, Event, NextState, Outcome, SendContent};
use hoopoe_sandbox::{Cache, Failure, Owner, Plugin, Run, Sandbox, Settings};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

const OWNER: Owner = Owner(1);

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// For a script that installs packages and compiles, and for the compiler of what it made.
const PATIENCE: Duration = Duration::from_secs(350);

/// How a script says that something is missing on this machine.
const MISSING: i32 = 3;

/// The component of this example, or nothing when it cannot be built on this machine.
fn built(name: &str) -> Option<Vec<u8>> {
    let target = Path::new(ROOT).join("plugins/target/languages").join(name);
    fs::create_dir_all(&target).unwrap();
    // Another test process may be at it.
    let turn = File::create(target.join("lock")).unwrap();
    turn.lock().unwrap();
    let said = target.join("said");
    let mut script = Command::new("sh")
        .arg(Path::new(ROOT).join("plugins/examples").join(name).join("build.sh"))
        .arg(&target)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&said).unwrap())
        .process_group(0)
        .spawn()
        .unwrap();
    let end = Instant::now() + PATIENCE;
    let status = loop {
        match script.try_wait().unwrap() {
            Some(status) => break status,
            None if Instant::now() < end => std::thread::sleep(Duration::from_millis(50)),
            None => {
                killpg(Pid::from_raw(script.id().cast_signed()), Signal::SIGKILL).unwrap();
                script.wait().unwrap();
                panic!("{name} was not built within {PATIENCE:?}");
            }
        }
    };
    let said = String::from_utf8_lossy(&fs::read(said).unwrap()).into_owned();
    if status.code() == Some(MISSING) {
        eprintln!("SKIPPED: {name} cannot be built on this machine:\n{said}");
        return None;
    }
    assert!(status.success(), "{name}: {status}\n{said}");
    Some(fs::read(target.join("flow.wasm")).unwrap())
}

/// As an upload in production: compiled in the process that `hoopoe` starts, with its allocator and its limits, asked
/// what it is, and kept by its digest. But for the limits of time: this compiler is not optimised, and the machine may be busy with other tests.
async fn uploaded(component: &[u8]) -> Plugin {
    let cache = Cache::new(Path::new(env!("CARGO_TARGET_TMPDIR")).join("languages"), [0; 32]);
    let limits = CompileLimits { cpu: PATIENCE, wall: PATIENCE, ..CompileLimits::default() };
    let process = Process { program: env!("CARGO_BIN_EXE_hoopoe").into(), ..compile::process(limits, 1) };
    let compiler = Compiler::Process(process);
    let sandbox = Sandbox::new(Settings { compiler, cache: Some(cache), ..Settings::default() }).unwrap();
    let found = sandbox.inspect(component).await.unwrap();
    eprintln!("{} bytes, compiled in {:?}", found.size, found.compile_time);
    found.flow().unwrap().clone()
}

/// Run twice, and see that nothing differs.
async fn run(plugin: &Plugin, context: &Context, event: &Event, state: Option<&[u8]>) -> Run {
    let once = || plugin.on_event(OWNER, context.clone(), event.clone(), state.map(<[u8]>::to_vec));
    let (run, again) = (once().await, once().await);
    eprintln!("{} fuel, {} bytes, {:?}, then {:?}", run.fuel, run.memory_bytes, run.elapsed, again.elapsed);
    assert_eq!(run, Run { elapsed: run.elapsed, ..again });
    run
}

/// The texts that actions send.
fn texts(actions: &[Action]) -> Vec<&str> {
    fn text(action: &Action) -> Option<&str> {
        let Action::Send(send) = action else { return None };
        let SendContent::Text(text) = &send.content else { return None };
        Some(&text.body)
    }
    actions.iter().filter_map(text).collect()
}

/// The body and the ids of the buttons, when that is all that an action sends.
fn buttons(action: &Action) -> Option<(&str, Vec<&str>)> {
    let Action::Send(send) = action else { return None };
    let SendContent::Buttons(buttons) = &send.content else { return None };
    Some((&buttons.body, buttons.buttons.iter().map(|button| button.id.as_str()).collect()))
}

/// A conversation with a flow: one event after the other, each with the state that the last one left.
struct Talk {
    plugin: Plugin,
    context: Context,
    state: Option<Vec<u8>>,
}

impl Talk {
    async fn with(name: &str, config: &str) -> Option<Talk> {
        let plugin = uploaded(&built(name)?).await;
        Some(Talk { plugin, context: Context { config: config.into(), ..context() }, state: None })
    }

    /// The actions, and the log as one text.
    async fn event(&mut self, event: &Event) -> (Vec<Action>, String) {
        let run = run(&self.plugin, &self.context, event, self.state.as_deref()).await;
        let log = run.logs.iter().map(|line| format!("{:?}: {}\n", line.level, line.message)).collect();
        let Outcome { actions, state } = run.result.unwrap_or_else(|failure| panic!("{failure}\n{log}"));
        match state {
            NextState::Keep => {}
            NextState::Replace(state) => self.state = Some(state),
            NextState::Clear => self.state = None,
        }
        (actions, log)
    }
}

#[tokio::test]
async fn javascript() {
    let config = r#"{"question": "How was the haircut?", "remindAfterMinutes": 5}"#;
    let Some(mut talk) = Talk::with("feedback-javascript", config).await else { return };
    let about = talk.plugin.manifest();
    assert_eq!((about.name.as_str(), about.version.as_str()), ("feedback", "1.0.0"));
    assert!(about.config_schema.as_deref().unwrap().contains("remindAfterMinutes"));

    let (asked, log) = talk.event(&text("hi")).await;
    assert_eq!(buttons(&asked[0]), Some(("How was the haircut?", vec!["good", "fair", "bad"])));
    let due = talk.context.now + 5 * 60_000;
    assert!(matches!(&asked[1], Action::Schedule(timer) if timer.name == "remind" && timer.due == due), "{asked:?}");
    // What is printed lands in the log, and the clock shows the context's time.
    assert_eq!(log, "Level::Info: message at 2026-01-01T00:00:00.000Z, step new\n");

    talk.context.now = due;
    let (reminded, log) = talk.event(&timer("remind", due)).await;
    assert!(buttons(&reminded[0]).unwrap().0.starts_with("You have not told us yet."), "{reminded:?}");
    assert!(log.contains("timer at 2026-01-01T00:05:00.000Z, step rating"), "{log}");

    let (rated, log) = talk.event(&press("bad")).await;
    assert!(log.contains("rated bad"), "{log}");
    let [Action::Cancel(cancelled), Action::Tag(tag), Action::Send(_)] = &rated[..] else { panic!("{rated:?}") };
    assert_eq!((cancelled.as_str(), tag.name.as_str(), tag.present), ("remind", "feedback-bad", true));
    let (ended, _) = talk.event(&text("Too short – 剪太短了")).await;
    assert!(matches!(&ended[1], Action::HandOff(why) if why == "feedback bad: Too short – 剪太短了"), "{ended:?}");

    let status = run(&talk.plugin, &talk.context, &status(), None).await;
    assert_eq!(status.result, Err(Failure::Reject("no status was asked for".into())));
}

#[tokio::test]
async fn python() {
    let Some(mut talk) = Talk::with("reminders-python", "{}").await else { return };
    let about = talk.plugin.manifest();
    assert_eq!((about.name.as_str(), about.version.as_str()), ("reminders", "1.0.0"));

    let (helped, log) = talk.event(&text("hi")).await;
    assert!(texts(&helped)[0].starts_with("Tell me for example"), "{helped:?}");
    assert_eq!(log, "Level::Info: Event_Message at 2026-01-01 00:00 UTC, 0 kept\n");

    let (kept, log) = talk.event(&text("Remind me in 2 hours to take the gâteau out")).await;
    assert_eq!(texts(&kept), ["I will remind you: take the gâteau out"]);
    let due = talk.context.now + 2 * 3_600_000;
    assert!(matches!(&kept[1], Action::Schedule(timer) if timer.name == "1" && timer.due == due), "{kept:?}");
    assert!(log.contains("reminder 1 in 120 minutes"), "{log}");
    let (listed, _) = talk.event(&text("list")).await;
    assert_eq!(texts(&listed), ["1. take the gâteau out (2026-01-01 02:00 UTC)"]);

    talk.context.now = due;
    let (rang, _) = talk.event(&timer("1", due)).await;
    assert_eq!(buttons(&rang[0]), Some(("Reminder: take the gâteau out", vec!["done 1", "snooze 1"])));
    let (snoozed, _) = talk.event(&press("snooze 1")).await;
    assert!(matches!(&snoozed[1], Action::Schedule(timer) if timer.due == due + 600_000), "{snoozed:?}");
    let (done, _) = talk.event(&press("done 1")).await;
    assert!(matches!(&done[1], Action::Cancel(name) if name == "1"), "{done:?}");
    let (listed, _) = talk.event(&text("list")).await;
    assert_eq!(texts(&listed), ["There is nothing to remind you of."]);

    let status = run(&talk.plugin, &talk.context, &status(), None).await;
    assert_eq!(status.result, Err(Failure::Reject("no Event_Status was asked for".into())));
}
