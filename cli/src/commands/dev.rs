//! `hoopoe dev`: build and reload with every save.
//!
//! Files are watched, changes are gathered until it is quiet, what they concern is built, uploaded and switched to.
//! Whatever fails on the way (a half-written file, an error of the compiler, a host that refuses the version or is
//! away) is shown, and the version that runs goes on; the next change is the next try.

mod debounce;
mod reload;
mod sources;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;

use crate::output::Output;
use crate::project::{Package, current_dir};
use crate::{Connection, Error};
use debounce::Debounce;
use reload::Reloader;
use sources::{Source, Sources};
use watch::Watch;

const EXAMPLES: &str = "\
Examples:
  hoopoe dev                 # the plugin of the current folder
  hoopoe dev bots            # all plugins of a folder; the one that was saved last is switched to
  cp other.wasm bots/        # meanwhile: Wasm files of any language are reloaded too

A folder's plugins are its own crate, else the members of its workspace, else the crates one level below; and the
.wasm files in it. Without --url the host is the one that `cargo xtask dev` runs.";

/// So long nothing may change before a build begins: editors write a file in several steps.
const QUIET: Duration = Duration::from_millis(20);
/// So long at the most: tools may write for ever.
const LONGEST: Duration = Duration::from_millis(400);
/// How often a host that is away is asked again.
const RETRY: Duration = Duration::from_secs(1);

/// Watch sources; with every save build, upload and switch over on the development host
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// The folder; without it the current project
    #[arg(value_name = "FOLDER")]
    folder: Option<PathBuf>,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Options {
    /// How to print.
    pub fn output(&self) -> Output {
        self.output
    }

    fn folder(&self) -> Result<PathBuf, Error> {
        match &self.folder {
            Some(folder) => Ok(folder.clone()),
            // Not a project, but a folder that holds some.
            None => Package::here().map(|package| package.folder).or_else(|error| match current_dir()? {
                here if here.join("Cargo.toml").is_file() || !Sources::find(&here)?.all().is_empty() => Ok(here),
                _ => Err(error),
            }),
        }
    }
}

/// Watch until Ctrl-C.
pub fn run(options: &Options) -> Result<(), Error> {
    let sources = Sources::find(&options.folder()?)?;
    // Says at once when there is no host, or when it does not know us.
    let settings = options.connection.settings()?;
    crate::Api::new(settings.clone()).get("")?;
    // Before the first build: what is saved meanwhile counts.
    let mut watch = Watch::start()?;
    watch.add(&sources.folders())?;
    let all = sources.all();
    let names: Vec<String> = all.iter().filter_map(|source| sources.name(source).ok()).collect();
    let watching = json!({ "event": "watching", "folder": sources.folder, "plugins": names, "url": settings.url });
    let listed = if names.is_empty() { "no plugin yet".to_owned() } else { names.join(", ") };
    let text = format!("watching {} ({listed}); the host is {}", sources.folder.display(), settings.url);
    options.output.event(&watching, &text);

    let mut session = Session {
        reloader: Reloader::new(options.connection.clone(), options.output),
        sources,
        watch,
        debounce: Debounce::new(QUIET, LONGEST),
        owed: all.into_iter().map(|source| (source, None)).collect(),
    };
    session.work();
    loop {
        session.wait()?;
        session.work();
    }
}

struct Session {
    sources: Sources,
    watch: Watch,
    debounce: Debounce,
    reloader: Reloader,
    /// What is to be reloaded, with the moment of the save.
    owed: BTreeMap<Source, Option<Instant>>,
}

impl Session {
    /// Wait until something is to be done.
    fn wait(&mut self) -> Result<(), Error> {
        let retry = (!self.owed.is_empty()).then(|| Instant::now() + RETRY);
        loop {
            let until = [self.debounce.due(), retry].into_iter().flatten().min();
            for (path, at) in self.watch.next(until)? {
                self.noticed(path, at)?;
            }
            let now = Instant::now();
            if let Some(changes) = self.debounce.take(now) {
                self.refresh(&changes.paths)?;
                let concerned = changes.paths.iter().flat_map(|path| self.sources.of(path));
                self.owed.extend(concerned.map(|source| (source, Some(changes.saved))));
                // Wasm files that were taken away, and crates that are none any more.
                let all = self.sources.all();
                self.owed.retain(|source, _| all.contains(source));
                if !self.owed.is_empty() {
                    return Ok(());
                }
            }
            if retry.is_some_and(|retry| retry <= now) {
                return Ok(());
            }
        }
    }

    fn noticed(&mut self, path: PathBuf, at: Instant) -> Result<(), Error> {
        if self.sources.is_watched_below(&path) {
            self.watch.add(&[(path.clone(), true)])?;
        }
        if !self.sources.of(&path).is_empty() || self.changes_sources(&path) {
            self.debounce.changed(path, at);
        }
        Ok(())
    }

    /// A manifest, or a folder that may become a crate.
    fn changes_sources(&self, path: &Path) -> bool {
        path.file_name().is_some_and(|name| name == "Cargo.toml")
            || (path.parent() == Some(&self.sources.folder) && path.is_dir())
    }

    /// See which plugins there are, when that may have changed.
    fn refresh(&mut self, paths: &BTreeSet<PathBuf>) -> Result<(), Error> {
        if !paths.iter().any(|path| self.changes_sources(path)) {
            return Ok(());
        }
        match Sources::find(&self.sources.folder) {
            Ok(sources) => {
                self.watch.add(&sources.folders())?;
                self.sources = sources;
                self.owed.clear();
            }
            // A manifest that is half written: the build says the same until it is whole.
            Err(error) => eprintln!("{error}"),
        }
        Ok(())
    }

    /// Reload what is owed; what a host that is away could not take stays owed.
    fn work(&mut self) {
        let owed = std::mem::take(&mut self.owed);
        let alone = owed.len() == 1 && (self.sources.all().len() == 1 || owed.values().all(Option::is_some));
        for (source, saved) in owed {
            let name = self.sources.name(&source);
            let done = name.and_then(|name| self.reloader.reload(&self.sources, &source, &name, saved, alone));
            if let Err(error) = done
                && self.reloader.failed(&self.sources, &source, &error)
            {
                self.owed.insert(source, saved);
            }
        }
    }
}
