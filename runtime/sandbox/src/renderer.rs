//! A loaded template plugin and its calls.

use std::fmt;
use std::sync::Arc;

use crate::contract::renderer::{RenderError, Request};
use crate::contract::{Manifest, SendContent, Template};
use crate::guest::{Moment, cut};
use crate::loaded::{About, Inner};
use crate::run::{Started, run};
use crate::{Digest, Failure, Owner, Run};

/// Names in [`Failure::MissingVariables`].
const MISSING_NAMES: usize = 100;
/// Bytes of one of them.
const MISSING_NAME_BYTES: usize = 256;

/// A template plugin that is compiled and ready to render. Cheap to clone.
#[derive(Clone)]
pub struct Renderer {
    inner: Arc<Inner<Template>>,
}

impl fmt::Debug for Renderer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Manifest { name, version, .. } = self.manifest();
        write!(f, "Renderer({name} {version}, {})", self.digest())
    }
}

impl Renderer {
    pub(crate) fn new(inner: Inner<Template>) -> Self {
        Renderer { inner: Arc::new(inner) }
    }

    pub(crate) fn about(&self) -> &About {
        &self.inner.about
    }

    pub(crate) fn code_bytes(&self) -> usize {
        self.inner.code_bytes
    }

    /// SHA-256 of the component.
    pub fn digest(&self) -> &Digest {
        &self.inner.digest
    }

    /// What the plugin says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.inner.about.manifest
    }

    /// Render one template in a fresh instance. The same request gives the same result and uses the same fuel.
    ///
    /// A template that lacks values is [`Failure::MissingVariables`], one that cannot be rendered
    /// [`Failure::Invalid`]; what exceeds a limit fails as in a flow.
    pub async fn render(&self, owner: Owner, request: Request) -> Run<SendContent> {
        let limits = &self.inner.core.settings.limits;
        let moment = Moment { now: request.now, seed: 0 };
        let (inner, request) = (Arc::clone(&self.inner), Arc::new(request));
        let call = move |mut started: Started| {
            let (inner, request) = (Arc::clone(&inner), Arc::clone(&request));
            async move {
                let result = inner.prepared.render(&mut started.store, &request).await;
                started.leave(result)
            }
        };
        run(&self.inner.core, owner, moment, call).await.and_then(|rendered| match rendered {
            Ok(SendContent::Stored(_)) => {
                Err(Failure::Trap("it rendered `stored`, which stands for a template, not for a message".to_owned()))
            }
            Ok(content) => Ok(content),
            Err(RenderError::MissingVariables(mut names)) => {
                names.truncate(MISSING_NAMES);
                let names = names.into_iter().map(|name| cut(name, MISSING_NAME_BYTES)).collect();
                Err(Failure::MissingVariables(names))
            }
            Err(RenderError::Invalid(reason)) => Err(Failure::Invalid(cut(reason, limits.log_line_bytes))),
        })
    }
}
