//! `cargo xtask dev` and `cargo xtask demo`: everything on this machine, with one message through all of it.

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::interrupt::Interrupted;
use crate::lock::Lock;
use crate::runtime::{Instance, Log};
use crate::settings::Settings;
use crate::tenant::Tenant;
use crate::{build, conversation, places, setup, tenant, workspace};

/// How to run.
#[derive(Args)]
pub struct Options {
    /// Port of the API; without it PORT, else 3000, or another one when that is taken
    #[arg(long)]
    port: Option<u16>,
    /// Build with optimisations
    #[arg(long)]
    release: bool,
}

/// Run everything and stay up until Ctrl-C.
pub fn dev(options: &Options) -> Result<()> {
    let mut session = Session::start(options, Log::Terminal)?;
    session.converse()?;
    places::print(&session.instance, &session.tenant);
    println!("Ctrl-C stops everything; the data stays for the next start.");
    match session.instance.wait() {
        Err(error) if error.is::<Interrupted>() => Ok(()),
        ended => ended,
    }
}

/// Run everything once. Fails when the demo message was not answered or a status is missing.
pub fn demo(options: &Options) -> Result<()> {
    let mut session = Session::start(options, Log::File)?;
    let missing = session.converse().inspect_err(|_| session.instance.show_log())?;
    if missing.is_empty() {
        println!("The message was answered and read. `cargo xtask dev` does the same and stays up.");
        return Ok(());
    }
    session.instance.show_log();
    bail!("the demo message did not make its way. Missing: {}", missing.join(", "))
}

/// A running instance with its tenant.
struct Session {
    instance: Instance,
    tenant: Tenant,
    /// Given back after the instance has stopped.
    _lock: Lock,
}

impl Session {
    fn start(options: &Options, log: Log) -> Result<Self> {
        setup::run()?;
        let programs = build::programs(["hoopoe", "meta-sim"], options.release)?;
        let lock = Lock::take(&workspace::state_dir()?.join("dev.lock"))?
            .context("another `cargo xtask dev` or `demo` of this checkout is running; end it first (Ctrl-C)")?;
        let mut settings = Settings::load()?;
        let instance = Instance::start(&programs, &mut settings, options.port, log)?;
        let tenant = tenant::find_or_register(&instance.url, &instance.master_key, &mut settings)
            .inspect_err(|_| instance.show_log())?;
        places::write(&instance, &tenant)?;
        Ok(Self { instance, tenant, _lock: lock })
    }

    /// Hold and print the demo conversation; returns what is missing of it.
    fn converse(&mut self) -> Result<Vec<String>> {
        let conversation = conversation::hold(&mut self.instance, &self.tenant)?;
        conversation.print();
        Ok(conversation.missing())
    }
}
