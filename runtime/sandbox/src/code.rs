//! Machine code that this process may run.
//!
//! Loading it is the one thing in Hoopoe that the compiler of Rust cannot check: whoever writes machine code that
//! is loaded can do everything that this process can. So it has one type, and few ways to be made.

use wasmtime::component::Component;
use wasmtime::{Engine, Result};

/// Machine code of a component, made by wasmtime's compiler and unchanged since.
pub(crate) struct Code(Vec<u8>);

impl Code {
    /// Compile a component in this process.
    pub(crate) fn compile(engine: &Engine, component: &[u8]) -> Result<Code> {
        Code::machine_code(engine, component).map(Code)
    }

    /// Compile a component, to be sent to another process.
    pub(crate) fn machine_code(engine: &Engine, component: &[u8]) -> Result<Vec<u8>> {
        engine.precompile_component(component)
    }

    /// What a compiling process has answered. For the one caller who started that process, read from its pipe and
    /// checked the answer's tag.
    pub(crate) fn of_child(bytes: Vec<u8>) -> Code {
        Code(bytes)
    }

    /// What was read from the cache. For the one caller who checked its tag.
    pub(crate) fn of_cache(bytes: Vec<u8>) -> Code {
        Code(bytes)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Make it executable. Fails when it was compiled by another version of wasmtime or with other settings.
    #[allow(unsafe_code)]
    pub(crate) fn load(&self, engine: &Engine) -> Result<Component> {
        // SAFETY: the bytes have to be what `Engine::precompile_component` wrote. They come from there directly;
        // or through the pipe of a process that we started with our own program, with a tag under a key that only
        // that process got; or from a file with a tag under the operator's key, written by one of the former. They
        // are in memory that nobody else can write to. wasmtime itself compares version and settings.
        unsafe { Component::deserialize(engine, &self.0) }
    }
}
