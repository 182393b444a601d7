//! A new project: it builds, its test passes, and a broken one is told.

use std::fs;

use crate::support::Developer;

#[tokio::test]
async fn a_new_project_passes_its_test_and_loads_in_the_sandbox() {
    let folder = tempfile::tempdir().unwrap();
    let developer = Developer::alone(folder.path());
    let made = developer.works(&["new", "fresh-bot"]).await;
    assert!(made.out.contains("cd fresh-bot"), "{made:?}");
    let project = developer.within(&folder.path().join("fresh-bot"));

    let formatted = std::process::Command::new("cargo").args(["fmt", "--check"]).current_dir(&project.folder).status();
    assert!(formatted.unwrap().success(), "a new project is formatted");
    let tested = project.works(&["test", "--json"]).await.json();
    assert_eq!((&tested["name"], &tested["version"]), (&"fresh-bot".into(), &"0.1.0".into()), "{tested}");
    assert_eq!(tested["events"], serde_json::json!(["message"]));
    let built = project.works(&["build", "--json"]).await.json();
    assert_eq!(built["path"], tested["path"]);
    let component = fs::read(built["path"].as_str().unwrap()).unwrap();
    assert_eq!(component.len() as u64, built["size"].as_u64().unwrap());

    let again = developer.run(&["new", "fresh-bot"]).await;
    assert_eq!(again.code, 2, "{again:?}");

    let flow = project.folder.join("src/lib.rs");
    let source = fs::read_to_string(&flow).unwrap();
    fs::write(&flow, source.replace("You said", "You wrote")).unwrap();
    let failing = project.run(&["test"]).await;
    assert_eq!(failing.code, 1, "{failing:?}");
    assert!(failing.err.contains("the tests failed"), "{failing:?}");
    // Right as a native program, and wrong as a plugin.
    let native = r#"if cfg!(target_arch = "wasm32") { "You wrote" } else { "You said" }"#;
    let text =
        source.replace(r#""You said: {}"#, r#""{}: {}"#).replace(", text.body", &format!(", {native}, text.body"));
    fs::write(&flow, text).unwrap();
    let compiled = project.run(&["test"]).await;
    assert_eq!(compiled.code, 1, "{compiled:?}");
    assert!(compiled.err.contains("but they failed with the compiled plugin"), "{compiled:?}");
    assert!(compiled.out.contains("the flow replied with something else"), "{compiled:?}");
    fs::write(&flow, source.replace("Outcome::reply(format", "Outcome::repl(format")).unwrap();
    let broken = project.run(&["build"]).await;
    assert_eq!(broken.code, 1, "{broken:?}");
    assert!(broken.err.contains("error[E0599]") && broken.err.contains("src/lib.rs:"), "{broken:?}");
}
