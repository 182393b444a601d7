//! Many plugins in the folder of compiled ones.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use hoopoe_sandbox::{Cache, Digest, Sandbox, Settings};
use rustix::fs::{Advice, fadvise};
use tokio::task::JoinSet;

use super::Measured;

/// The built-in auto-reply, as often as is wanted, each with another digest. The folder is removed at the end.
pub struct Plugins {
    folder: PathBuf,
    digests: Vec<Digest>,
    files: Vec<PathBuf>,
}

impl Plugins {
    /// Compiles them, in a folder in `out`.
    pub async fn compile(out: &Path, count: usize) -> Result<Plugins> {
        let folder = out.join("cold");
        let mut plugins = Plugins { folder, digests: Vec::new(), files: Vec::new() };
        // From a benchmark that was ended.
        let _ = fs::remove_dir_all(&plugins.folder);
        eprintln!("cold: compiling {count} plugins");
        let sandbox = Sandbox::new(plugins.cached(Settings::default()))?;
        let mut compiling = JoinSet::new();
        for number in 0..count {
            let (sandbox, component) = (sandbox.clone(), distinct(number));
            plugins.digests.push(Digest::of(&component));
            compiling.spawn(async move { sandbox.load(&component).await.map(drop) });
        }
        while let Some(compiled) = compiling.join_next().await {
            compiled??;
        }
        for entry in fs::read_dir(&plugins.folder)? {
            plugins.files.push(entry?.path());
        }
        if plugins.files.len() != count {
            bail!("{} of {count} plugins are in the folder", plugins.files.len());
        }
        // What is not on disk yet cannot be forgotten.
        plugins.files.iter().try_for_each(|file| File::open(file)?.sync_all())?;
        Ok(plugins)
    }

    /// Settings with the folder.
    pub fn cached(&self, settings: Settings) -> Settings {
        Settings { cache: Some(Cache::new(&self.folder, [7; 32])), ..settings }
    }

    /// In the order in which they were made.
    pub fn digests(&self) -> &[Digest] {
        &self.digests
    }

    /// Of all files.
    pub fn bytes(&self) -> Result<u64> {
        self.files.iter().map(|file| Ok(file.metadata()?.len())).sum()
    }

    /// Has the system drop what it holds of the files in memory.
    pub fn forget(&self) -> Result<()> {
        for file in &self.files {
            fadvise(File::open(file)?, 0, None, Advice::DontNeed).context("the file cannot be dropped from memory")?;
        }
        Ok(())
    }

    /// How long reading each file takes.
    pub fn read(&self) -> Result<Measured> {
        let read = |file: &PathBuf| {
            let begun = Instant::now();
            std::hint::black_box(fs::read(file)?);
            Ok(begun.elapsed())
        };
        self.files.iter().map(read).collect()
    }
}

impl Drop for Plugins {
    fn drop(&mut self) {
        // Should it stay, the next one removes it.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The component with a custom section that holds a number: it does the same, and is another plugin.
fn distinct(number: usize) -> Vec<u8> {
    let (name, number) = (b"bench", u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
    let mut component = hoopoe_builtin::AUTO_REPLY.component.to_vec();
    // A section: its kind, its length, and for a custom one its name. Lengths below 128 are one byte.
    component.extend([0, (1 + name.len() + number.len()) as u8, name.len() as u8]);
    component.extend(name);
    component.extend(number);
    component
}
