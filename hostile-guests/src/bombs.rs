//! Uploads that are small, or just small enough, and mean much work for a compiler.
//!
//! They are no plugins: whether a component is one can only be said when it is compiled.

use std::iter::repeat_n;

use wasm_encoder::{
    BlockType, CodeSection, Component, ComponentExportKind, ComponentExportSection, ComponentSection, ConstExpr,
    CustomSection, DataSection, ElementSection, Elements, Function, FunctionSection, MemorySection, MemoryType, Module,
    ModuleSection, RefType, TableSection, TableType, TypeSection, ValType,
};

/// The most locals that a function can have.
const LOCALS: u32 = 50_000;

/// `count` functions that do nothing.
pub fn many_functions(count: u32) -> Vec<u8> {
    functions(repeat_n(Function::new([]), count as usize).map(|mut function| {
        function.instructions().end();
        function
    }))
}

/// `count` functions with 50,000 locals each, which take a few bytes: a function says how many, not which.
pub fn many_locals(count: u32) -> Vec<u8> {
    functions((0..count).map(|_| {
        let mut function = Function::new([(LOCALS - 1, ValType::I64)]);
        function.instructions().local_get(1).drop().end();
        function
    }))
}

/// One function that adds `count` times to what nobody can foresee.
pub fn huge_function(count: u32) -> Vec<u8> {
    let mut function = Function::new([(1, ValType::I32)]);
    let memory = wasm_encoder::MemArg { offset: 0, align: 2, memory_index: 0 };
    for _ in 0..count {
        function.instructions().local_get(0).local_get(0).i32_load(memory).i32_add().local_set(0);
    }
    function.instructions().end();
    functions([function])
}

/// One function of `depth` blocks, each in the one before.
pub fn deep_blocks(depth: u32) -> Vec<u8> {
    let mut function = Function::new([(1, ValType::I32)]);
    for _ in 0..depth {
        function.instructions().block(BlockType::Empty).local_get(0).br_if(0);
    }
    for _ in 0..=depth {
        function.instructions().end();
    }
    functions([function])
}

/// One function of nested loops, each of which changes every local: a compiler that follows values has to join all of
/// them in all of the loops.
pub fn joins(loops: u32, locals: u32) -> Vec<u8> {
    let mut function = Function::new([(locals, ValType::I32)]);
    for turn in 0..loops {
        function.instructions().loop_(BlockType::Empty).local_get(turn % locals).br_if(0);
    }
    for local in 0..locals {
        function.instructions().local_get(local).i32_const(1).i32_add().local_set(local);
    }
    for turn in 0..=loops {
        if turn < loops {
            function.instructions().local_get(turn % locals).br_if(turn % (loops - turn));
        }
        function.instructions().end();
    }
    functions([function])
}

/// `count` jump tables with 60,000 targets each.
pub fn jump_tables(count: u32) -> Vec<u8> {
    const DEPTH: u32 = 200;
    let targets: Vec<u32> = (0..60_000).map(|target| target % DEPTH).collect();
    let mut function = Function::new([(1, ValType::I32)]);
    for _ in 0..count {
        for _ in 0..DEPTH {
            function.instructions().block(BlockType::Empty);
        }
        function.instructions().local_get(0).br_table(targets.iter().copied(), 0);
        for _ in 0..DEPTH {
            function.instructions().end();
        }
    }
    function.instructions().end();
    functions([function])
}

/// `count` times the same type.
pub fn repeated_types(count: u32) -> Vec<u8> {
    let mut types = TypeSection::new();
    for _ in 0..count {
        types.ty().function([], []);
    }
    let mut module = Module::new();
    module.section(&types);
    wrapped(&module)
}

/// A byte at the end of 4 GiB, and a table of 10 million elements of which the last is set.
pub fn sparse_data() -> Vec<u8> {
    let (mut memories, mut tables) = (MemorySection::new(), TableSection::new());
    let memory = MemoryType { minimum: 65536, maximum: None, memory64: false, shared: false, page_size_log2: None };
    memories.memory(memory);
    tables.table(TableType {
        element_type: RefType::FUNCREF,
        table64: false,
        minimum: 10_000_000,
        maximum: None,
        shared: false,
    });
    let (mut elements, mut data) = (ElementSection::new(), DataSection::new());
    elements.active(None, &ConstExpr::i32_const(9_999_999), Elements::Functions([0][..].into()));
    data.active(0, &ConstExpr::i32_const(-1), [1]);
    let (types, declared, code) = sections([empty()]);
    let mut module = Module::new();
    module.section(&types).section(&declared).section(&tables).section(&memories).section(&elements);
    module.section(&code).section(&data);
    wrapped(&module)
}

/// Components in components.
pub fn nested_components(depth: u32) -> Vec<u8> {
    let mut component = Component::new();
    for _ in 0..depth {
        let mut outer = Component::new();
        outer.section(&wasm_encoder::NestedComponentSection(&component));
        component = outer;
    }
    component.finish()
}

/// A plugin that exports `count` things more than it has to.
pub fn many_exports(plugin: &[u8], count: u32) -> Vec<u8> {
    let mut exports = ComponentExportSection::new();
    for number in 0..count {
        exports.export(format!("more{number}"), ComponentExportKind::Instance, 0, None);
    }
    appended(plugin, &exports)
}

/// A plugin with so many bytes that mean nothing.
pub fn padded(plugin: &[u8], bytes: usize) -> Vec<u8> {
    appended(plugin, &CustomSection { name: "padding".into(), data: vec![0; bytes].into() })
}

fn appended(component: &[u8], section: &impl ComponentSection) -> Vec<u8> {
    let mut bytes = component.to_vec();
    section.append_to_component(&mut bytes);
    bytes
}

fn empty() -> Function {
    let mut function = Function::new([]);
    function.instructions().end();
    function
}

fn sections(bodies: impl IntoIterator<Item = Function>) -> (TypeSection, FunctionSection, CodeSection) {
    let (mut types, mut functions, mut code) = (TypeSection::new(), FunctionSection::new(), CodeSection::new());
    types.ty().function([], []);
    for body in bodies {
        functions.function(0);
        code.function(&body);
    }
    (types, functions, code)
}

/// A component with a module of these functions, and a page of memory.
fn functions(bodies: impl IntoIterator<Item = Function>) -> Vec<u8> {
    let (types, functions, code) = sections(bodies);
    let mut memories = MemorySection::new();
    memories.memory(MemoryType { minimum: 1, maximum: None, memory64: false, shared: false, page_size_log2: None });
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&memories).section(&code);
    wrapped(&module)
}

fn wrapped(module: &Module) -> Vec<u8> {
    let mut component = Component::new();
    component.section(&ModuleSection(module));
    component.finish()
}
