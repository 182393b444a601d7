//! What is known of a plugin, as JSON.

use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::contract::{EventKind, Manifest, World};
use crate::loaded::About;

#[derive(Serialize, Deserialize)]
struct Kept {
    world: String,
    contract: String,
    imports: Vec<String>,
    exports: Vec<String>,
    name: String,
    version: String,
    events: Vec<String>,
    config_schema: Option<String>,
    compile_micros: u64,
}

const EVENTS: [(EventKind, &str); 5] = [
    (EventKind::Message, "message"),
    (EventKind::Status, "status"),
    (EventKind::Timer, "timer"),
    (EventKind::HttpResponse, "http-response"),
    (EventKind::Other, "other"),
];

pub(super) fn encode(about: &About) -> io::Result<Vec<u8>> {
    let name_of = |kind: &EventKind| EVENTS.iter().find(|(known, _)| known == kind).map(|(_, name)| (*name).to_owned());
    let About { world, contract, imports, exports, manifest, compile_time } = about.clone();
    let Manifest { name, version, events, config_schema } = manifest;
    let events = events.iter().filter_map(name_of).collect();
    let compile_micros = u64::try_from(compile_time.as_micros()).unwrap_or(u64::MAX);
    let world = world.name().to_owned();
    let kept = Kept { world, contract, imports, exports, name, version, events, config_schema, compile_micros };
    serde_json::to_vec(&kept).map_err(io::Error::other)
}

pub(super) fn decode(bytes: &[u8]) -> Result<About, String> {
    let kept: Kept = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let kind_of = |name: &String| EVENTS.iter().find(|(_, known)| known == name).map(|(kind, _)| *kind);
    let Kept { contract, imports, exports, name, version, config_schema, .. } = kept;
    let world = World::ALL.into_iter().find(|world| world.name() == kept.world).ok_or("it is of an unknown world")?;
    let events =
        kept.events.iter().map(|name| kind_of(name).ok_or("it wants unknown events")).collect::<Result<_, _>>()?;
    let manifest = Manifest { name, version, events, config_schema };
    let compile_time = Duration::from_micros(kept.compile_micros);
    Ok(About { world, contract, imports, exports, manifest, compile_time })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_was_written() {
        let about = About {
            world: World::Template,
            contract: "0.1.0".to_owned(),
            imports: vec!["a".to_owned()],
            exports: vec!["b".to_owned(), "c".to_owned()],
            manifest: Manifest {
                name: "x".to_owned(),
                version: "1.0.0".to_owned(),
                events: EVENTS.map(|(kind, _)| kind).to_vec(),
                config_schema: Some("{}".to_owned()),
            },
            compile_time: Duration::from_micros(1234),
        };
        let bytes = encode(&about).expect("it is JSON");
        assert_eq!(decode(&bytes), Ok(about));
        assert!(decode(b"{}").is_err());
    }
}
