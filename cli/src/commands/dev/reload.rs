//! One plugin's way from its source into the running host.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hoopoe_plugin_build::Toolchain;
use serde_json::json;

use super::sources::{Source, Sources};
use crate::output::{Output, duration, text};
use crate::{Api, Connection, Error, artifact, plugin};

/// Builds, uploads and switches over.
pub struct Reloader {
    connection: Connection,
    output: Output,
    toolchain: Option<Toolchain>,
    /// By plugin: the version that was switched to last.
    running: BTreeMap<String, String>,
    /// The host was away at the last try, and that was said.
    away: bool,
}

/// A component and what it took to have it.
struct Ready {
    component: Vec<u8>,
    build: Duration,
    pack: Duration,
}

impl Reloader {
    /// Nothing is built or called yet.
    pub fn new(connection: Connection, output: Output) -> Self {
        Self { connection, output, toolchain: None, running: BTreeMap::new(), away: false }
    }

    /// Reload a plugin. It is switched to when it changed `alone`, or when it is the active one anyway: of several
    /// flows only one can be active.
    pub fn reload(
        &mut self,
        sources: &Sources,
        source: &Source,
        name: &str,
        saved: Option<Instant>,
        alone: bool,
    ) -> Result<(), Error> {
        let begun = Instant::now();
        // Read anew each time: a host that was started again may have another port.
        let api = Api::new(self.connection.settings()?);
        if self.away {
            // No build only to find it away still.
            api.get("")?;
        }
        let ready = self.ready(sources, source)?;
        let upload = Instant::now();
        let activate = alone || is_active(&api, name)?;
        let (version, new) = api.upload(name, &ready.component, activate)?;
        let uploaded = upload.elapsed();
        self.away = false;
        let whole = saved.unwrap_or(begun).elapsed();
        let rest = whole.saturating_sub(ready.build);
        let shown = plugin::version(&version);
        let value = json!({
            "event": if activate { "active" } else { "uploaded" }, "plugin": name, "version": version["version"],
            "digest": version["digest"], "new": new, "afterSaveMs": saved.map(|_| whole.as_millis() as u64),
            "buildMs": ready.build.as_millis() as u64, "restMs": rest.as_millis() as u64,
        });
        let same = self.running.get(name) == Some(&text(&version["digest"]));
        self.output.event(&value, &match (activate, saved) {
            (true, Some(_)) if same => format!("{name}: the change makes no difference; {shown} stays active"),
            (true, Some(saved)) => format!(
                "{name} {shown} is active {} after the save: build {}, rest {} (noticed {}, packed {}, uploaded and \
                 switched {})",
                duration(whole),
                duration(ready.build),
                duration(rest),
                duration(begun.saturating_duration_since(saved)),
                duration(ready.pack),
                duration(uploaded),
            ),
            (true, None) => format!("{name} {shown} is active (build {})", duration(ready.build)),
            (false, _) => format!("{name} {shown} is uploaded, not active (build {})", duration(ready.build)),
        });
        if activate {
            self.running.insert(name.to_owned(), text(&version["digest"]));
        }
        Ok(())
    }

    fn ready(&mut self, sources: &Sources, source: &Source) -> Result<Ready, Error> {
        match source {
            Source::File(path) => {
                Ok(Ready { component: artifact::read(path)?, build: Duration::ZERO, pack: Duration::ZERO })
            }
            Source::Package(place) => {
                let toolchain = match &self.toolchain {
                    Some(toolchain) => toolchain,
                    None => self.toolchain.insert(artifact::toolchain()?),
                };
                let built = artifact::build(toolchain, &sources.packages[*place])?;
                Ok(Ready { component: built.component, build: built.build, pack: built.pack })
            }
        }
    }

    /// Say what failed and that the old version runs on. True when the host was away and another try makes sense.
    pub fn failed(&mut self, sources: &Sources, source: &Source, error: &Error) -> bool {
        let away = matches!(error, Error::Unreachable(_));
        if !(away && self.away) {
            let name = sources.name(source).unwrap_or_default();
            let running = self.running.get(&name).map(|digest| crate::output::short(digest));
            let stays = running.map(|digest| format!("; {digest} stays active")).unwrap_or_default();
            let mut value = error.to_json();
            value["event"] = json!("failed");
            value["plugin"] = json!(name);
            value["running"] = json!(self.running.get(&name));
            self.output.event(&value, &format!("{name}: {error}{stays}"));
        }
        self.away = away;
        away
    }
}

/// Whether the tenant's events go to this plugin now.
fn is_active(api: &Api, name: &str) -> Result<bool, Error> {
    match api.get(&format!("/plugins/{name}")) {
        Ok(answer) => Ok(answer["plugin"]["active"].is_string()),
        Err(Error::Refused { status: 404, .. }) => Ok(false),
        Err(error) => Err(error),
    }
}
