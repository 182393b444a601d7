//! The folder's upkeep.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::Cache;

pub(super) const EXTENSION: &str = "code";
/// Beginning of the names of files that are being written.
pub(super) const UNFINISHED: &str = "unfinished-";
/// Older ones are of processes that died.
const FORGOTTEN: Duration = Duration::from_secs(3600);

/// Note that a file was used. Without that it only goes earlier.
pub(super) fn used(path: &Path) {
    let _ = fs::File::options().append(true).open(path).and_then(|file| file.set_modified(SystemTime::now()));
}

/// Delete what was not used for longest, until the rest fits.
pub(super) fn shrink(cache: &Cache) -> io::Result<()> {
    let mut files: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
    for entry in fs::read_dir(&cache.folder)? {
        // Others delete files of this folder too.
        let Ok((path, metadata)) = entry.and_then(|entry| Ok((entry.path(), entry.metadata()?))) else { continue };
        let Ok(modified) = metadata.modified() else { continue };
        if path.extension().is_some_and(|extension| extension == EXTENSION) {
            files.push((modified, metadata.len(), path));
        } else if is_unfinished(&path) && modified.elapsed().is_ok_and(|age| age > FORGOTTEN) {
            let _ = fs::remove_file(path);
        }
    }
    let mut total: u64 = files.iter().map(|(_, size, _)| size).sum();
    files.sort();
    // The newest stays, however large: somebody has just made it.
    files.pop();
    for (_, size, path) in files {
        if total <= cache.bytes {
            break;
        }
        let _ = fs::remove_file(path);
        total -= size;
    }
    Ok(())
}

fn is_unfinished(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(UNFINISHED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_files_go_first() {
        let folder = tempfile::tempdir().expect("there is room");
        let cache = Cache { bytes: 25, ..Cache::new(folder.path(), [0; 32]) };
        let start = SystemTime::now() - Duration::from_secs(100_000);
        for (age, name) in ["a.code", "b.code", "c.code", "unfinished-1", "other"].into_iter().enumerate() {
            let path = folder.path().join(name);
            fs::write(&path, [0; 10]).expect("it is written");
            let file = fs::File::options().append(true).open(&path).expect("it is there");
            file.set_modified(start + Duration::from_secs(age as u64)).expect("the system keeps times");
        }
        used(&folder.path().join("a.code"));
        shrink(&cache).expect("the folder can be read");
        let left =
            ["a.code", "b.code", "c.code", "unfinished-1", "other"].map(|name| folder.path().join(name).exists());
        assert_eq!(left, [true, false, true, false, true]);
    }
}
