//! The simulator as a program: prints its URL, runs until SIGTERM or Ctrl-C.

use std::{io, net::SocketAddr, process::ExitCode, time::Duration};

use clap::Parser;
use meta_sim::{Options, Sim};
use tokio::signal;

/// Stands in for Meta's Graph API and webhooks.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    /// Where it listens.
    #[arg(long, env = "META_SIM_LISTEN", default_value = "127.0.0.1:4010")]
    listen: SocketAddr,
    /// The platform's app; the same as the runtime's APP_ID.
    #[arg(long, env = "APP_ID", default_value = "670843887433847")]
    app_id: String,
    /// Signs webhooks; the same as the runtime's APP_SECRET.
    #[arg(long, env = "APP_SECRET", hide_env_values = true, default_value = "meta-sim-secret")]
    app_secret: String,
    /// Where webhooks go, for example http://127.0.0.1:8080/whatsapp/webhook; can be set later through /_sim/config.
    #[arg(long, env = "META_SIM_WEBHOOK_URL")]
    webhook_url: Option<String>,
    /// How long the answer to a send takes, in milliseconds.
    #[arg(long, env = "META_SIM_LATENCY_MS", default_value_t = 0)]
    latency_ms: u64,
    /// Statuses that follow an accepted message, separated by commas; empty for none.
    #[arg(long, env = "META_SIM_STATUSES", value_delimiter = ',', default_value = "sent,delivered,read")]
    statuses: Vec<String>,
    /// How long after the acceptance the statuses leave, in milliseconds.
    #[arg(long, env = "META_SIM_STATUS_DELAY_MS", default_value_t = 0)]
    status_delay_ms: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let options = Options {
        listen: arguments.listen,
        app_id: arguments.app_id,
        app_secret: arguments.app_secret,
        webhook_url: arguments.webhook_url.filter(|url| !url.is_empty()),
        latency: Duration::from_millis(arguments.latency_ms),
        statuses: arguments.statuses.into_iter().filter(|status| !status.is_empty()).collect(),
        status_delay: Duration::from_millis(arguments.status_delay_ms),
        ..Options::default()
    };
    match run(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("meta-sim cannot run on {}: {error}", arguments.listen);
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> io::Result<()> {
    let sim = Sim::start(options).await?;
    println!("meta-sim listens on {} (control: {}/_sim/stats)", sim.url(), sim.url());
    let mut terminate = signal::unix::signal(signal::unix::SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => {}
        interrupted = signal::ctrl_c() => interrupted?,
    }
    sim.stop().await;
    Ok(())
}
