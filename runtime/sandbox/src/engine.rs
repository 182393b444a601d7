//! The configuration of wasmtime, each setting with its reason.

use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Result};

use crate::Settings;

/// Memory of a used slot that is cleared by writing zeros and kept; what is above goes back to the system, which
/// costs a system call and page faults. Small plugins stay below, so their reuse costs microseconds.
const KEEP_RESIDENT: usize = 64 << 10;

/// A plugin made by `wit-component` has three core instances (the module, and two that tie imports) and two
/// tables. Some toolchains add a few.
const CORE_INSTANCES: u32 = 8;
const TABLES: u32 = 4;

/// Host functions run on the guest's stack, above what the guest may use.
const HOST_STACK: usize = 512 << 10;

pub(crate) fn engine(settings: &Settings) -> Result<Engine> {
    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool(settings)))
        // The same input uses the same fuel, so a limit in fuel is fair and a replay meets the same limit.
        .consume_fuel(true)
        // A long run gives its thread to others, and ends at its deadline.
        .epoch_interruption(true)
        .max_wasm_stack(settings.stack_bytes)
        .async_stack_size(settings.stack_bytes + HOST_STACK)
        // The same bits on every processor: replays compare equal.
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .wasm_relaxed_simd(false)
        // What flows do not need is not there to be attacked. Threads, garbage collection and exceptions are not
        // compiled in at all.
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_tail_call(false)
        // Flows are called, and never call back: no state for concurrent tasks in every store.
        .concurrency_support(false)
        // A failure is named by its limit or its message. Collecting frames costs time on every trap, and the
        // tables for it memory for every plugin.
        .wasm_backtrace_max_frames(None)
        .generate_address_map(false);
    Engine::new(&config)
}

fn pool(settings: &Settings) -> PoolingAllocationConfig {
    let instances = settings.max_instances;
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
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(KEEP_RESIDENT);
    pool
}
