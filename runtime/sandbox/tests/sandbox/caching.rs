//! Compiled plugins on disk: found again without their component, and never trusted without their tag.

use std::fs;
use std::path::{Path, PathBuf};

use hoopoe_sandbox::load::Error;
use hoopoe_sandbox::{Cache, Digest, Failure, GetError, Limits, Plugin, Sandbox, Settings};
use tempfile::TempDir;

use crate::common::{OWNER, component, reply};

const KEY: [u8; 32] = [7; 32];

fn sandbox_with(folder: &Path, key: [u8; 32], limits: Limits) -> Sandbox {
    let cache = Some(Cache::new(folder, key));
    Sandbox::new(Settings { max_instances: 4, cache, limits, ..Settings::default() }).unwrap()
}

fn sandbox(folder: &Path) -> Sandbox {
    sandbox_with(folder, KEY, Limits::default())
}

/// Ask a new sandbox, which can only find the plugin on disk.
async fn from_disk(sandbox: &Sandbox, digest: Digest) -> Option<Plugin> {
    match sandbox.get(digest, async { Err::<Vec<u8>, ()>(()) }).await {
        Ok(plugin) => Some(plugin),
        Err(GetError::Fetch(())) => None,
        Err(GetError::Load(error)) => panic!("{error}"),
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// A folder with the test guest in it.
async fn filled() -> (TempDir, Digest, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let plugin = sandbox(folder.path()).load(&component("test-guest")).await.unwrap();
    let [file] = &files(folder.path())[..] else { panic!("one file") };
    let file = file.clone();
    (folder, *plugin.digest(), file)
}

#[tokio::test]
async fn a_plugin_is_found_again_without_its_component_and_without_a_run() {
    let (folder, digest, _) = filled().await;
    let whole = sandbox(folder.path()).load(&component("test-guest")).await.unwrap();
    // Too little fuel to describe itself: the manifest comes from the file.
    let poor = sandbox_with(folder.path(), KEY, Limits { fuel: 10, ..Limits::default() });
    let plugin = from_disk(&poor, digest).await.expect("it is on disk");
    assert_eq!(plugin.manifest(), whole.manifest());
    assert!(matches!(plugin.migrate_state(OWNER, "0.0.1", b"{}").await.result, Err(Failure::OutOfFuel { .. })));
    let plugin = from_disk(&sandbox(folder.path()), digest).await.expect("it is on disk");
    assert_eq!(reply(&plugin, "echo from disk").await, "from disk");
    let inspection = sandbox(folder.path()).inspect(&component("test-guest")).await.unwrap();
    assert!(!inspection.compile_time.is_zero() && !inspection.exports.is_empty());
}

#[tokio::test]
async fn what_has_no_right_tag_is_deleted_and_made_anew() {
    type Fault = fn(&mut Vec<u8>);
    let faults: [(&str, Fault); 6] = [
        ("a bit of the code", |bytes| *bytes.last_mut().unwrap() ^= 1),
        ("a bit of the tag", |bytes| bytes[0] ^= 1),
        ("a bit of the manifest", |bytes| bytes[50] ^= 1),
        ("truncated", |bytes| bytes.truncate(bytes.len() / 2)),
        ("nothing left", Vec::clear),
        ("something more", |bytes| bytes.push(0)),
    ];
    for (what, fault) in faults {
        let (folder, digest, file) = filled().await;
        let mut bytes = fs::read(&file).unwrap();
        fault(&mut bytes);
        fs::write(&file, bytes).unwrap();
        let sandbox = sandbox(folder.path());
        assert!(from_disk(&sandbox, digest).await.is_none(), "{what}");
        assert!(!file.exists(), "{what}");
        let plugin = sandbox.load(&component("test-guest")).await.unwrap();
        assert_eq!(reply(&plugin, "echo anew").await, "anew", "{what}");
        assert!(file.exists(), "{what}");
    }
}

#[tokio::test]
async fn a_file_of_another_installation_is_not_used() {
    let (folder, digest, file) = filled().await;
    let other = sandbox_with(folder.path(), [8; 32], Limits::default());
    assert!(from_disk(&other, digest).await.is_none());
    assert!(!file.exists());
}

#[tokio::test]
async fn a_file_under_another_plugins_name_is_not_used() {
    let (folder, digest, file) = filled().await;
    let other = *sandbox(folder.path()).load(&component("auto-reply")).await.unwrap().digest();
    let name = file.file_name().unwrap().to_str().unwrap().replace(&digest.to_string(), &other.to_string());
    assert!(folder.path().join(&name).exists());
    fs::copy(&file, folder.path().join(&name)).unwrap();
    assert!(from_disk(&sandbox(folder.path()), other).await.is_none());
    assert!(!folder.path().join(name).exists());
}

/// A stale file: its name says another engine, which this one never reads; renamed, its tag says so.
#[tokio::test]
async fn a_file_of_another_engine_is_not_used() {
    let (folder, digest, file) = filled().await;
    let name = file.file_name().unwrap().to_str().unwrap();
    let engine = name.split_once('-').unwrap().1.strip_suffix(".code").unwrap();
    assert_eq!((engine.len(), name.starts_with(&digest.to_string())), (16, true));
    fs::rename(&file, folder.path().join(name.replace(engine, "0123456789abcdef"))).unwrap();
    assert!(from_disk(&sandbox(folder.path()), digest).await.is_none());
}

#[tokio::test]
async fn the_folder_keeps_to_its_size_and_a_broken_one_breaks_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache { bytes: 1, ..Cache::new(folder.path(), KEY) };
    let sandbox = Sandbox::new(Settings { cache: Some(cache), ..Settings::default() }).unwrap();
    sandbox.load(&component("auto-reply")).await.unwrap();
    sandbox.load(&component("test-guest")).await.unwrap();
    assert_eq!(files(folder.path()).len(), 1);

    let folder = tempfile::tempdir().unwrap();
    let sandbox = self::sandbox(folder.path());
    drop(folder);
    let plugin = sandbox.load(&component("test-guest")).await.unwrap();
    assert_eq!(reply(&plugin, "echo still").await, "still");
}

#[tokio::test]
async fn bytes_of_another_digest_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let wanted = Digest::of(b"wanted");
    let fetch = async { Ok::<_, ()>(component("auto-reply")) };
    let error = sandbox(folder.path()).get(wanted, fetch).await.unwrap_err();
    let GetError::Load(error) = error else { panic!("{error:?}") };
    assert!(matches!(&error, Error::Digest { .. }) && error.is_ours(), "{error}");
    assert!(files(folder.path()).is_empty());
}
