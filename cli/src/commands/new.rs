//! `hoopoe new`: a project with a flow of ten lines and its test.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use crate::Error;
use crate::output::Output;
use crate::settings::checkout;

const EXAMPLES: &str = "\
Examples:
  hoopoe new my-bot
  hoopoe new bots/greeter --sdk ../hoopoe/sdk
  hoopoe new my-bot --sdk https://git.example.com/hoopoe.git";

/// Make a new plugin: a project that builds and passes its test
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// The project's folder; its last part is the plugin's name
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Take the SDK from this folder, or from the git repository at this URL; without it from the checkout that this
    /// program was built from
    #[arg(long, value_name = "PATH|URL")]
    sdk: Option<String>,
    #[command(flatten)]
    output: Output,
}

/// Names that the project's code could not be compiled with.
const TAKEN: &[&str] = &[
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "flow",
    "fn",
    "for",
    "gen",
    "hoopoe_sdk",
    "if",
    "impl",
    "in",
    "let",
    "log",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "pub",
    "ref",
    "return",
    "self",
    "serde",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "testing",
    "tests",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
];

/// The files of a project; `{{name}}`, `{{ident}}`, `{{sdk}}` and `{{rust}}` are filled in.
const FILES: [(&str, &str); 6] = [
    ("Cargo.toml", include_str!("new/template/Cargo.toml.in")),
    ("README.md", include_str!("new/template/README.md.in")),
    (".gitignore", include_str!("new/template/gitignore.in")),
    ("src/lib.rs", include_str!("new/template/lib.rs.in")),
    ("src/tests.rs", include_str!("new/template/tests.rs.in")),
    ("events/hello.json", include_str!("new/template/hello.json.in")),
];

impl Options {
    /// How to print.
    pub fn output(&self) -> Output {
        self.output
    }
}

/// Make the project.
pub fn run(options: &Options) -> Result<(), Error> {
    let folder = &options.folder;
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    check(name)?;
    if fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Error::usage(format!("{} is there already and not empty; take another name", folder.display())));
    }
    let sdk = Sdk::choose(options.sdk.as_deref(), checkout())?;
    for (file, template) in FILES {
        write(&folder.join(file), &fill(template, name, &sdk.dependency()))?;
    }
    if let Some(lock) = sdk.lock() {
        // The versions that the SDK is tested with; cargo drops what the project does not need.
        write(&folder.join("Cargo.lock"), &lock)?;
    }
    let shown = folder.display();
    let created = json!({ "name": name, "folder": folder, "sdk": sdk.dependency() });
    options.output.show(&created, |_| {
        format!(
            "made {shown}\n\n  cd {shown}\n  hoopoe test        # its test, and the compiled plugin\n  \
             hoopoe dev         # build and reload with every save\n  hoopoe say \"hi\"    # talk to it\n\n\
             The flow is in src/lib.rs. `hoopoe dev` and `say` need a host: `cargo xtask dev` starts one."
        )
    });
    Ok(())
}

/// Where the project takes the SDK from.
#[derive(Debug, PartialEq)]
enum Sdk {
    Folder(PathBuf),
    Git(String),
}

impl Sdk {
    fn choose(given: Option<&str>, checkout: Option<PathBuf>) -> Result<Self, Error> {
        match (given, checkout) {
            (Some(url), _) if url.contains("://") => Ok(Self::Git(url.to_owned())),
            (Some(folder), _) => Self::folder(Path::new(folder)),
            (None, Some(root)) => Ok(Self::Folder(root.join("sdk"))),
            (None, None) => Err(Error::usage(
                "the project needs the SDK, and this program does not lie beside the checkout of Hoopoe that it was built \
                 from. Give the SDK as --sdk: the folder `sdk` of a checkout (`hoopoe new my-bot --sdk ../hoopoe/sdk`) or \
                 the URL of a git repository of Hoopoe. There is no published crate of it yet",
            )),
        }
    }

