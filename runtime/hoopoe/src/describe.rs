//! What `hoopoe test` lends from the runtime: a component, loaded in the sandbox that will run it, and that sandbox for
//! the project's tests.

use std::path::Path;

use hoopoe_cli::{Description, TestEnvironment};
use hoopoe_sandbox::contract::{EventKind, Manifest};
use hoopoe_sandbox::{Sandbox, Settings, load};

/// Load a component and ask it what it is. The error says why the runtime would refuse it.
pub fn describe(component: &[u8]) -> Result<Description, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the sandbox cannot be started: {error}"))?;
    // One instance runs; a pool reserves addresses for each that could.
    let settings = Settings { max_instances: 1, cached_plugins: 1, ..Settings::default() };
    let sandbox = Sandbox::new(settings).map_err(|error| error.to_string())?;
    runtime.block_on(async {
        match sandbox.load(component).await {
            Ok(plugin) => Ok(described(&plugin.digest().to_string(), plugin.manifest(), true)),
            Err(load::Error::WrongWorld { missing }) => match sandbox.load_renderer(component).await {
                Ok(renderer) => Ok(described(&renderer.digest().to_string(), renderer.manifest(), false)),
                Err(_) => Err(load::Error::WrongWorld { missing }.to_string()),
            },
            Err(error) => Err(error.to_string()),
        }
    })
}

fn described(digest: &str, manifest: &Manifest, is_flow: bool) -> Description {
    Description {
        is_flow,
        digest: digest.to_owned(),
        name: manifest.name.clone(),
        version: manifest.version.clone(),
        events: manifest.events.iter().map(|kind| event(*kind).to_owned()).collect(),
        config_schema: manifest.config_schema.clone(),
    }
}

fn event(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Message => "message",
        EventKind::Status => "status",
        EventKind::Timer => "timer",
        EventKind::HttpResponse => "http-response",
        EventKind::Other => "other",
    }
}

/// The environment in which a project's tests play with this component, in a process of this program.
pub fn test_environment(component: &Path) -> Result<TestEnvironment, String> {
    let itself = std::env::current_exe().map_err(|error| format!("this program does not find itself: {error}"))?;
    Ok(vec![(hoopoe_harness::HOST, itself.into()), (hoopoe_harness::COMPONENT, component.into())])
}

/// Be that process: run the component for calls on standard input, until there are no more.
pub fn play(component: &Path) -> Result<(), String> {
    let bytes = std::fs::read(component).map_err(|error| format!("{}: {error}", component.display()))?;
    let mut plugin = hoopoe_harness::Wasm::load(&bytes).map_err(|error| error.to_string())?;
    let (calls, answers) = (std::io::stdin().lock(), std::io::stdout().lock());
    hoopoe_harness::play(&mut plugin, calls, answers).map_err(|error| error.to_string())
}
