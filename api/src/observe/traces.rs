use std::sync::OnceLock;
use std::time::Duration;

use anyhow::Context;
use axum::http::HeaderMap;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry::{Key, KeyValue};
use opentelemetry_http::HeaderExtractor;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Span;
use tracing::level_filters::LevelFilter;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;

use super::{SERVICE, VERSION};
use crate::config::Config;

/// How long the end of the process waits for a collector.
const PATIENCE: Duration = Duration::from_secs(3);

/// Empty where traces are not exported.
static CALLERS: OnceLock<TraceContextPropagator> = OnceLock::new();

/// The export of spans over OTLP (HTTP, protobuf), by the variables that OpenTelemetry names: `OTEL_EXPORTER_OTLP_…`,
/// `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER`, `OTEL_BSP_…`. A thread of its own sends; when
/// nobody takes what it sends, spans are dropped.
pub struct Traces(SdkTracerProvider);

impl Traces {
    pub fn begin(config: &Config) -> anyhow::Result<Option<Self>> {
        if !config.traces {
            return Ok(None);
        }
        // reqwest comes without one; somebody may have chosen it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let exporter = SpanExporter::builder()
            .with_http()
            .build()
            .context("traces (OTEL_… variables)")?;
        let provider = SdkTracerProvider::builder()
            .with_resource(resource())
            .with_batch_exporter(exporter)
            .build();
        let _ = CALLERS.set(TraceContextPropagator::new());
        Ok(Some(Self(provider)))
    }

    /// Our own spans and lines at level info and above, whatever the log shows.
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: tracing::Subscriber + for<'a> LookupSpan<'a>,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer(SERVICE))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(Targets::new().with_target(SERVICE, LevelFilter::INFO))
    }

    /// Sends what was not sent yet.
    pub fn end(self) {
        if let Err(error) = self.0.shutdown_with_timeout(PATIENCE) {
            tracing::warn!(%error, "the last traces were not exported");
        }
    }
}

/// Who we are, unless the environment names us otherwise.
fn resource() -> Resource {
    let builder = || Resource::builder().with_attribute(KeyValue::new("service.version", VERSION));
    let found = builder().build();
    let named = found.get_ref(&Key::from_static_str("service.name"));
    match named.is_some_and(|name| !name.as_str().starts_with("unknown_service")) {
        true => found,
        false => builder().with_service_name(SERVICE).build(),
    }
}

/// Makes a request's span a part of its caller's trace, if the caller has named one (W3C Trace Context).
pub fn of_caller(span: &Span, headers: &HeaderMap) {
    let Some(callers) = CALLERS.get() else { return };
    span.record("otel.kind", "server");
    let caller = callers.extract(&HeaderExtractor(headers));
    if caller.span().span_context().is_valid() {
        let _ = span.set_parent(caller);
    }
}
