//! What `hoopoe test` lends from the runtime: a component, loaded in the sandbox that will run it.

use hoopoe_cli::Description;
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
            Ok(plugin) => Ok(described(&plugin.digest().to_string(), plugin.manifest())),
            Err(load::Error::WrongWorld { missing }) => match sandbox.load_renderer(component).await {
                Ok(renderer) => Ok(described(&renderer.digest().to_string(), renderer.manifest())),
                Err(_) => Err(load::Error::WrongWorld { missing }.to_string()),
            },
            Err(error) => Err(error.to_string()),
        }
    })
}

fn described(digest: &str, manifest: &Manifest) -> Description {
    Description {
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
