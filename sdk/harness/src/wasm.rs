//! A compiled plugin in the sandbox.

use hoopoe_sandbox::{Failure, Level as HostLevel, Owner, Plugin, Sandbox, Settings};
use hoopoe_sdk::log::Level;
use hoopoe_sdk::testing::{Run, Runner};
use hoopoe_sdk::{Context, Event, FlowError, Manifest};
use tokio::runtime::{Builder, Runtime};

use crate::Error;
use crate::from_guest::FromGuest;
use crate::to_guest::ToGuest;

/// The developer.
const OWNER: Owner = Owner(0);

/// Runs a compiled plugin, with the limits of the runtime.
pub struct Wasm {
    runtime: Runtime,
    plugin: Plugin,
    fuel: u64,
}

impl Wasm {
    /// Load a component.
    pub fn load(component: &[u8]) -> Result<Self, Error> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(Error::Runtime)?;
        // A conversation runs one event at a time.
        let settings = Settings { max_instances: 1, cached_plugins: 1, ..Settings::default() };
        let plugin = runtime.block_on(async { Ok::<_, Error>(Sandbox::new(settings)?.load(component).await?) })?;
        Ok(Wasm { runtime, plugin, fuel: 0 })
    }

    /// What the last event cost; the same for the same input.
    pub fn fuel(&self) -> u64 {
        self.fuel
    }

    /// Handle an event; the error says why the sandbox stopped the plugin.
    pub fn handle(&mut self, context: Context, event: Event, state: Option<&[u8]>) -> Result<Run, String> {
        let (context, event) = (context.to_guest(), event.to_guest());
        let run = self.runtime.block_on(self.plugin.on_event(OWNER, context, event, state.map(<[u8]>::to_vec)));
        self.fuel = run.fuel;
        let logs: Vec<_> = run.logs.into_iter().map(|line| (level(line.level), line.message)).collect();
        let result = match run.result {
            Ok(outcome) => Ok(FromGuest::from_guest(outcome)),
            Err(Failure::Retry(reason)) => Err(FlowError::Retry(reason)),
            Err(Failure::Reject(reason)) => Err(FlowError::Reject(reason)),
            Err(failure) => return Err(format!("{failure}; the log: {logs:?}")),
        };
        Ok(Run { result, logs })
    }

    /// Let the plugin take over state, which it may refuse; the outer error says why the sandbox stopped it.
    pub fn take_over(&mut self, from_version: &str, state: &[u8]) -> Result<Result<Vec<u8>, String>, String> {
        match self.runtime.block_on(self.plugin.migrate_state(OWNER, from_version, state)).result {
            Ok(state) => Ok(Ok(state)),
            Err(Failure::Reject(reason)) => Ok(Err(reason)),
            Err(failure) => Err(failure.to_string()),
        }
    }
}

impl Runner for Wasm {
    fn manifest(&self) -> Manifest {
        Manifest::from_guest(self.plugin.manifest().clone())
    }

    #[track_caller]
    fn on_event(&mut self, context: &Context, event: &Event, state: Option<&[u8]>) -> Run {
        match self.handle(context.clone(), event.clone(), state) {
            Ok(run) => run,
            Err(failure) => panic!("{failure}"),
        }
    }

    #[track_caller]
    fn migrate(&mut self, from_version: &str, state: &[u8]) -> Result<Vec<u8>, String> {
        match self.take_over(from_version, state) {
            Ok(migrated) => migrated,
            Err(failure) => panic!("{failure}"),
        }
    }
}

fn level(level: HostLevel) -> Level {
    match level {
        HostLevel::Debug => Level::Debug,
        HostLevel::Info => Level::Info,
        HostLevel::Warn => Level::Warn,
        HostLevel::Error => Level::Error,
    }
}
