//! Files in the folder of compiled plugins that somebody else has written are never loaded.

use std::fs;
use std::path::{Path, PathBuf};

use hoopoe_hostile_guests::guest;
use hoopoe_testing::eventually;

use crate::common::Stage;

/// The file of the plugin with this digest.
fn file(folder: &Path, digest: &str) -> PathBuf {
    let mut files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.find(|path| path.file_name().unwrap().to_str().unwrap().starts_with(digest)).expect("it is kept")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_and_stale_files() {
    let mut stage = Stage::start().await;
    let one = guest("answers-one");
    let victim = stage.attacker("answers-one", one).await;
    let attacker = stage.attacker("answers-two", guest("answers-two")).await;
    let (one, two) = (stage.says(&victim, "hello").await, stage.says(&attacker, "hello").await);
    let (one, two) = (one.0["digest"].as_str().unwrap(), two.0["digest"].as_str().unwrap());
    let folder = stage.cache.path().to_owned();
    type Forgery = fn(genuine: &mut Vec<u8>, foreign: &[u8]);
    let forgeries: [(&str, Forgery); 6] = [
        ("another plugin's file", |genuine, foreign| *genuine = foreign.to_vec()),
        ("the genuine tag before foreign code", |genuine, foreign| {
            genuine.truncate(32);
            genuine.extend_from_slice(&foreign[32..]);
        }),
        ("a bit of the code", |genuine, _| {
            let middle = genuine.len() / 2;
            genuine[middle] ^= 1;
        }),
        ("half of it", |genuine, _| genuine.truncate(genuine.len() / 2)),
        ("machine code alone", |genuine, _| {
            let elf = genuine.windows(4).position(|window| window == b"\x7fELF").unwrap();
            genuine.drain(..elf);
        }),
        ("nothing", |genuine, _| genuine.clear()),
    ];
    // One reply came before the first forgery.
    for (replies, (label, forge)) in (2..).zip(forgeries) {
        stage.world.stop().await;
        let (path, foreign) = (file(&folder, one), fs::read(file(&folder, two)).unwrap());
        let genuine = fs::read(&path).unwrap();
        let mut forged = genuine.clone();
        forge(&mut forged, &foreign);
        fs::write(&path, &forged).unwrap();
        stage.world.restart().await;
        let run = stage.meanwhile(label, stage.says(&victim, "hello")).await;
        assert_eq!(run.result(), "done", "{label}: {}", run.reason());
        eventually("the reply is sent", async || stage.heard(&victim).len() == replies).await;
        assert!(stage.heard(&victim).iter().all(|reply| reply == "one"), "{label}");
        assert_ne!(fs::read(&path).unwrap(), forged, "{label}: it was thrown away, and made anew");
    }
    // What lies there cannot be uploaded either.
    let kept = fs::read(file(&folder, two)).unwrap();
    let elf = kept.windows(4).position(|window| window == b"\x7fELF").unwrap();
    for upload in [kept[elf..].to_vec(), kept] {
        let (status, answer) = stage.meanwhile("upload of machine code", stage.put(&attacker, "", upload)).await;
        assert_eq!((status, &answer["code"]), (400, &"plugin_refused".into()), "{answer}");
    }
    stage.end().await;
}
