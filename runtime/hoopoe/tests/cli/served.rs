//! The commands against a real `hoopoe serve`, which compiles in processes of its own, and which goes away and comes back.

use std::fs;
use std::path::{Path, PathBuf};

use hoopoe_testing::{Database, Process, Tenant, settings, sim_options};
use meta_sim::Sim;
use serde_json::json;

use crate::support::Developer;

const HOOPOE: &str = env!("CARGO_BIN_EXE_hoopoe");
const NUMBER: &str = "106540352242922";

/// A host with all around it, and the file that says where it is.
struct Served {
    db: Database,
    sim: Sim,
    folder: tempfile::TempDir,
    process: Process,
    tenant: Tenant,
}

impl Served {
    async fn start() -> Self {
        let (db, sim) = (Database::create().await, Sim::start(sim_options()).await.unwrap());
        let folder = tempfile::tempdir().unwrap();
        let process = serve(&db, &sim, folder.path()).await;
        let tenant = process.api.register("Acme", NUMBER, "token").await;
        let served = Self { db, sim, folder, process, tenant };
        served.write();
        served
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("dev.json")
    }

    /// As `cargo xtask dev` does: a new host may have another port.
    fn write(&self) {
        let settings = json!({
            "url": self.process.api.base, "tenant": self.tenant.id, "key": self.tenant.key, "simulator": self.sim.url(),
            "phoneNumberId": NUMBER,
        });
        fs::write(self.file(), settings.to_string()).unwrap();
    }

    fn developer(&self, folder: &Path) -> Developer {
        Developer::with_file(folder, &self.file())
    }

    /// Kills the host.
    async fn killed(self) -> Away {
        let Self { db, sim, folder, process, tenant } = self;
        process.kill().await;
        Away { db, sim, folder, tenant }
    }
}

/// What is left of a host.
struct Away {
    db: Database,
    sim: Sim,
    folder: tempfile::TempDir,
    tenant: Tenant,
}

impl Away {
    async fn started(self) -> Served {
        let Self { db, sim, folder, tenant } = self;
        let process = serve(&db, &sim, folder.path()).await;
        let served = Served { db, sim, folder, process, tenant };
        served.write();
        served
    }
}

async fn serve(db: &Database, sim: &Sim, folder: &Path) -> Process {
    let mut environment = settings(db, sim);
    environment.insert("PLUGIN_CACHE".to_owned(), folder.join("cache").to_string_lossy().into_owned());
    let process = Process::start(HOOPOE, &environment).await;
    sim.set_webhook(&process.api.webhook_url());
    process
}

#[tokio::test]
async fn a_save_is_answered_also_after_the_host_was_away() {
    let served = Served::start().await;
    let folder = tempfile::tempdir().unwrap();
    served.developer(folder.path()).works(&["new", "live-bot"]).await;
    let project = served.developer(&folder.path().join("live-bot"));
    let flow = project.folder.join("src/lib.rs");
    let source = fs::read_to_string(&flow).unwrap();
    let save = |words: &str| fs::write(&flow, source.replace("You said", words)).unwrap();

    let mut dev = project.start(&["dev", "--json"]);
    let first = dev.until("active").await;
    assert_eq!(project.hears("hi").await, "You said: hi\n- team Acme");
    for words in ["You wrote", "You told us", "You asked"] {
        save(words);
        let active = dev.until("active").await;
        println!("active {} ms after the save, {} ms beside the build", active["afterSaveMs"], active["restMs"]);
        assert_ne!(active["digest"], first["digest"]);
        assert_eq!(project.hears("hi").await, format!("{words}: hi\n- team Acme"));
    }

    let away = served.killed().await;
    save("While you were away");
    let failed = dev.until("failed").await;
    assert_eq!(failed["exitCode"], 4, "{failed}");
    let served = away.started().await;
    let active = dev.until("active").await;
    assert_ne!(active["digest"], failed["running"]);
    assert_eq!(project.hears("hi").await, "While you were away: hi\n- team Acme");

    // What makes no difference to the component is told, and the next change is noticed.
    save("You said");
    assert_eq!(dev.until("active").await["digest"], first["digest"]);
    assert_eq!(project.hears("hi").await, "You said: hi\n- team Acme");
    assert!(served.process.terminate().await.status.success());
}

#[tokio::test]
async fn logs_are_followed_also_after_the_host_was_away() {
    let served = Served::start().await;
    let folder = tempfile::tempdir().unwrap();
    let developer = served.developer(folder.path());
    fs::write(folder.path().join("bot.wasm"), hoopoe_plugin_build::test_component("test-guest").unwrap()).unwrap();
    developer.works(&["push", "bot.wasm", "--activate"]).await;
    for _ in 0..3 {
        assert_eq!(developer.hears("log 1").await, "logged");
    }
    served.db.idle().await;

    let mut logs = developer.start(&["logs", "-f", "--json", "-n", "1", "--plugin", "test-guest"]);
    let shown = logs.next().await["eventId"].as_i64().unwrap();
    let away = served.killed().await;
    let served = away.started().await;
    assert_eq!(developer.hears("log 2").await, "logged");
    let mut messages = Vec::new();
    while messages.len() < 2 {
        let line = logs.next().await;
        assert!(line["eventId"].as_i64().unwrap() > shown, "{line} was shown before, or is older");
        messages.push(line["message"].as_str().unwrap().to_owned());
    }
    assert_eq!(messages, ["line 0", "line 1"]);
    assert!(served.process.terminate().await.status.success());
}
