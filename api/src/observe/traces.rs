use std::sync::OnceLock;
use std::time::Duration;

use anyhow::Context;
use axum::http::HeaderMap;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{SpanKind, Status, TraceContextExt, TracerProvider};
use opentelemetry::{Key, KeyValue, Value};
use opentelemetry_http::HeaderExtractor;
use opentelemetry_otlp::SpanExporter as OtlpExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
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
        let exporter = OtlpExporter::builder()
            .with_http()
            .build()
            .context("traces (OTEL_… variables)")?;
        let provider = SdkTracerProvider::builder()
            .with_resource(resource())
            .with_batch_exporter(Conventional(exporter))
            .build();
        let _ = CALLERS.set(TraceContextPropagator::new());
        Ok(Some(Self(provider)))
    }

    /// Our own spans and lines at level info and above, and what statements took, whatever the log shows.
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
            .with_filter(Targets::new().with_targets([(SERVICE, LevelFilter::INFO), ("sqlx::query", LevelFilter::DEBUG)]))
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

/// Whether spans go anywhere.
pub fn exported() -> bool {
    CALLERS.get().is_some()
}

/// Makes a request's span a part of its caller's trace, if the caller has named one (W3C Trace Context).
pub fn of_caller(span: &Span, headers: &HeaderMap) {
    let Some(callers) = CALLERS.get() else { return };
    let caller = callers.extract(&HeaderExtractor(headers));
    if caller.span().span_context().is_valid() {
        let _ = span.set_parent(caller);
    }
}

/// Tells of spans in the words of OpenTelemetry's conventions, which collectors know; the log has shorter ones.
#[derive(Debug)]
struct Conventional<E>(E);

impl<E: SpanExporter> SpanExporter for Conventional<E> {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        batch.iter_mut().for_each(translate);
        self.0.export(batch).await
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

fn translate(span: &mut SpanData) {
    let value = |span: &SpanData, key: &str| -> Option<Value> {
        let found = span.attributes.iter().find(|a| a.key.as_str() == key)?;
        Some(found.value.clone())
    };
    let text = |span: &SpanData, key: &str| value(span, key).map(|v| v.to_string()).unwrap_or_default();
    match span.name.as_ref() {
        "request" => {
            span.span_kind = SpanKind::Server;
            span.name = format!("{} {}", text(span, "method"), text(span, "route")).into();
            if matches!(value(span, "status"), Some(Value::I64(500..))) {
                span.status = Status::error("");
            }
        }
        "job" => {
            span.span_kind = SpanKind::Consumer;
            span.name = text(span, "kind").into();
        }
        _ => {}
    }
    for attribute in &mut span.attributes {
        attribute.key = match attribute.key.as_str() {
            "method" => Key::from_static_str("http.request.method"),
            "route" => Key::from_static_str("http.route"),
            "status" => Key::from_static_str("http.response.status_code"),
            "operation" => Key::from_static_str("graphql.operation.type"),
            _ => continue,
        };
    }
}
