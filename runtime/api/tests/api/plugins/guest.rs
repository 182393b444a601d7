//! Small flows written for one test: their manifest is the test's, and they leave an empty outcome.

use std::path::Path;

use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// What a flow says of itself.
pub struct Guest {
    /// Name in the manifest.
    pub name: &'static str,
    /// Version in the manifest.
    pub version: &'static str,
    /// JSON Schema of its configuration.
    pub schema: Option<String>,
}

/// Where the guest's memory has its data, and from where it hands out memory.
const DATA: usize = 1024;
const HEAP: usize = 512 * 1024;

impl Guest {
    /// The core module, without its WIT.
    pub fn bare(&self) -> Vec<u8> {
        let mut data: Vec<u8> = Vec::new();
        let mut text = |text: &str| {
            let place = (DATA + data.len()) as u32;
            data.extend(text.as_bytes());
            [place.to_le_bytes(), (text.len() as u32).to_le_bytes()].concat()
        };
        let (name, version) = (text(self.name), text(self.version));
        let events = text("\0");
        let schema = self.schema.as_deref().map(&mut text);
        data.resize(data.len().next_multiple_of(8), 0);
        // A manifest by the canonical ABI: three lists and an option of a list.
        let manifest = DATA + data.len();
        for part in [name, version, events] {
            data.extend(part);
        }
        data.extend([u8::from(schema.is_some()), 0, 0, 0]);
        data.extend(schema.unwrap_or_else(|| vec![0; 8]));
        // An outcome without actions that keeps the state, and a state that became empty: all is zero.
        data.resize(data.len().next_multiple_of(8), 0);
        let nothing = DATA + data.len();
        data.extend([0; 64]);
        assert!(DATA + data.len() < HEAP);
        let data: String = data.iter().map(|byte| format!("\\{byte:02x}")).collect();
        let handler = "hoopoe:flow/handler@0.1.0#";
        let wat = format!(
            r#"(module
                (memory (export "memory") 16)
                (global $free (mut i32) (i32.const {HEAP}))
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local i32)
                    (local.set 4 (i32.and
                        (i32.add (global.get $free) (i32.sub (local.get 2) (i32.const 1)))
                        (i32.sub (i32.const 0) (local.get 2))))
                    (global.set $free (i32.add (local.get 4) (local.get 3)))
                    (local.get 4))
                (func (export "{handler}describe") (result i32) (i32.const {manifest}))
                (func (export "{handler}on-event") (param i32) (result i32) (i32.const {nothing}))
                (func (export "{handler}migrate-state") (param i32 i32 i32 i32) (result i32) (i32.const {nothing}))
                (data (i32.const {DATA}) "{data}"))"#
        );
        wat::parse_str(wat).unwrap()
    }

    /// The core module, carrying its WIT.
    pub fn core(&self) -> Vec<u8> {
        let mut module = self.bare();
        let mut resolve = Resolve::default();
        let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/flow-0.1.0");
        let (package, _) = resolve.push_path(wit).unwrap();
        let world = resolve.select_world(&[package], Some("flow")).unwrap();
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        module
    }

    /// The component.
    pub fn component(&self) -> Vec<u8> {
        hoopoe_plugin_build::componentize(&self.core()).unwrap()
    }
}

/// A component without a manifest's schema.
pub fn plain(version: &'static str) -> Vec<u8> {
    Guest { name: "guest", version, schema: None }.component()
}
