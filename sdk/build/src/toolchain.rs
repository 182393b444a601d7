//! Finding a compiler for the Wasm target.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Missing, TARGET, command};

/// A compiler for the Wasm target that is on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toolchain {
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// The toolchain in use has the target's standard library.
    Ready,
    /// Debian's compiler, which builds the standard library from its sources.
    FromSource { cargo: PathBuf, rustc: PathBuf, linker: PathBuf },
}

impl Toolchain {
    /// Look for a compiler: the toolchain in use when it has the target, else Debian's with the sources of the
    /// standard library. Nothing is installed or changed.
    pub fn detect() -> Result<Toolchain, Missing> {
        let mut tried = Vec::new();
        match sysroot(Path::new("rustc")) {
            Some(sysroot) if sysroot.join("lib/rustlib").join(TARGET).is_dir() => {
                return Ok(Toolchain { kind: Kind::Ready });
            }
            Some(sysroot) => tried.push(format!("the toolchain in {} has no {TARGET}", sysroot.display())),
            None => tried.push("there is no rustc in PATH".to_owned()),
        }
        match from_source() {
            Ok(kind) => Ok(Toolchain { kind }),
            Err(reason) => {
                tried.push(reason);
                Err(Missing { tried })
            }
        }
    }

    /// The cargo of this toolchain, in a clean environment.
    pub(crate) fn cargo(&self) -> Command {
        command::clean(match &self.kind {
            Kind::Ready => Path::new("cargo"),
            Kind::FromSource { cargo, .. } => cargo,
        })
    }

    /// `cargo build --release` for the target, in a clean environment; the caller adds folders.
    pub(crate) fn cargo_build(&self) -> Command {
        let mut command = self.cargo();
        match &self.kind {
            Kind::Ready => {
                command.args(["build", "--release"]);
            }
            Kind::FromSource { rustc, linker, .. } => {
                command
                    .args(["build", "--release", "-Z", "build-std=std,panic_abort"])
                    .env("RUSTC", rustc)
                    // Debian's compiler is a stable one, and `-Z build-std` is not stable yet.
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker)
                    // An outer cargo points it at the libraries of another compiler.
                    .env_remove("LD_LIBRARY_PATH");
            }
        }
        command.args(["--target", TARGET]).arg("--config").arg(short_paths());
        command
    }
}

/// Panics name the place in the source. Folders of this machine have no business in a plugin, and with them the same
/// source would have another digest on every machine.
fn short_paths() -> String {
    let cargo_home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo_home = cargo_home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).map(Path::to_owned);
    let folders = [(cargo_home.map(|home| home.join("registry/src")), "registry"), (checkout, "hoopoe")];
    let remaps: Vec<String> = folders
        .into_iter()
        .filter_map(|(folder, name)| Some(format!("--remap-path-prefix={}={name}", folder?.display())))
        .collect();
    // A list of JSON strings is one of TOML as well.
    format!("target.{TARGET}.rustflags={}", serde_json::Value::from(remaps))
}

/// Debian's compiler, or why it cannot be used.
fn from_source() -> Result<Kind, String> {
    let (cargo, rustc) = (PathBuf::from("/usr/bin/cargo"), PathBuf::from("/usr/bin/rustc"));
    if !cargo.is_file() || !rustc.is_file() {
        return Err("there is no cargo and rustc in /usr/bin".to_owned());
    }
    let sysroot = sysroot(&rustc).ok_or("the compiler in /usr/bin does not start")?;
    let library = sysroot.join("lib/rustlib/src/rust/library");
    if !library.is_dir() {
        return Err(format!("there are no sources of the standard library in {}", library.display()));
    }
    let linker = linker().ok_or("there is neither rust-lld nor wasm-ld")?;
    Ok(Kind::FromSource { cargo, rustc, linker })
}

/// A linker for Wasm: the one that comes with a rustup toolchain, else LLVM's in PATH.
fn linker() -> Option<PathBuf> {
    let rust_lld = sysroot(Path::new("rustc"))
        .and_then(|sysroot| std::fs::read_dir(sysroot.join("lib/rustlib")).ok())
        .into_iter()
        .flatten()
        .flatten()
        .map(|host| host.path().join("bin/rust-lld"))
        .find(|path| path.is_file());
    rust_lld.or_else(|| in_path(&["wasm-ld", "lld"]))
}

fn in_path(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name))).find(|path| path.is_file())
}

fn sysroot(rustc: &Path) -> Option<PathBuf> {
    let mut command = command::clean(rustc);
    if rustc.is_absolute() {
        command.env_remove("LD_LIBRARY_PATH");
    }
    let output = command.args(["--print", "sysroot"]).stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| PathBuf::from(text.trim()))
}
