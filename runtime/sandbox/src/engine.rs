//! The configuration of wasmtime, each setting with its reason.

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Result};

use crate::Settings;

/// Memory of a used slot that is restored by copying and kept: pages that were written, as far as the system can tell
/// (Linux 6.7 and later). What is more goes back to the system, which costs a system call, page faults, and a word to
/// every processor that runs this process. Small plugins write less, so that their reuse costs microseconds.
const KEEP_WRITTEN: usize = 256 << 10;
/// The same where the system cannot tell: the first pages, written or not.
const KEEP_FIRST: usize = 64 << 10;

/// A plugin made by `wit-component` has three core instances (the module, and two that tie imports) and two
/// tables. One with an interpreter in it is linked of many modules when it starts; they share a memory and a table.
const CORE_INSTANCES: u32 = 64;
const TABLES: u32 = 4;

/// Host functions run on the guest's stack, above what the guest may use.
const HOST_STACK: usize = 512 << 10;

/// An engine that runs plugins.
pub(crate) fn runner(settings: &Settings) -> Result<Engine> {
    let mut config = compiled_alike();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool(settings)))
        .max_wasm_stack(settings.stack_bytes)
        .async_stack_size(settings.stack_bytes + HOST_STACK);
    Engine::new(&config)
}

/// An engine that only compiles, for the process that does nothing else. It reserves no addresses, so that the process'
/// limits are all for the plugin. How many threads it takes is said in its environment, by `RAYON_NUM_THREADS`: whoever
/// saves a flow waits for it, and the limit of processor time counts them all.
pub(crate) fn compiler() -> Result<Engine> {
    Engine::new(&compiled_alike())
}

/// What has to be the same where code is made and where it runs.
fn compiled_alike() -> Config {
    let mut config = Config::new();
    config
        // The same input uses the same fuel, so a limit in fuel is fair and a replay meets the same limit.
        .consume_fuel(true)
        // A long run gives its thread to others, and ends at its deadline.
        .epoch_interruption(true)
        // The same bits on every processor: replays compare equal.
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .wasm_relaxed_simd(false)
        // What flows do not need is not there to be attacked. Threads, garbage collection and exceptions are not
        // compiled in at all.
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_tail_call(false)
        .wasm_wide_arithmetic(false)
        .wasm_custom_page_sizes(false)
        // Flows are called, and never call back: no state for concurrent tasks in every store.
        .concurrency_support(false)
        // A failure is named by its limit or its message. Collecting frames costs time on every trap, and the
        // tables for it memory for every plugin.
        .wasm_backtrace_max_frames(None)
        .generate_address_map(false);
    config
}

fn pool(settings: &Settings) -> PoolingAllocationConfig {
    let instances = settings.max_instances;
    let keep = if PoolingAllocationConfig::is_pagemap_scan_available() { KEEP_WRITTEN } else { KEEP_FIRST };
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(CORE_INSTANCES))
        .total_memories(instances)
        .total_tables(instances.saturating_mul(TABLES))
        .total_stacks(instances)
        .max_core_instances_per_component(CORE_INSTANCES)
        // So that no plugin can take the slots of others.
        .max_memories_per_component(1)
        .max_tables_per_component(TABLES)
        .max_tables_per_module(TABLES)
        .max_memory_size(settings.limits.memory_bytes)
        .table_elements(settings.limits.table_elements)
        .pagemap_scan(Enabled::Auto)
        .linear_memory_keep_resident(keep)
        .table_keep_resident(keep);
    pool
}

#[cfg(test)]
mod tests {
    use std::hash::{DefaultHasher, Hash, Hasher};

    use super::*;
    use crate::code::Code;

    #[test]
    fn code_of_the_compiling_engine_runs_in_the_running_one() {
        let hash = |engine: &Engine| {
            let mut hasher = DefaultHasher::new();
            engine.precompile_compatibility_hash().hash(&mut hasher);
            hasher.finish()
        };
        let (compiler, runner) = (compiler().expect("it starts"), runner(&Settings::default()).expect("it starts"));
        assert_eq!(hash(&compiler), hash(&runner));
        let component = hoopoe_plugin_build::test_component("auto-reply").expect("the plugin builds");
        let code = Code::of_child(Code::machine_code(&compiler, &component).expect("it compiles"));
        code.load(&runner).expect("the running engine takes it");
    }
}
