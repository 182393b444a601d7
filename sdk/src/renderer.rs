//! Template renderers: plugins that turn a tenant's stored templates and values into messages.
//!
//! A renderer is a pure function, like a flow. A tenant that uploads one decides itself what the components of its
//! templates mean. This is a whole plugin:
//!
//! ```
//! use hoopoe_sdk::SendContent;
//! use hoopoe_sdk::renderer::prelude::*;
//!
//! #[derive(serde::Deserialize)]
//! struct Line {
//!     text: String,
//! }
//!
//! #[renderer(name = "shouting")]
//! fn render(request: &Request) -> RenderResult {
//!     let lines: Vec<Line> = request.components()?;
//!     let name = request.variable("name").ok_or_else(|| RenderError::missing(["name"]))?;
//!     let lines: Vec<_> = lines.iter().map(|line| line.text.to_uppercase().replace("NAME", name)).collect();
//!     Ok(SendContent::text(lines.join("\n")))
//! }
//!
//! // It is tested natively, without Wasm:
//! let hello = Request::sample("hello", r#"[{"type": "line", "text": "hello name"}]"#, [("name", "Sam")]);
//! assert_eq!(render(&hello), Ok(SendContent::text("HELLO Sam")));
//! let nobody = Request { variables: vec![], ..hello };
//! assert_eq!(render(&nobody), Err(RenderError::MissingVariables(vec!["name".into()])));
//! ```

use std::fmt::Display;
use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use crate::bindings::template::exports::hoopoe::flow::renderer::Guest;
pub use crate::bindings::template::exports::hoopoe::flow::renderer::{RenderError, Request, Template};
use crate::{Manifest, SendContent, SendText, Tenant};

/// What a renderer gives back.
pub type RenderResult = Result<SendContent, RenderError>;

/// Everything that a renderer usually needs.
pub mod prelude {
    pub use super::{RenderError, RenderResult, Renderer, Request};
    pub use crate::renderer;
}

/// A renderer, as the runtime sees it. The attribute [`renderer`](macro@crate::renderer) implements it.
pub trait Renderer {
    /// What the plugin is; its events are empty.
    fn manifest() -> Manifest;

    /// Turn a template and values into what is to be sent.
    fn render(request: &Request) -> RenderResult;
}

impl Request {
    /// A variable's value. Positional variables have the names `1`, `2` and so on.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The template's components. Those that do not fit `T` make the template invalid, with the reason.
    pub fn components<T: DeserializeOwned>(&self) -> Result<T, RenderError> {
        read("the template's components", &self.template.components)
    }

    /// The template's metadata.
    pub fn metadata<T: DeserializeOwned>(&self) -> Result<T, RenderError> {
        read("the template's metadata", &self.template.metadata)
    }

    /// The tenant's configuration of this plugin, `{}` when there is none.
    pub fn config<T: DeserializeOwned>(&self) -> Result<T, RenderError> {
        read("the plugin's configuration", &self.config)
    }

    /// For tests: a template in English with these components (JSON text), of the tenant "Hoopoe Demo".
    pub fn sample<const N: usize>(key: &str, components: &str, variables: [(&str, &str); N]) -> Self {
        let fixture = crate::testing::context();
        Request {
            tenant: Tenant { name: "Hoopoe Demo".to_owned(), ..fixture.tenant },
            template: Template {
                key: key.to_owned(),
                language: "en".to_owned(),
                version: 1,
                components: components.to_owned(),
                metadata: "{}".to_owned(),
            },
            variables: variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            now: fixture.now,
            config: "{}".to_owned(),
        }
    }
}

fn read<T: DeserializeOwned>(what: &str, json: &str) -> Result<T, RenderError> {
    serde_json::from_str(json).map_err(|error| RenderError::Invalid(format!("{what}: {error}")))
}

impl RenderError {
    /// Variables have neither value nor default.
    pub fn missing<N: Display>(names: impl IntoIterator<Item = N>) -> Self {
        RenderError::MissingVariables(names.into_iter().map(|name| name.to_string()).collect())
    }

    /// Anything else is wrong with the template or its variables; the text is for people.
    pub fn invalid(reason: impl Display) -> Self {
        RenderError::Invalid(reason.to_string())
    }
}

impl From<serde_json::Error> for RenderError {
    fn from(error: serde_json::Error) -> Self {
        RenderError::invalid(error)
    }
}

impl SendContent {
    /// A text of 1 to 4096 characters.
    pub fn text(body: impl Into<String>) -> Self {
        SendContent::Text(SendText { body: body.into(), preview_url: false })
    }
}

/// The exports of a renderer.
pub struct RendererPlugin<R>(PhantomData<R>);

impl<R: Renderer + 'static> Guest for RendererPlugin<R> {
    fn describe() -> Manifest {
        crate::plugin::report_panics();
        R::manifest()
    }

    fn render(request: Request) -> RenderResult {
        crate::plugin::report_panics();
        R::render(&request)
    }
}
