//! Notices of changed files, with their moments.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Instant;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use crate::Error;

/// A running watcher.
pub struct Watch {
    watcher: RecommendedWatcher,
    notices: Receiver<Result<(PathBuf, Instant), notify::Error>>,
}

impl Watch {
    /// Watches nothing yet.
    pub fn start() -> Result<Self, Error> {
        let (sender, notices) = channel();
        let notice = move |event: Result<Event, notify::Error>| {
            let now = Instant::now();
            // The other end is gone only when the command ends.
            match event {
                Ok(event) if matters(event.kind) => {
                    for path in event.paths {
                        let _ = sender.send(Ok((path, now)));
                    }
                }
                Ok(_) => {}
                Err(error) => drop(sender.send(Err(error))),
            }
        };
        let watcher = notify::recommended_watcher(notice).map_err(|error| refused(&error))?;
        Ok(Self { watcher, notices })
    }

    /// Watch these folders too, each with or without what is below. A folder that is gone again is left out.
    pub fn add(&mut self, folders: &[(PathBuf, bool)]) -> Result<(), Error> {
        for (folder, below) in folders {
            let mode = if *below { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
            // Known ones too: one that was taken away and made again has to be watched again.
            match self.watcher.watch(folder, mode) {
                Err(error) if folder.exists() => return Err(refused(&error)),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    /// Changed files: waits for the first, until the moment, and takes all that are there.
    pub fn next(&mut self, until: Option<Instant>) -> Result<Vec<(PathBuf, Instant)>, Error> {
        let gone = || Error::failed("the watcher ended by itself");
        let first = match until {
            None => self.notices.recv().map_err(|_| gone())?,
            Some(until) => match self.notices.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(first) => first,
                Err(RecvTimeoutError::Timeout) => return Ok(Vec::new()),
                Err(RecvTimeoutError::Disconnected) => return Err(gone()),
            },
        };
        let all = std::iter::once(first).chain(self.notices.try_iter());
        all.map(|notice| notice.map_err(|error| refused(&error))).collect()
    }
}

/// Reading a file changes nothing.
fn matters(kind: EventKind) -> bool {
    !matches!(kind, EventKind::Access(_))
}

fn refused(error: &notify::Error) -> Error {
    match error.kind {
        notify::ErrorKind::MaxFilesWatch => {
            Error::failed("the system lets nobody watch more files: raise fs.inotify.max_user_watches with sysctl")
        }
        _ => Error::failed(format!("files cannot be watched: {error}")),
    }
}
