//! Callers who are slow, silent, many or large, on real connections.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use trunkline_api::http::server::{Patience, serve};

use crate::harness::TestApp;
use crate::jobs::probe::until;

const PATIENCE: Patience = Patience {
    headers: Duration::from_millis(700),
    silence: Duration::from_millis(1_500),
    connections: 4,
};

/// For callers that are slow only because the machine is.
const PATIENT: Patience = Patience {
    headers: Duration::from_secs(60),
    silence: Duration::from_secs(60),
    ..PATIENCE
};

/// A server that is stopped when the sender goes.
async fn listen(app: &TestApp, patience: Patience) -> (SocketAddr, oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let router = app.router.clone();
    let server = tokio::spawn(serve(listener, router, patience, async move {
        let _ = stopped.await;
    }));
    (address, stop, server)
}

fn request(body: &str) -> String {
    format!(
        "POST /graphql HTTP/1.1\r\nhost: asha.localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

const ASKING: &str = r#"{"query":"{ viewer { kind } }"}"#;

/// Reads until the answer's JSON is whole, the server closes, or this long has gone by.
async fn read(stream: &mut TcpStream, at_most: Duration) -> String {
    let mut all = Vec::new();
    let begun = Instant::now();
    let mut buffer = [0; 16_384];
    while let Some(left) = at_most.checked_sub(begun.elapsed()) {
        match tokio::time::timeout(left, stream.read(&mut buffer)).await {
            Ok(Ok(0)) | Ok(Err(_)) | Err(_) => break,
            Ok(Ok(n)) => all.extend_from_slice(&buffer[..n]),
        }
        if all.ends_with(b"}") {
            break;
        }
    }
    String::from_utf8_lossy(&all).into_owned()
}

/// How long it takes the server to end the connection.
async fn closed(stream: &mut TcpStream, at_most: Duration) -> Option<Duration> {
    let begun = Instant::now();
    let mut buffer = [0; 1_024];
    loop {
        let left = at_most.checked_sub(begun.elapsed())?;
        match tokio::time::timeout(left, stream.read(&mut buffer)).await {
            Ok(Ok(0)) | Ok(Err(_)) => return Some(begun.elapsed()),
            Ok(Ok(_)) => {}
            Err(_) => return None,
        }
    }
}

#[test]
fn proxies_are_the_first_to_close() {
    let kept = Duration::from_secs(60);
    let patience = Patience::default();
    assert!(patience.headers > kept && patience.silence > kept, "{patience:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_and_silent_callers_are_let_go() {
    let app = TestApp::new().await;
    let (address, _stop, _server) = listen(&app, PATIENCE).await;
    let long = Duration::from_secs(8);

    let headers = async {
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut reader, mut writer) = stream.into_split();
        let drip = tokio::spawn(async move {
            writer
                .write_all(b"POST /graphql HTTP/1.1\r\nhost: asha.localhost\r\n")
                .await
                .unwrap();
            while writer.write_all(b"x-a: b\r\n").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        let begun = Instant::now();
        let mut all = Vec::new();
        let _ = tokio::time::timeout(long, reader.read_to_end(&mut all)).await;
        drip.abort();
        begun.elapsed()
    };
    let silent = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        closed(&mut stream, long).await
    };
    let idle = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request(ASKING).as_bytes()).await.unwrap();
        let answer = read(&mut stream, long).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("data"), "{answer}");
        closed(&mut stream, long).await
    };
    let (headers, silent, idle) = tokio::join!(headers, silent, idle);
    assert!(headers < Duration::from_secs(4), "headers that do not end: {headers:?}");
    assert!(silent.is_some_and(|t| t < Duration::from_secs(4)), "nothing sent: {silent:?}");
    assert!(
        idle.is_some_and(|t| t < Duration::from_secs(4)),
        "kept open and idle: {idle:?}"
    );
}

