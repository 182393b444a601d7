//! A closed WASI 0.2, for guests whose language cannot do without.
//!
//! It is written by hand, and small: there are no files, sockets, arguments and variables in it that could be
//! reached by mistake. Standard output and error go to the plugin's log. The clocks show the event's moment; the
//! monotonic one advances only by what the guest sleeps, which takes no time. Random numbers come from the event's
//! seed. So a guest with WASI is as deterministic as one without.
//!
//! Functions that nobody can call with success, since what they need does not exist, trap.

mod cli;
mod clocks;
mod io;
mod network;
mod random;

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, LinkerInstance, ResourceType};
use wasmtime::{Result, StoreContextMut, Trap};

use self::io::Pollables;
use self::random::Random;
use crate::contract::Level;
use crate::guest::{Guest, Moment};

/// The interfaces of the closed WASI, with the resources that each of them defines and nobody can have.
const INTERFACES: [(&str, &[&str]); 27] = [
    ("wasi:cli/environment", &[]),
    ("wasi:cli/exit", &[]),
    ("wasi:cli/stderr", &[]),
    ("wasi:cli/stdin", &[]),
    ("wasi:cli/stdout", &[]),
    ("wasi:cli/terminal-input", &["terminal-input"]),
    ("wasi:cli/terminal-output", &["terminal-output"]),
    ("wasi:cli/terminal-stderr", &[]),
    ("wasi:cli/terminal-stdin", &[]),
    ("wasi:cli/terminal-stdout", &[]),
    ("wasi:clocks/monotonic-clock", &[]),
    ("wasi:clocks/wall-clock", &[]),
    ("wasi:filesystem/preopens", &[]),
    ("wasi:filesystem/types", &["descriptor", "directory-entry-stream"]),
    ("wasi:io/error", &["error"]),
    ("wasi:io/poll", &[]),
    ("wasi:io/streams", &[]),
    ("wasi:random/insecure", &[]),
    ("wasi:random/insecure-seed", &[]),
    ("wasi:random/random", &[]),
    ("wasi:sockets/instance-network", &[]),
    ("wasi:sockets/ip-name-lookup", &["resolve-address-stream"]),
    ("wasi:sockets/network", &["network"]),
    ("wasi:sockets/tcp", &["tcp-socket"]),
    ("wasi:sockets/tcp-create-socket", &[]),
    ("wasi:sockets/udp", &["udp-socket", "incoming-datagram-stream", "outgoing-datagram-stream"]),
    ("wasi:sockets/udp-create-socket", &[]),
];

/// What a resource is that no guest can have, except for a network that leads nowhere.
struct Nothing;

/// What the host keeps for one guest.
pub(crate) struct Wasi {
    moment: Moment,
    /// What the guest has slept, in nanoseconds.
    slept: u64,
    random: Random,
    pollables: Pollables,
    /// The unfinished lines of standard output and error.
    output: Vec<u8>,
    error: Vec<u8>,
}

impl Wasi {
    pub(crate) fn new(moment: Moment) -> Self {
        let random = Random::new(moment.seed);
        Wasi { moment, slept: 0, random, pollables: Pollables::default(), output: Vec::new(), error: Vec::new() }
    }

    /// The unfinished line of standard output ([`Level::Info`]) or error.
    pub(crate) fn line(&mut self, level: Level) -> &mut Vec<u8> {
        if level == Level::Info { &mut self.output } else { &mut self.error }
    }
}

/// The name of a WASI 0.2 interface without its version, when it is in the closed WASI.
pub(crate) fn interface(import: &str) -> Option<&'static str> {
    let (name, version) = import.split_once('@')?;
    let known = INTERFACES.iter().find(|(known, _)| *known == name)?;
    version.starts_with("0.2.").then_some(known.0)
}

/// Give a component the interfaces of the closed WASI that it imports, under the versions that it names.
pub(crate) fn link(linker: &mut Linker<Guest>, component: &Component) -> Result<()> {
    let engine = linker.engine().clone();
    // What is there is defined over what is not.
    linker.allow_shadowing(true);
    for (import, item) in component.component_type().imports(&engine) {
        let (Some(name), ComponentItem::ComponentInstance(instance)) = (interface(import), item.ty) else { continue };
        let mut to = linker.instance(import)?;
        for (function, item) in instance.exports(&engine) {
            if let ComponentItem::ComponentFunc(_) = item.ty {
                let what = format!("{name}#{function}");
                to.func_new(function, move |_, _, _, _| wasmtime::bail!("there is no {what} in the sandbox"))?;
            }
        }
        for (_, resources) in INTERFACES.iter().filter(|(known, _)| *known == name) {
            for resource in *resources {
                to.resource(resource, ResourceType::host::<Nothing>(), |_, _| Ok(()))?;
            }
        }
        define(name, &mut to)?;
    }
    Ok(())
}

fn define(name: &str, to: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    match name {
        "wasi:cli/environment" => cli::environment(to),
        "wasi:cli/exit" => cli::exit(to),
        "wasi:cli/stdin" => cli::stdin(to),
        "wasi:cli/stdout" => cli::stdout(to),
        "wasi:cli/stderr" => cli::stderr(to),
        "wasi:cli/terminal-stdin" => cli::no_terminal(to, "get-terminal-stdin"),
        "wasi:cli/terminal-stdout" => cli::no_terminal(to, "get-terminal-stdout"),
        "wasi:cli/terminal-stderr" => cli::no_terminal(to, "get-terminal-stderr"),
        "wasi:clocks/monotonic-clock" => clocks::monotonic(to),
        "wasi:clocks/wall-clock" => clocks::wall(to),
        "wasi:filesystem/preopens" => cli::preopens(to),
        "wasi:io/poll" => io::poll(to),
        "wasi:io/streams" => io::streams(to),
        "wasi:random/random" => random::random(to, "get-random-bytes", "get-random-u64"),
        "wasi:random/insecure" => random::random(to, "get-insecure-random-bytes", "get-insecure-random-u64"),
        "wasi:random/insecure-seed" => random::seed(to),
        "wasi:sockets/instance-network" => network::instance(to),
        "wasi:sockets/ip-name-lookup" => network::lookup(to),
        "wasi:sockets/tcp-create-socket" => network::create(to, "create-tcp-socket"),
        "wasi:sockets/udp-create-socket" => network::create(to, "create-udp-socket"),
        _ => Ok(()),
    }
}

/// Fuel for a call of the host.
const CALL: u64 = 100;

/// Let the guest pay for a call of the host that works on so many bytes.
fn charge(store: &mut StoreContextMut<'_, Guest>, bytes: usize) -> Result<()> {
    let left = store.get_fuel()?.checked_sub(CALL + bytes as u64).ok_or(Trap::OutOfFuel)?;
    store.set_fuel(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_is_known_by_name_and_version() {
        assert_eq!(interface("wasi:cli/stdout@0.2.0"), Some("wasi:cli/stdout"));
        assert_eq!(interface("wasi:cli/stdout@0.2.12"), Some("wasi:cli/stdout"));
        for other in ["wasi:cli/stdout@0.3.0", "wasi:cli/stdout@0.20.0", "wasi:cli/stdout", "wasi:http/types@0.2.0"] {
            assert_eq!(interface(other), None, "{other}");
        }
    }
}