    fn folder(folder: &Path) -> Result<Self, Error> {
        let wrong = |why: &str| Error::usage(format!("--sdk {}: {why}", folder.display()));
        let folder = folder.canonicalize().map_err(|error| wrong(&error.to_string()))?;
        if !folder.join("src/lib.rs").is_file() || !folder.join("Cargo.toml").is_file() {
            return Err(wrong("that is not the SDK; it is the folder `sdk` of a checkout of Hoopoe"));
        }
        Ok(Self::Folder(folder))
    }

    /// As it stands in Cargo.toml.
    fn dependency(&self) -> String {
        match self {
            Self::Folder(folder) => format!("{{ path = {:?} }}", folder.to_string_lossy()),
            Self::Git(repository) => format!("{{ git = {repository:?} }}"),
        }
    }

    /// The lock file of the plugins that lie beside the SDK.
    fn lock(&self) -> Option<String> {
        match self {
            Self::Folder(folder) => fs::read_to_string(folder.parent()?.join("plugins/Cargo.lock")).ok(),
            Self::Git(_) => None,
        }
    }
}

fn check(name: &str) -> Result<(), Error> {
    crate::project::check_name(name)?;
    if !name.starts_with(|first: char| first.is_ascii_lowercase()) || TAKEN.contains(&name.replace('-', "_").as_str()) {
        return Err(Error::usage(format!(
            "{name:?} cannot be the name of a crate with a flow in it; take another name"
        )));
    }
    Ok(())
}

fn fill(template: &str, name: &str, sdk: &str) -> String {
    template
        .replace("{{name}}", name)
        .replace("{{ident}}", &name.replace('-', "_"))
        .replace("{{sdk}}", sdk)
        .replace("{{rust}}", env!("CARGO_PKG_RUST_VERSION"))
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    let write = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, text)
    };
    write().map_err(|error| Error::file(path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_not_compile_are_refused() {
        for (name, fits) in [
            ("my-bot", true),
            ("bot2", true),
            ("match", false),
            ("hoopoe-sdk", false),
            ("testing", false),
            ("2bots", false),
            ("-x", false),
            ("My", false),
            ("", false),
        ] {
            assert_eq!(check(name).is_ok(), fits, "{name}");
        }
        assert!(TAKEN.is_sorted());
    }

    #[test]
    fn nothing_is_left_to_fill_in() {
        for (file, template) in FILES {
            let text = fill(template, "my-bot", r#"{ path = "/sdk" }"#);
            assert!(!text.contains("{{"), "{file}: {text}");
        }
        let source = fill(FILES[3].1, "my-bot", "");
        let flow = source.lines().skip_while(|line| *line != "#[flow]").take_while(|line| !line.is_empty()).count();
        assert!(flow <= 11, "the flow has ten lines and the macro, not {flow}");
    }

    #[test]
    fn an_existing_folder_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let project = folder.path().join("bot");
        let options = || Options { folder: project.clone(), sdk: None, output: Output::default() };
        run(&options()).expect("made");
        let error = run(&options()).expect_err("it is there already");
        assert_eq!(error.code(), 2);
        assert!(project.join("src/tests.rs").is_file() && project.join(".gitignore").is_file());
    }

    #[test]
    fn the_sdk_is_what_was_given() {
        let root = checkout().expect("tests run in a checkout");
        let sdk = root.join("sdk");
        let text = sdk.to_string_lossy();
        assert_eq!(Sdk::choose(None, Some(root)), Ok(Sdk::Folder(sdk.clone())));
        assert_eq!(Sdk::choose(Some(text.as_ref()), None), Ok(Sdk::Folder(sdk.clone())));
        let git = Sdk::choose(Some("https://x/y"), checkout()).expect("a repository");
        assert_eq!(git.dependency(), r#"{ git = "https://x/y" }"#);
        for (given, words) in
            [(Some("/"), "that is not the SDK"), (Some("/nowhere"), "/nowhere"), (None, "--sdk ../hoopoe/sdk")]
        {
            let error = Sdk::choose(given, None).expect_err(words);
            assert!(error.to_string().contains(words), "{error}");
            assert_eq!(error.code(), 2);
        }
    }
}
