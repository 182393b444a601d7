//! Where this checkout lies, and small things that several commands need from the machine.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use anyhow::{Context, Result};

/// The root of the checkout. Cargo says where that is when it starts a program: a binary in a target folder that was
/// moved, or is shared between checkouts, knows only where it was compiled.
pub fn root() -> &'static Path {
    static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
        let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        Path::new(&package).parent().expect("xtask lies below the root").to_owned()
    });
    &ROOT
}

/// A folder of this checkout for what the commands keep; not in git.
pub fn state_dir() -> Result<PathBuf> {
    let dir = root().join(".hoopoe");
    fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    Ok(dir)
}

/// `DATABASE_URL` of the environment, when it is set and not empty.
pub fn database_url() -> Option<String> {
    std::env::var("DATABASE_URL").ok().filter(|url| !url.trim().is_empty())
}

/// `bytes` random bytes in hexadecimal.
pub fn random_hex(bytes: usize) -> Result<String> {
    let mut random = vec![0; bytes];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut random))
        .context("cannot read /dev/urandom")?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A port that nothing listens on now. Another program may take it before it is used.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free on 127.0.0.1")?;
    Ok(listener.local_addr()?.port())
}

/// Whether a server could listen on the port, on this machine's own address and on all addresses.
pub fn is_free(port: u16) -> bool {
    [Ipv4Addr::LOCALHOST, Ipv4Addr::UNSPECIFIED].iter().all(|address| TcpListener::bind((*address, port)).is_ok())
}

/// The port itself when it is free, else another one.
pub fn port_near(port: u16) -> Result<u16> {
    if is_free(port) { Ok(port) } else { free_port() }
}

/// Replace a file as a whole; only its owner can read it.
pub fn write_secret(path: &Path, content: &str) -> Result<()> {
    let temporary = path.with_extension("new");
    let write = || {
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(content.as_bytes())?;
        fs::rename(&temporary, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_not_free() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let taken = listener.local_addr().expect("an address").port();
        assert!(!is_free(taken));
        assert_ne!(port_near(taken).expect("another port"), taken);
    }

    #[test]
    fn random_is_long_enough_and_not_twice_the_same() {
        let (one, two) = (random_hex(24).expect("random"), random_hex(24).expect("random"));
        assert_eq!(one.len(), 48);
        assert_ne!(one, two);
    }
}
