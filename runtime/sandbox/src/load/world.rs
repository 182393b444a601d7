//! What a component exports and imports, and whether that makes it a plugin.

use wasmtime::component::{Component, Linker};

use super::Error;
use crate::contract::{Flow, IMPORTS, Template, VERSION, World};
use crate::guest::Guest;
use crate::loaded::About;
use crate::wasi;

/// Names in an error; more are counted.
const NAMES: usize = 12;

/// A component whose imports are resolved and whose exports are found.
#[derive(Clone)]
pub(crate) enum Prepared {
    Flow(Flow),
    Template(Template),
}

/// A component that is a plugin.
pub(crate) struct Linked {
    pub(crate) prepared: Prepared,
    pub(crate) world: World,
    pub(crate) contract: String,
    pub(crate) imports: Vec<String>,
    pub(crate) exports: Vec<String>,
}

/// Give a component what it may import, and find what it has to export.
pub(crate) fn link(linker: &Linker<Guest>, component: &Component) -> Result<Linked, Error> {
    let engine = linker.engine();
    let shape = component.component_type();
    let exports: Vec<String> = shape.exports(engine).map(|(name, _)| name.to_owned()).collect();
    let imports: Vec<String> = shape.imports(engine).map(|(name, _)| name.to_owned()).collect();
    let world = world(&exports)?;
    let is_allowed = |name: &String| IMPORTS.contains(&name.as_str()) || wasi::interface(name).is_some();
    let forbidden: Vec<String> = imports.iter().filter(|name| !is_allowed(name)).cloned().collect();
    if !forbidden.is_empty() {
        return Err(Error::ForbiddenImport { names: forbidden });
    }
    let wrong = |error: wasmtime::Error| Error::WrongWorld { missing: format!("{error:#}") };
    let pre = if imports.iter().any(|name| wasi::interface(name).is_some()) {
        let mut linker = linker.clone();
        wasi::link(&mut linker, component).and_then(|()| linker.instantiate_pre(component))
    } else {
        linker.instantiate_pre(component)
    };
    let pre = pre.map_err(wrong)?;
    let prepared = match world {
        World::Flow => Prepared::Flow(Flow::new(pre).map_err(wrong)?),
        World::Template => Prepared::Template(Template::new(pre).map_err(wrong)?),
    };
    Ok(Linked { prepared, world, contract: VERSION.to_owned(), imports, exports })
}

/// The world of a component with these exports.
fn world(exports: &[String]) -> Result<World, Error> {
    let version = |world: World| exports.iter().find_map(|name| name.strip_prefix(world.export()));
    let has = |world: &World| exports.iter().any(|name| name.strip_prefix(world.export()) == Some(VERSION));
    let worlds: Vec<World> = World::ALL.into_iter().filter(has).collect();
    match worlds[..] {
        [world] => Ok(world),
        [] => Err(match World::ALL.into_iter().find_map(version) {
            Some(found) if numbers(found) > numbers(VERSION) => Error::NewerContract { found: found.to_owned() },
            Some(found) => Error::UnknownContract { found: found.to_owned() },
            None => Error::WrongWorld { missing: format!("it does not export {} but {}", needed(), names(exports)) },
        }),
        _ => Err(Error::WrongWorld { missing: format!("it exports both {}: make one plugin for each", needed()) }),
    }
}

/// What a plugin exports.
fn needed() -> String {
    let export = |world: World| format!("{}{VERSION} (world {world})", world.export());
    World::ALL.map(export).join(" or ")
}

/// The numbers of a version, to compare.
fn numbers(version: &str) -> Vec<u64> {
    version.split(['.', '-', '+']).map_while(|part| part.parse().ok()).collect()
}

/// A plugin of the other world than was asked for.
pub(crate) fn other(wanted: World, about: &About) -> Error {
    let (found, export) = (about.world, wanted.export());
    Error::WrongWorld { missing: format!("this one is of the world `{found}`; {export}{VERSION} is needed here") }
}

/// Names as a text, not endless.
pub(super) fn names(names: &[String]) -> String {
    match names.len() {
        0 => "nothing".to_owned(),
        count if count > NAMES => format!("{} and {} more", names[..NAMES].join(", "), count - NAMES),
        _ => names.join(", "),
    }
}
