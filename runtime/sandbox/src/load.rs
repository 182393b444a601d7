//! From bytes to a plugin that can run: what is checked, and what can be wrong.

pub(crate) mod manifest;
pub(crate) mod module;
pub(crate) mod world;

use crate::compile::Exceeded;
use crate::contract::VERSION;
use crate::{Failure, Limits};

/// Why bytes cannot be used as a plugin. The texts are for whoever uploaded them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes are no WebAssembly.
    #[error("this is no WebAssembly: it does not begin with \\0asm. Upload the .wasm file that the build has made")]
    NotWasm,
    /// The bytes are machine code.
    #[error(
        "this is machine code (an ELF file such as .cwasm), which is never accepted: upload the .wasm that it was \
         made of"
    )]
    Precompiled,
    /// There are too many bytes.
    #[error(
        "the plugin has {size} bytes; {limit} are allowed. Build it with optimisation, and strip debug information"
    )]
    TooLarge {
        /// Bytes of the upload, or of the component made of it.
        size: usize,
        /// [`Limits::component_bytes`].
        limit: usize,
    },
    /// The bytes are a core module where a component is needed.
    #[error("this is a core WebAssembly module, not a component: make one of it with `wasm-tools component new`")]
    NotComponent,
    /// A core module cannot be made into a component.
    #[error("this core module cannot become a component: {0}")]
    Componentize(String),
    /// The component exports something else than a plugin, or with other types.
    #[error("this is no plugin: {missing}")]
    WrongWorld {
        /// What is missing or different.
        missing: String,
    },
    /// The component was made for a contract that this host does not know yet.
    #[error("this plugin was made for contract {found}; it needs a newer Hoopoe; this host has {VERSION}")]
    NewerContract {
        /// The plugin's version of the contract.
        found: String,
    },
    /// The component was made for a contract that was never released.
    #[error("this plugin was made for contract {found}, which this host does not have: build it for {VERSION}")]
    UnknownContract {
        /// The plugin's version of the contract.
        found: String,
    },
    /// The component wants more of the host than plugins get.
    #[error(
        "this plugin imports what plugins do not get: {}. They get hoopoe:flow/host@{VERSION}, and of WASI 0.2 the \
         parts cli, clocks, filesystem, io, random and sockets, without any file or network. Leave out what needs \
         more; to call a service, use the action `http-request`",
        world::names(names)
    )]
    ForbiddenImport {
        /// The imports that are not there.
        names: Vec<String>,
    },
    /// The component is malformed, or uses what the sandbox does not have.
    #[error("the plugin cannot be compiled: {0}")]
    Compile(String),
    /// Compiling it takes more than is allowed.
    #[error(
        "compiling the plugin takes more than {0}, which is all it may: make the plugin, or its largest function, smaller"
    )]
    CompileLimit(Exceeded),
    /// The compiler crashed over it.
    #[error("the compiler crashed over this plugin: {0}. Build it in another way, for example without SIMD")]
    CompilerCrashed(String),
    /// The compiler cannot be started, or does not answer.
    #[error("the compiler of plugins does not work: {0}")]
    Compiler(String),
    /// Too many uploads of the same owner wait for the compiler.
    #[error(
        "{waiting} of your uploads wait for the compiler already, which takes one of yours at a time: send the next \
         when one of them is answered"
    )]
    OwnUploads {
        /// How many may wait.
        waiting: usize,
    },
    /// Too many uploads wait for the compiler.
    #[error("{waiting} uploads wait for the compiler already: try again soon")]
    Uploads {
        /// How many may wait.
        waiting: usize,
    },
    /// The plugin failed when it was asked what it is.
    #[error("the plugin cannot describe itself: {0}")]
    Describe(Failure),
    /// What the plugin says of itself is malformed.
    #[error("the plugin's manifest is malformed: {0}")]
    Manifest(String),
    /// The bytes are not those that were asked for.
    #[error("the stored component is another than {wanted}: it has the digest {found}")]
    Digest {
        /// The digest asked for, in hex.
        wanted: String,
        /// That of the bytes, in hex.
        found: String,
    },
}

impl Error {
    /// A stable name.
    pub fn code(&self) -> &'static str {
        match self {
            Error::NotWasm => "not-wasm",
            Error::Precompiled => "precompiled",
            Error::TooLarge { .. } => "too-large",
            Error::NotComponent => "not-component",
            Error::Componentize(_) => "not-componentizable",
            Error::WrongWorld { .. } => "wrong-world",
            Error::NewerContract { .. } => "newer-contract",
            Error::UnknownContract { .. } => "unknown-contract",
            Error::ForbiddenImport { .. } => "forbidden-import",
            Error::Compile(_) => "not-compilable",
            Error::CompileLimit(exceeded) => exceeded.code(),
            Error::CompilerCrashed(_) => "compiler-crashed",
            Error::Compiler(_) => "compiler-broken",
            Error::OwnUploads { .. } => "own-uploads-wait",
            Error::Uploads { .. } => "uploads-wait",
            Error::Describe(_) => "describe-failed",
            Error::Manifest(_) => "malformed-manifest",
            Error::Digest { .. } => "other-digest",
        }
    }

    /// Whether the host is at fault, not the plugin: the same bytes may load later.
    pub fn is_ours(&self) -> bool {
        match self {
            Error::Compiler(_) | Error::Digest { .. } | Error::OwnUploads { .. } | Error::Uploads { .. } => true,
            Error::Describe(failure) => matches!(failure, Failure::Busy | Failure::Internal(_)),
            _ => false,
        }
    }
}

/// Bytes before a component or module: magic number, version, layer.
const MAGIC: &[u8] = b"\0asm";
const MODULE: &[u8] = b"\0asm\x01\0\0\0";
const ELF: &[u8] = b"\x7fELF";

/// What bytes are by their beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layer {
    Module,
    Component,
}

/// What can be said before anything is compiled.
pub(crate) fn layer(bytes: &[u8], limits: &Limits) -> Result<Layer, Error> {
    let (size, limit) = (bytes.len(), limits.component_bytes);
    if size > limit {
        Err(Error::TooLarge { size, limit })
    } else if bytes.starts_with(MODULE) {
        Ok(Layer::Module)
    } else if bytes.starts_with(MAGIC) {
        Ok(Layer::Component)
    } else if bytes.starts_with(ELF) {
        Err(Error::Precompiled)
    } else {
        Err(Error::NotWasm)
    }
}
