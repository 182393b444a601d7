//! Where spans go: an OTLP collector, by HTTP with protobuf, in batches from a thread of their own. While the collector
//! is away spans are dropped, and the SDK says so in the log.

use std::sync::OnceLock;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};

/// How long a stopping process may take to hand over its last spans.
const LAST_WORDS: Duration = Duration::from_secs(5);

static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// Where to, and how much.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`, without a slash at the end: spans go to `/v1/traces` below it.
    pub endpoint: String,
    /// `OTEL_SERVICE_NAME`.
    pub service: String,
    /// `OTEL_TRACES_SAMPLER_ARG`: the share of new traces that is kept, 0 to 1. A trace that came with a request is kept
    /// as its caller says.
    pub ratio: f64,
}

/// Tracing could not be started.
#[derive(Debug, thiserror::Error)]
#[error("OTEL_EXPORTER_OTLP_ENDPOINT cannot be used: {0}")]
pub struct Error(#[from] ExporterBuildError);

/// Running tracing.
#[derive(Debug)]
pub struct Export(SdkTracerProvider);

/// Starts tracing, once per process. A provider for TLS has to be installed.
pub fn start(settings: &Settings) -> Result<Export, Error> {
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{}/v1/traces", settings.endpoint))
        .build()?;
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let resource = Resource::builder().with_service_name(settings.service.clone()).with_attribute(version).build();
    let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.ratio)));
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource)
        .with_sampler(sampler)
        .build();
    let _ = TRACER.set(provider.tracer("hoopoe"));
    Ok(Export(provider))
}

impl Export {
    /// Hands over what has ended; blocks for some seconds at the most.
    pub fn stop(self) {
        let _ = self.0.shutdown_with_timeout(LAST_WORDS);
    }
}

/// Nothing while tracing is off.
pub(super) fn tracer() -> Option<&'static SdkTracer> {
    TRACER.get()
}
