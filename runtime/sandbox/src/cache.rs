//! Compiled plugins on disk, so that a restart or a rarely used plugin does not cost a compilation.
//!
//! A file holds what is known of the plugin and its machine code, under a tag (HMAC-SHA256) with the operator's
//! key, which also covers whose code it is and for which engine. What has no right tag was not written by this
//! installation, or is not whole: it is deleted and made anew. The folder needs no protection beyond that; who can
//! write to it can make plugins slow, and nothing else.

mod about;
mod folder;

use std::fmt;
use std::fs;
use std::hash::{Hash, Hasher};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;
use wasmtime::Engine;

use crate::Digest;
use crate::code::Code;
use crate::loaded::About;

/// Where compiled plugins are kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Cache {
    /// The folder; created when it is missing. Processes may share it.
    pub folder: PathBuf,
    /// Key of the tags; derived from the installation's master key.
    pub key: [u8; 32],
    /// Bytes of the folder; what was not used for longest goes first.
    pub bytes: u64,
}

impl Cache {
    /// This folder, with up to 4 GiB.
    pub fn new(folder: impl Into<PathBuf>, key: [u8; 32]) -> Self {
        Cache { folder: folder.into(), key, bytes: 4 << 30 }
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("folder", &self.folder).field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

/// Changes with the format of the files.
const FORMAT: &[u8] = b"hoopoe compiled plugin 1";
const TAG: usize = 32;
/// Bytes of a file before the code: tag, and the length of what is known of the plugin.
const HEADER: usize = TAG + 4;
/// More cannot be known of a plugin, whose manifest, imports and exports are bounded.
const ABOUT_BYTES: usize = 4 << 20;

/// The cache of one engine.
pub(crate) struct Disk {
    cache: Cache,
    /// Which code the engine can load: its version and settings, and the processor's features.
    engine: [u8; 32],
}

impl Disk {
    pub(crate) fn open(cache: Cache, engine: &Engine) -> io::Result<Self> {
        fs::create_dir_all(&cache.folder)?;
        let mut hasher = Sha(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(Disk { cache, engine: hasher.0.finalize().into() })
    }

    /// What is kept of this plugin. `None` when nothing is, or nothing that can be trusted; that is deleted.
    pub(crate) fn read(&self, digest: &Digest) -> Option<(About, Code)> {
        let path = self.path(digest);
        let found = match read(&path, self.cache.bytes) {
            Ok(bytes) => self.open_file(digest, bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            Err(error) => Err(error.to_string()),
        };
        match found {
            Ok(found) => {
                folder::used(&path);
                Some(found)
            }
            Err(reason) => {
                tracing::warn!(file = %path.display(), reason, "a compiled plugin is not used and deleted");
                self.delete(digest);
                None
            }
        }
    }

    /// Keep a plugin. What goes wrong here costs a compilation later, and is only logged.
    pub(crate) fn write(&self, digest: &Digest, about: &About, code: &Code) {
        let written = self.write_file(digest, about, code).and_then(|()| folder::shrink(&self.cache));
        if let Err(error) = written {
            tracing::warn!(folder = %self.cache.folder.display(), %error, "a compiled plugin cannot be kept");
        }
    }

    pub(crate) fn delete(&self, digest: &Digest) {
        // Gone already is as good.
        let _ = fs::remove_file(self.path(digest));
    }

    fn write_file(&self, digest: &Digest, about: &About, code: &Code) -> io::Result<()> {
        let about = about::encode(about)?;
        let length = u32::try_from(about.len()).map_err(io::Error::other)?.to_le_bytes();
        let tag = self.mac(digest, &[&length, &about, code.bytes()]).finalize().into_bytes();
        let mut file = NamedTempFile::with_prefix_in(folder::UNFINISHED, &self.cache.folder)?;
        for part in [tag.as_slice(), &length, &about, code.bytes()] {
            file.write_all(part)?;
        }
        file.persist(self.path(digest))?;
        Ok(())
    }

    fn open_file(&self, digest: &Digest, mut bytes: Vec<u8>) -> Result<(About, Code), String> {
        let short = || "it is not whole".to_owned();
        let (tag, rest) = bytes.split_at_checked(TAG).ok_or_else(short)?;
        self.mac(digest, &[rest]).verify_slice(tag).map_err(|_| "its tag is wrong".to_owned())?;
        let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(short)?;
        let length = u32::from_le_bytes(*length) as usize;
        if length > ABOUT_BYTES {
            return Err(short());
        }
        let about = about::decode(rest.get(..length).ok_or_else(short)?)?;
        bytes.drain(..HEADER + length);
        Ok((about, Code::of_cache(bytes)))
    }

    fn mac(&self, digest: &Digest, parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.cache.key).expect("HMAC takes a key of any length");
        for part in [FORMAT, &self.engine, digest.as_bytes()].iter().chain(parts) {
            mac.update(part);
        }
        mac
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        let engine: String = self.engine[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        self.cache.folder.join(format!("{digest}-{engine}.{}", folder::EXTENSION))
    }
}

fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = fs::File::open(path)?;
    let size = file.metadata()?.len();
    if size > most {
        return Err(io::Error::other("it is larger than the cache"));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).map_err(io::Error::other)?);
    file.take(size).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Everything that is hashed, in SHA-256.
struct Sha(Sha256);

impl Hasher for Sha {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let hash: [u8; 32] = self.0.clone().finalize().into();
        u64::from_le_bytes(std::array::from_fn(|place| hash[place]))
    }
}
