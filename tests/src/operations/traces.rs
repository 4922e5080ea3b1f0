//! Traces, exported to a collector of the test's own.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyValue;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::{Event, SpanKind};
use prost::Message;
use serde_json::{Value, json};

use super::process::Running;
use crate::harness::{TestApp, key};
use crate::jobs::probe::until;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
const HANDLER: &str = "settlement.payment_recorded";
const CANARY: &str = "canary-7f3a9c-canary";

type Taken = Arc<Mutex<Vec<Bytes>>>;

/// Takes in what is exported to it.
async fn collector() -> (String, Taken) {
    async fn take(State(taken): State<Taken>, headers: HeaderMap, body: Bytes) {
        assert_eq!(headers["content-type"], "application/x-protobuf");
        taken.lock().unwrap().push(body);
    }
    let taken = Taken::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let router = axum::Router::new().route("/v1/traces", post(take)).with_state(taken.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, taken)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn attribute(span: &Span, name: &str) -> Option<String> {
    let found = span.attributes.iter().find(|a| a.key == name)?;
    match found.value.as_ref()?.value.as_ref()? {
        AnyValue::StringValue(text) => Some(text.clone()),
        AnyValue::IntValue(number) => Some(number.to_string()),
        other => Some(format!("{other:?}")),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_hears_of_requests_and_jobs_and_nothing_that_was_entered() {
    let app = TestApp::new().await;
    app.jobs_may_remain();
    let (address, taken) = collector().await;
    // Nothing is sent before the end, unless it is flushed then.
    let settings = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", address.as_str()),
        ("OTEL_BSP_SCHEDULE_DELAY", "600000"),
        ("TRUNKLINE_LOG", "debug"),
    ];
    let mut server = Running::start(&app.db, &settings).await;
    let owner = server.sign_in("asha.localhost", "owner@asha.example").await;
    let query = "mutation chosenByTheCaller($i: SubscriberCreateInput!) { subscriberCreate(input: $i) { subscriber { id } } }";
    let variables = json!({ "i": { "name": CANARY, "email": format!("{CANARY}@{CANARY}.example") } });
    let request = server
        .http
        .post(format!("{}/graphql", server.public))
        .header("host", "asha.localhost")
        .header("traceparent", format!("00-{TRACE}-{CALLER}-01"))
        .bearer_auth(&owner);
    let answer = request.json(&json!({ "query": query, "variables": variables })).send().await;
    let body: Value = answer.unwrap().json().await.unwrap();
    let subscriber = body
        .pointer("/data/subscriberCreate/subscriber/id")
        .unwrap_or_else(|| panic!("{body}"));
    let input =
        json!({ "subscriberId": subscriber, "amount": "10.00", "method": "UPI", "reference": CANARY, "idempotencyKey": key() });
    server
        .mutate("asha.localhost", &owner, "paymentRecord", input, "payment { id }")
        .await;
    until("the payment's event is handled", Duration::from_secs(60), async || {
        let log = server.log();
        log.lines().any(|l| l.contains("job done") && l.contains(HANDLER))
    })
    .await;
    assert!(taken.lock().unwrap().is_empty(), "sent before it was time");
    server.process.signal("TERM");
    assert!(server.ended(Duration::from_secs(60)).await.success(), "{}", server.log());

    let bodies = taken.lock().unwrap().clone();
    assert!(!bodies.is_empty(), "nothing was flushed:\n{}", server.log());
    let (mut spans, mut services) = (Vec::new(), Vec::new());
    for body in &bodies {
        for secret in [CANARY, owner.as_str(), "chosenByTheCaller"] {
            let found = body.windows(secret.len()).any(|w| w.eq_ignore_ascii_case(secret.as_bytes()));
            assert!(!found, "the collector was told {secret:?}");
        }
        for resource in ExportTraceServiceRequest::decode(body.clone()).unwrap().resource_spans {
            services.extend(resource.resource.into_iter().flat_map(|r| r.attributes));
            spans.extend(resource.scope_spans.into_iter().flat_map(|s| s.spans));
        }
    }
    let named = services.iter().find(|a| a.key == "service.name").expect("service.name");
    let name = named.value.as_ref().and_then(|v| v.value.clone());
    assert_eq!(name, Some(AnyValue::StringValue("trunkline".into())));
    let continued: Vec<&Span> = spans.iter().filter(|s| hex(&s.trace_id) == TRACE).collect();
    let [request] = continued[..] else {
        panic!("{} spans of the caller's trace", continued.len())
    };
    assert_eq!(hex(&request.parent_span_id), CALLER);
    assert_eq!((request.name.as_str(), request.kind()), ("POST /graphql", SpanKind::Server));
    for (name, value) in [
        ("tenant", "asha"),
        ("http.route", "/graphql"),
        ("graphql.operation.type", "mutation"),
        ("fields", "subscriberCreate"),
        ("http.response.status_code", "200"),
    ] {
        assert_eq!(attribute(request, name).as_deref(), Some(value), "{name}");
    }
    let inserted = |e: &Event| {
        e.attributes
            .iter()
            .any(|a| a.key == "db.statement" && format!("{a:?}").contains("INTO subscriber"))
    };
    assert!(request.events.iter().any(inserted), "its statements are its events");
    let job = spans.iter().find(|s| s.name == HANDLER);
    let job = job.expect("the job's span");
    assert_eq!(job.kind(), SpanKind::Consumer);
    assert_eq!(attribute(job, "tenant").as_deref(), Some("asha"));
    // The log names the trace as well.
    assert!(
        server
            .log()
            .lines()
            .any(|l| l.contains(TRACE) && l.contains("subscriberCreate"))
    );
}

/// A collector that takes connections and never says a word, the worst of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_collector_hurts_nobody() {
    let app = TestApp::new().await;
    app.jobs_may_remain();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    let settings = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", address.as_str()),
        ("OTEL_BSP_SCHEDULE_DELAY", "50"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "16"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "8"),
    ];
    let mut server = Running::start(&app.db, &settings).await;
    let owner = server.sign_in("asha.localhost", "owner@asha.example").await;
    let begun = Instant::now();
    for _ in 0..100 {
        let (status, body) = server
            .ask(
                "asha.localhost",
                Some(&owner),
                "{ plans(first: 1) { nodes { id } } }",
                json!({}),
            )
            .await;
        assert_eq!((status, &body["errors"]), (200, &Value::Null));
    }
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    server.process.signal("TERM");
    assert!(server.ended(Duration::from_secs(30)).await.success(), "{}", server.log());
}