/// Each byte comes soon enough for the connection to live, and the body as a whole never.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_drips_is_not_waited_for() {
    let app = TestApp::new().await;
    let (address, _stop, _server) = listen(&app, PATIENCE).await;
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let drip = tokio::spawn(async move {
        let head =
            "POST /graphql HTTP/1.1\r\nhost: asha.localhost\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n\r\n{";
        writer.write_all(head.as_bytes()).await.unwrap();
        while writer.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    });
    let begun = Instant::now();
    let mut all = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(20), reader.read_to_end(&mut all)).await;
    drip.abort();
    let answer = String::from_utf8_lossy(&all);
    assert!(
        answer.starts_with("HTTP/1.1 408") && answer.contains("BAD_ARGUMENT"),
        "{answer}"
    );
    assert!(begun.elapsed() < Duration::from_secs(14), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_are_only_so_many_connections() {
    let app = TestApp::new().await;
    let (address, _stop, _server) = listen(&app, PATIENT).await;
    let mut held = Vec::new();
    for _ in 0..PATIENT.connections {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"POST /graphql HTTP/1.1\r\n").await.unwrap();
        held.push(stream);
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut turned_away = TcpStream::connect(address).await.unwrap();
    let mut answer = String::new();
    turned_away.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 503") && answer.contains("retry-after: 1"),
        "{answer}"
    );
    held.clear();
    until("there is room again", Duration::from_secs(30), async || {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let _ = stream.write_all(request(ASKING).as_bytes()).await;
        read(&mut stream, Duration::from_secs(30)).await.starts_with("HTTP/1.1 200")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_mebibytes_are_too_large_announced_or_not() {
    let app = TestApp::new().await;
    let (address, _stop, _server) = listen(&app, PATIENCE).await;
    let head = "POST /graphql HTTP/1.1\r\nhost: asha.localhost\r\ncontent-type: application/json\r\n";
    // Who announces it is refused before a byte of it has come.
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(format!("{head}content-length: 10485760\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let answer = read(&mut stream, Duration::from_secs(5)).await;
    assert!(
        answer.starts_with("HTTP/1.1 413") && answer.contains("BAD_ARGUMENT"),
        "{answer}"
    );
    // Who does not, once there is more than fits.
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(format!("{head}transfer-encoding: chunked\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let chunk = [b"10000\r\n".as_slice(), &vec![b' '; 65_536], b"\r\n"].concat();
    for _ in 0..160 {
        if stream.write_all(&chunk).await.is_err() {
            break;
        }
    }
    let answer = read(&mut stream, Duration::from_secs(5)).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 413"), "{answer}");
    // Headers have a limit too.
    let mut stream = TcpStream::connect(address).await.unwrap();
    let _ = stream
        .write_all(format!("{head}x-long: {}\r\n\r\n", "x".repeat(200_000)).as_bytes())
        .await;
    let answer = read(&mut stream, Duration::from_secs(5)).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_2_is_spoken_with_who_begins_with_it() {
    let app = TestApp::new().await;
    let (address, _stop, _server) = listen(&app, PATIENCE).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
        .await
        .unwrap();
    let mut frame = [0; 9];
    stream.read_exact(&mut frame).await.unwrap();
    assert_eq!(
        (frame[3], &frame[5..]),
        (4, [0_u8; 4].as_slice()),
        "SETTINGS on the connection"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_lets_what_is_under_way_end() {
    let app = TestApp::new().await;
    let (address, stop, server) = listen(&app, PATIENT).await;
    let body = r#"{"query":"mutation { sessionCreate(input: {email: \"owner@asha.example\", password: \"wrong-wrong\"}) { userErrors { code } } }"}"#;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = request(body).replacen("\r\n", "\r\nexpect: 100-continue\r\n", 1);
    let (head, tail) = request.split_at(request.len() - 10);
    stream.write_all(head.as_bytes()).await.unwrap();
    // The server says so when it begins to read the body: the request is under way.
    let mut said = [0; b"HTTP/1.1 100 Continue\r\n\r\n".len()];
    let said_so = tokio::time::timeout(Duration::from_secs(30), stream.read_exact(&mut said));
    said_so.await.expect("it reads the body").unwrap();
    assert_eq!(&said, b"HTTP/1.1 100 Continue\r\n\r\n");
    stop.send(()).unwrap();
    until("nobody new is let in", Duration::from_secs(10), async || {
        TcpStream::connect(address).await.is_err()
    })
    .await;
    stream.write_all(tail.as_bytes()).await.unwrap();
    let answer = read(&mut stream, Duration::from_secs(30)).await;
    assert!(answer.contains("INVALID_CREDENTIALS"), "{answer}");
    tokio::time::timeout(Duration::from_secs(30), server)
        .await
        .expect("it ends")
        .unwrap();
}
