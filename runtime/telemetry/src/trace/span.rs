//! A piece of a message's way.

use std::fmt::Display;

use opentelemetry::trace::{Span as _, SpanBuilder, SpanKind, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{SdkTracer, Span as Recorded};

use super::TraceContext;
use super::export::tracer;

/// On which side of what a span is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It answers a request.
    Server,
    /// It makes a request.
    Client,
    /// It works on what was queued.
    Consumer,
}

/// A piece of a message's way; it ends when this is dropped. Without effect when tracing is off or the trace is not
/// sampled.
#[derive(Debug, Default)]
pub struct Span {
    /// Boxed: spans that record nothing are the rule, and they travel.
    recorded: Option<Box<Recorded>>,
    parent: Option<TraceContext>,
}

impl Span {
    /// Begins where work comes into the process. `parent` is what the caller names, as the header `traceparent`;
    /// without one a new trace begins, if it is to be sampled.
    pub fn first(name: &'static str, kind: Kind, parent: Option<&str>) -> Self {
        let Some(tracer) = tracer() else { return Self::default() };
        match parent.and_then(TraceContext::read) {
            // A caller that does not sample its trace has its way.
            Some((_, false)) => Self::default(),
            named => Self::begin(tracer, name, kind, named.map(|(context, _)| context)),
        }
    }

    /// Begins where a trace goes on; nothing when there is none. `parent` is kept with the event or the message.
    pub fn next(name: &'static str, kind: Kind, parent: Option<TraceContext>) -> Self {
        match tracer() {
            Some(tracer) if parent.is_some() => Self::begin(tracer, name, kind, parent),
            // This process does not trace, but the next may.
            _ => Self { recorded: None, parent },
        }
    }

    fn begin(tracer: &SdkTracer, name: &'static str, kind: Kind, parent: Option<TraceContext>) -> Self {
        let kind = match kind {
            Kind::Server => SpanKind::Server,
            Kind::Client => SpanKind::Client,
            Kind::Consumer => SpanKind::Consumer,
        };
        let around = match parent {
            Some(parent) => Context::new().with_remote_span_context(parent.remote()),
            None => Context::new(),
        };
        let span = tracer.build_with_context(SpanBuilder::from_name(name).with_kind(kind), &around);
        Self { recorded: span.is_recording().then(|| Box::new(span)), parent }
    }

    /// What is kept with what comes of this, so that the trace goes on there.
    pub fn context(&self) -> Option<TraceContext> {
        match &self.recorded {
            Some(span) => TraceContext::of(span.span_context()),
            None => self.parent,
        }
    }

    /// Says something of it, under a name of OpenTelemetry's conventions or one that begins with `hoopoe.`.
    pub fn set(&mut self, name: &'static str, value: impl Display) {
        if let Some(span) = &mut self.recorded {
            span.set_attribute(KeyValue::new(name, value.to_string()));
        }
    }

    /// Says a number of it.
    pub fn set_number(&mut self, name: &'static str, value: i64) {
        if let Some(span) = &mut self.recorded {
            span.set_attribute(KeyValue::new(name, value));
        }
    }

    /// It has to do with a span of another trace.
    pub fn link(&mut self, to: Option<TraceContext>) {
        if let (Some(span), Some(to)) = (&mut self.recorded, to) {
            span.add_link(to.remote(), Vec::new());
        }
    }

    /// It failed. `code` is a stable word, never a text from elsewhere.
    pub fn fail(&mut self, code: &str) {
        if let Some(span) = &mut self.recorded {
            span.set_attribute(KeyValue::new("error.type", code.to_owned()));
            span.set_status(Status::error(code.to_owned()));
        }
    }
}
