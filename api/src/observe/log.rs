use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{IsTerminal, stderr};
use std::panic::PanicHookInfo;

use anyhow::Context;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use super::traces::Traces;
use crate::config::Config;

/// The log, and traces where they are wanted, for as long as the process lives.
pub struct Observing(Option<Traces>);

/// Sends the log to standard error, panics too: text for people at a terminal, elsewhere an object a line, with the fields of
/// the request or job beside those of the line. Begins to export traces if the settings say so.
pub fn init(config: &Config) -> anyhow::Result<Observing> {
    let filter = EnvFilter::try_new(&config.log).with_context(|| format!("log: {:?} is not a filter", config.log))?;
    let traces = Traces::begin(config)?;
    let terminal = stderr().is_terminal();
    let lines = match config.log_json.unwrap_or(!terminal) {
        true => objects(stderr).with_opentelemetry_ids(traces.is_some()).boxed(),
        false => tracing_subscriber::fmt::layer()
            .with_writer(stderr)
            .with_ansi(terminal)
            .boxed(),
    };
    tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .with(traces.as_ref().map(Traces::layer))
        .try_init()?;
    std::panic::set_hook(Box::new(panicked));
    Ok(Observing(traces))
}

/// An object a line. What stands in spans stands beside what the line says, so names of fields must not meet.
fn objects<S, W>(writer: W) -> json_subscriber::fmt::Layer<S, W>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
    W: for<'w> MakeWriter<'w> + 'static,
{
    json_subscriber::fmt::layer()
        .with_writer(writer)
        .flatten_event(true)
        .with_current_span(false)
        .flatten_span_list_on_top_level(true)
}

impl Observing {
    /// Sends what was not exported yet, for at most some seconds.
    pub async fn end(self) {
        if let Some(traces) = self.0 {
            // It waits for the exporter's thread.
            let _ = tokio::task::spawn_blocking(move || traces.end()).await;
        }
    }
}

/// Beginnings of the standard library's messages; what follows may be anything.
const KNOWN: [&str; 5] = [
    "called `Result::unwrap()` on an `Err` value",
    "index out of bounds",
    "range end index",
    "range start index",
    "slice index starts",
];

/// What a panic says, as far as it is the program's own text: what is formatted may hold what somebody entered.
fn own_text(payload: &(dyn std::any::Any + Send)) -> &'static str {
    if let Some(text) = payload.downcast_ref::<&'static str>() {
        return text;
    }
    let formatted = payload.downcast_ref::<String>().map_or("", String::as_str);
    KNOWN.into_iter().find(|k| formatted.starts_with(k)).unwrap_or("(not shown)")
}

/// A line like any other, within the span of the request or job. With `RUST_BACKTRACE=1` it says how it came to it.
fn panicked(info: &PanicHookInfo<'_>) {
    let at = info.location().map(ToString::to_string).unwrap_or_default();
    let text = own_text(info.payload());
    let backtrace = Backtrace::capture();
    match backtrace.status() {
        BacktraceStatus::Captured => tracing::error!(at, text, %backtrace, "panicked"),
        _ => tracing::error!(at, text, "panicked"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_panic_tells_only_the_programs_own_text() {
        let said = |panic: fn()| own_text(&*std::panic::catch_unwind(panic).unwrap_err());
        assert_eq!(said(|| panic!("no such thing")), "no such thing");
        assert_eq!(said(|| panic!("{} is no name", String::from("Asha Rao"))), "(not shown)");
        let unwrapped = said(|| {
            "Asha Rao".parse::<i32>().map_err(|_| "Asha Rao").unwrap();
        });
        assert_eq!(unwrapped, KNOWN[0]);
        assert_eq!(said(|| std::panic::panic_any(7)), "(not shown)");
    }

    #[test]
    fn a_panic_is_a_line_of_its_request() {
        let (mut lines, writer) = std::io::pipe().unwrap();
        let subscriber = tracing_subscriber::registry().with(objects(Arc::new(writer)));
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(panicked));
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::error_span!("request", request_id = "0198c9f0-5b5e-7000-8000-00805f9b34fb");
            span.in_scope(|| std::panic::catch_unwind(|| panic!("{} is no name", String::from("Asha Rao"))).unwrap_err());
        });
        std::panic::set_hook(before);
        let mut text = String::new();
        lines.read_to_string(&mut text).unwrap();
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["message"], "panicked");
        assert_eq!(line["text"], "(not shown)");
        assert_eq!(line["request_id"], "0198c9f0-5b5e-7000-8000-00805f9b34fb");
        assert!(line["at"].as_str().unwrap().contains("log.rs:"), "{text}");
    }
}
