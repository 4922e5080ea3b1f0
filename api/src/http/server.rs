//! Connections: HTTP/1.1, and HTTP/2 for who begins with it. A caller who sends slowly, reads slowly or says nothing for long
//! is let go, and there are only so many at once.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_io_timeout::TimeoutStream;
use tower::ServiceExt;

/// What a connection may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// From the end of an answer, or the connection's beginning, to the end of the next request's headers.
    pub headers: Duration,
    /// Without a byte from the caller, or without it taking one. Longer than any request may take.
    pub silence: Duration,
    /// Connections at once; the rest is answered 503.
    pub connections: usize,
}

/// Proxies and load balancers keep connections for up to 60 s (the default of AWS' and nginx' alike) and take it amiss when
/// one that they are about to use is closed from behind: they have to be the first to close.
const KEPT: Duration = Duration::from_secs(75);
/// What HTTP/2 callers have to answer a ping.
const PONG: Duration = Duration::from_secs(10);

impl Default for Patience {
    fn default() -> Self {
        Self {
            headers: KEPT,
            silence: KEPT,
            connections: connections_that_fit(),
        }
    }
}

/// A request line and headers beyond this are refused.
const HEAD: usize = 32 * 1024;
const STREAMS: u32 = 100;
const ENOUGH: u64 = 10_000;
/// File descriptors for everything but callers: the database, log, listeners.
const OWN_FILES: u64 = 200;

/// As many as this process may open files, once it has asked for all it may have.
fn connections_that_fit() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let files = getrlimit(Resource::Nofile);
    let wanted = files.maximum.unwrap_or(ENOUGH + OWN_FILES).min(ENOUGH + OWN_FILES);
    let soft = files.current.unwrap_or(wanted);
    let raised = Rlimit {
        current: Some(wanted.max(soft)),
        maximum: files.maximum,
    };
    let held = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => wanted.max(soft),
        Err(_) => soft,
    };
    usize::try_from(held.saturating_sub(OWN_FILES).clamp(100, ENOUGH)).unwrap_or(100)
}

/// Serves until `stop`, then finishes what is under way, for as long as it is polled.
pub async fn serve(listener: TcpListener, router: Router, patience: Patience, stop: impl Future<Output = ()>) {
    let places = Arc::new(Semaphore::new(patience.connections));
    let graceful = GracefulShutdown::new();
    tokio::pin!(stop);
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, or a connection that was gone already.
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = &mut stop => break,
        };
        match places.clone().try_acquire_owned() {
            Ok(place) => converse(stream, peer, router.clone(), patience, &graceful, place),
            Err(_) => {
                tokio::spawn(turn_away(stream));
            }
        }
    }
    drop(listener);
    graceful.shutdown().await;
}

fn converse(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    patience: Patience,
    graceful: &GracefulShutdown,
    place: OwnedSemaphorePermit,
) {
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_read_timeout(Some(patience.silence));
    stream.set_write_timeout(Some(patience.silence));
    let service = tower::service_fn(move |request: axum::http::Request<_>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        let router = router.clone();
        async move { Ok::<_, Infallible>(router.oneshot(request).await.unwrap_or_else(|never| match never {})) }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(patience.headers)
        .max_buf_size(HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEAD as u32)
        .keep_alive_interval(Some(patience.silence / 3))
        .keep_alive_timeout(PONG);
    let connection = builder
        .serve_connection(TokioIo::new(Box::pin(stream)), TowerToHyperService::new(service))
        .into_owned();
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(error = %error, "a connection ended");
        }
        drop(place);
    });
}

async fn turn_away(mut stream: TcpStream) {
    let answer = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let _ = tokio::time::timeout(Duration::from_secs(1), stream.write_all(answer)).await;
}
