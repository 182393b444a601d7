//! Turns of real guests, counted.

use std::sync::mpsc;
use std::task::Poll;
use std::time::Duration;

use super::threads;
use super::threads::{Job, Turns};
use crate::Owner;
use crate::{Limits, Plugin, Sandbox, Settings, contract};

const NOISY: Owner = Owner(1);
const QUIET: Owner = Owner(2);

/// Says at each of its turns how many were given so far.
struct Counts {
    left: u32,
    turns: threads::Counter,
    told: mpsc::Sender<u64>,
}

impl Job for Counts {
    fn turn(&mut self) -> Poll<()> {
        self.left -= 1;
        self.told.send(self.turns.given()).expect("somebody listens");
        if self.left == 0 { Poll::Ready(()) } else { Poll::Pending }
    }

    fn is_wanted(&self) -> bool {
        true
    }
}

fn context() -> contract::Context {
    contract::Context {
        tenant: contract::Tenant { id: String::new(), name: String::new() },
        conversation: contract::Conversation {
            id: String::new(),
            channel: contract::Channel {
                id: String::new(),
                phone_number_id: String::new(),
                display_phone_number: None,
            },
            contact: contract::Contact {
                id: String::new(),
                wa_id: None,
                user_id: None,
                name: None,
                username: None,
                tags: Vec::new(),
            },
        },
        event_id: String::new(),
        now: 0,
        seed: 0,
        attempt: 1,
        config: String::new(),
        attributes: Vec::new(),
    }
}

/// A plugin that loops for longer than any test takes.
async fn looping(settings: Settings) -> Plugin {
    let component = hoopoe_plugin_build::test_component("test-guest").expect("the plugin builds");
    let limits = Limits { fuel: 1 << 60, deadline: Duration::from_secs(600), ..Limits::default() };
    let wait = Duration::from_secs(600);
    let sandbox = Sandbox::new(Settings { limits, wait, ..settings }).expect("the settings are fine");
    sandbox.load(&component).await.expect("it loads")
}

fn start(plugin: &Plugin) -> tokio::task::JoinHandle<crate::Run> {
    let event = contract::Event::Message(contract::Message {
        id: String::new(),
        timestamp: 0,
        content: contract::Content::Text(contract::Text { body: "loop".to_owned() }),
        reply_to: None,
        referral: None,
        raw: String::new(),
    });
    let plugin = plugin.clone();
    tokio::spawn(async move { plugin.on_event(NOISY, context(), event, None).await })
}

/// Waits until some loops have had turns.
async fn under_way(turns: &Turns) {
    while turns.counter().given() < 20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn every_second_turn_is_the_quiet_owners_while_another_has_forty_loops() {
    let plugin = looping(Settings { threads: 1, ..Settings::default() }).await;
    let loops: Vec<_> = (0..40).map(|_| start(&plugin)).collect();
    let turns = &plugin.core().turns;
    under_way(turns).await;

    let (told, counts) = mpsc::channel();
    turns.add(QUIET, Box::new(Counts { left: 20, turns: turns.counter(), told }));
    let counts = tokio::task::spawn_blocking(move || counts.iter().collect::<Vec<u64>>()).await.expect("it counts");
    assert_eq!(counts.len(), 20);
    assert!(counts.windows(2).all(|pair| pair[1] == pair[0] + 2), "{counts:?}");
    assert!(loops.iter().all(|run| !run.is_finished()));
}

#[tokio::test]
async fn dropped_runs_take_no_more_turns() {
    let plugin = looping(Settings { threads: 2, ..Settings::default() }).await;
    let loops: Vec<_> = (0..8).map(|_| start(&plugin)).collect();
    under_way(&plugin.core().turns).await;
    for run in loops {
        run.abort();
        assert!(run.await.is_err());
    }
    // The last ones' turns end, and with them the instances are free.
    while plugin.core().permits.available_permits() < plugin.core().settings.max_instances as usize {
        tokio::task::yield_now().await;
    }
}
