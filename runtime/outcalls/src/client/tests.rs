//! Against real servers on this machine; names are looked up by the test.

use std::io;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};
use axum::routing::{any, get};
use axum::{Json, Router};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::guard::Found;

/// Long enough for every answer that comes at all.
const PATIENCE: Duration = Duration::from_secs(20);

/// Answers each lookup with the next address, the last one again and again; an empty one is no such name.
struct Names {
    script: Mutex<Vec<&'static str>>,
    lookups: AtomicUsize,
}

impl Lookup for Names {
    fn lookup(&self, _: String) -> Found {
        self.lookups.fetch_add(1, Ordering::SeqCst);
        let mut script = self.script.lock().expect("not poisoned");
        let next = if script.len() > 1 { script.remove(0) } else { script[0] };
        Box::pin(async move {
            let unknown = || io::Error::new(io::ErrorKind::NotFound, "no such name");
            Ok(vec![SocketAddr::new(next.parse().map_err(|_| unknown())?, 0)])
        })
    }
}

fn client(allow_private: bool, script: &[&'static str]) -> (Client, Arc<Names>) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let rules = Rules::new(&["*".to_owned()], true, allow_private).expect("a star is fine");
    let names = Arc::new(Names { script: Mutex::new(script.to_vec()), lookups: AtomicUsize::new(0) });
    (Client::new(Arc::new(rules), names.clone()).expect("a client"), names)
}

fn ready(method: Method, url: &str) -> Ready {
    Ready { method, url: url.parse().expect("a URL"), headers: HeaderMap::new(), body: Vec::new() }
}

async fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    (listener, port)
}

async fn serve(router: Router) -> u16 {
    let (listener, port) = listen().await;
    tokio::spawn(async move { axum::serve(listener, router).await });
    port
}

/// Reads the beginning of each request, answers with these bytes, and closes the connection.
async fn serve_bytes(bytes: &'static [u8]) -> u16 {
    let (listener, port) = listen().await;
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut head = [0; 1024];
            let _ = connection.read(&mut head).await;
            let _ = connection.write_all(bytes).await;
        }
    });
    port
}

/// Method, path, headers and body as the server sees them.
async fn echo(request: Request) -> impl IntoResponse {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.expect("a body");
    let text = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers: Vec<_> = parts.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    let seen = serde_json::json!({
        "method": parts.method.as_str(), "uri": parts.uri.to_string(), "headers": headers, "body": body.len()
    });
    (StatusCode::IM_A_TEAPOT, [("X-Answer", "caf\u{e9}")], Json(seen))
}

fn endless() -> Body {
    Body::from_stream(futures_util::stream::repeat_with(|| Ok::<_, io::Error>(vec![b'x'; 10_000])))
}

/// A head, and then nothing any more.
fn half() -> Body {
    let first = futures_util::stream::once(async { Ok::<_, io::Error>(b"half".to_vec()) });
    Body::from_stream(futures_util::StreamExt::chain(first, futures_util::stream::pending()))
}

#[tokio::test]
async fn a_request_arrives_as_it_was_asked_for_and_with_nothing_else() {
    let port = serve(Router::new().fallback(any(echo))).await;
    let (client, _) = client(true, &["127.0.0.1"]);
    for (method, body) in
        [(Method::GET, 0), (Method::POST, 256 << 10), (Method::PUT, 5), (Method::PATCH, 0), (Method::DELETE, 0)]
    {
        let mut request = ready(method.clone(), &format!("http://api.test:{port}/a%20b?c=%7B"));
        request.headers.append("x-one", "1".parse().expect("a value"));
        request.headers.append("x-one", "2".parse().expect("a value"));
        request.body = vec![b'x'; body];
        let answer = client.send(request, PATIENCE).await.unwrap_or_else(|failure| panic!("{failure:?}"));
        assert_eq!(answer.status, 418);
        assert!(answer.headers.contains(&("x-answer".to_owned(), "caf\u{e9}".to_owned())), "{:?}", answer.headers);
        let seen: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
        assert_eq!(seen["method"], method.as_str());
        assert_eq!(seen["uri"], "/a%20b?c=%7B");
        assert_eq!(seen["body"], body);
        let mut headers: Vec<(String, String)> = serde_json::from_value(seen["headers"].clone()).expect("pairs");
        headers.retain(|(name, _)| name != "content-length");
        headers.sort();
        let expected = [
            ("accept", "*/*"),
            ("host", &format!("api.test:{port}")),
            ("user-agent", AGENT),
            ("x-one", "1"),
            ("x-one", "2"),
        ];
        assert_eq!(headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}

#[tokio::test]
async fn every_ending_has_its_name() {
    let visits = Arc::new(AtomicUsize::new(0));
    let visit = |State(visits): State<Arc<AtomicUsize>>| async move {
        visits.fetch_add(1, Ordering::SeqCst);
        "visited"
    };
    let many: [(String, String); 101] = std::array::from_fn(|place| (format!("x-{place}"), "1".to_owned()));
    let wide: [(String, String); 9] = std::array::from_fn(|place| (format!("x-{place}"), "1".repeat(8 << 10)));
    let router = Router::new()
        .route("/whole", get(|| async { vec![b'x'; LARGEST_BODY] }))
        .route("/large", get(|| async { vec![b'x'; LARGEST_BODY + 1] }))
        .route("/endless", get(|| async { endless() }))
        .route("/hang", get(std::future::pending::<()>))
        .route("/half", get(|| async { half() }))
        .route("/visit", get(visit))
        .route("/redirect", get(|| async { Redirect::temporary("/visit") }))
        .route("/metadata", get(|| async { Redirect::permanent("http://169.254.169.254/latest/meta-data") }))
        .route("/many", get(|| async { axum::response::AppendHeaders(many) }))
        .route("/wide", get(|| async { axum::response::AppendHeaders(wide) }))
        .route("/packed", get(|| async { ([("content-encoding", "gzip")], "not really") }))
        .route("/nothing", get(|| async { StatusCode::NO_CONTENT }))
        .route("/later", get(|| async { (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "7")]) }))
        .with_state(visits.clone());
    let port = serve(router).await;
    let silent = serve_bytes(b"").await;
    let torn = serve_bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf").await;
    let garbage = serve_bytes(b"SSH-2.0-OpenSSH_9.9\r\n").await;
    let (_, closed) = listen().await;
    let (client, _) = client(true, &["127.0.0.1"]);
    // URL, milliseconds, expected: status and length of the body, or the beginning of the error.
    let cases = [
        (format!("http://api.test:{port}/whole"), 20_000, "200 1048576"),
        (format!("http://api.test:{port}/large"), 20_000, "too-large: the body has more than 1048576"),
        (format!("http://api.test:{port}/endless"), 20_000, "too-large: the body has more than 1048576"),
        (format!("http://api.test:{port}/hang"), 50, "timeout: no whole answer within 50 ms"),
        (format!("http://api.test:{port}/half"), 300, "timeout: no whole answer within 300 ms"),
        (format!("http://api.test:{port}/redirect"), 20_000, "307 0"),
        (format!("http://api.test:{port}/metadata"), 20_000, "308 0"),
        (format!("http://api.test:{port}/many"), 20_000, "too-large: "),
        (format!("http://api.test:{port}/wide"), 20_000, "too-large: the headers have more than 65536"),
        (format!("http://api.test:{port}/packed"), 20_000, "200 10"),
        (format!("http://api.test:{port}/nothing"), 20_000, "204 0"),
        (format!("http://api.test:{port}/later"), 20_000, "503 0"),
        (format!("http://api.test:{port}/missing"), 20_000, "404 0"),
        (format!("http://api.test:{silent}/"), 20_000, "broken: "),
        (format!("http://api.test:{torn}/"), 20_000, "broken: "),
        (format!("http://api.test:{garbage}/"), 20_000, "broken: "),
        (format!("http://api.test:{closed}/"), 20_000, "unsent unreachable: "),
        (format!("https://api.test:{port}/whole"), 20_000, "unsent unreachable: "),
    ];
    for (url, millis, expected) in cases {
        let outcome = client.send(ready(Method::GET, &url), Duration::from_millis(millis)).await;
        let told = match outcome {
            Ok(answer) => format!("{} {}", answer.status, answer.body.len()),
            Err(Failure { code, message, unsent }) => {
                format!("{}{code}: {message}", if unsent { "unsent " } else { "" })
            }
        };
        assert!(told.starts_with(expected), "{url}: {told} instead of {expected}");
    }
    assert_eq!(visits.load(Ordering::SeqCst), 0, "a redirect was followed");
    let head = client.send(ready(Method::HEAD, &format!("http://api.test:{port}/large")), PATIENCE).await;
    assert!(
        head.is_ok_and(|answer| answer.status == 200 && answer.body.is_empty()),
        "HEAD has no body to be too large"
    );
}

/// The name means an allowed address first and a forbidden one afterwards. Each call looks it up once and connects to
/// what it found; no connection of an earlier call is used.
#[tokio::test]
async fn a_name_that_changes_its_meaning_gains_nothing() {
    let visits = Arc::new(AtomicUsize::new(0));
    let counted = visits.clone();
    let port = serve(Router::new().fallback(any(move || async move {
        counted.fetch_add(1, Ordering::SeqCst);
    })))
    .await;
    let url = format!("http://rebound.test:{port}/");
    let (client, names) = client(true, &["127.0.0.1", "169.254.169.254", "::ffff:127.0.0.1", "0.0.0.0", "127.0.0.1"]);
    for (expected, visited) in [("", 1), ("metadata", 1), ("IPv4-mapped", 1), ("unspecified", 1), ("", 2)] {
        let outcome = client.send(ready(Method::GET, &url), PATIENCE).await;
        match &outcome {
            Ok(answer) => assert_eq!((answer.status, expected), (200, "")),
            Err(failure) => {
                assert_eq!((failure.code, failure.unsent), ("refused", false), "{failure:?}");
                assert!(!expected.is_empty() && failure.message.contains(expected), "{failure:?}");
            }
        }
        assert_eq!(visits.load(Ordering::SeqCst), visited, "{expected}");
    }
    assert_eq!(names.lookups.load(Ordering::SeqCst), 5);
}

#[tokio::test]
async fn production_does_not_reach_this_machine_by_any_name() {
    let visits = Arc::new(AtomicUsize::new(0));
    let counted = visits.clone();
    let port = serve(Router::new().fallback(any(move || async move {
        counted.fetch_add(1, Ordering::SeqCst);
    })))
    .await;
    for (address, expected) in [
        ("127.0.0.1", "refused: api.test leads to a loopback address"),
        ("::1", "refused: api.test leads to a loopback address"),
        ("::ffff:127.0.0.1", "refused: api.test leads to an IPv4-mapped address"),
        ("64:ff9b::7f00:1", "refused: api.test leads to a loopback address"),
        ("0.0.0.0", "refused: api.test leads to an unspecified address"),
        ("", "unreachable: "),
    ] {
        let (client, _) = client(false, &[address]);
        let outcome = client.send(ready(Method::GET, &format!("http://api.test:{port}/")), PATIENCE).await;
        let Failure { code, message, .. } = outcome.expect_err(address);
        assert!(format!("{code}: {message}").starts_with(expected), "{address}: {code}: {message}");
    }
    assert_eq!(visits.load(Ordering::SeqCst), 0);
}

#[test]
fn servers_say_when_to_come_again() {
    let now = DateTime::from_timestamp(1_767_225_600, 0).expect("in range");
    for (value, expected) in [
        ("0", Some(0)),
        (" 120 ", Some(120)),
        ("Thu, 01 Jan 2026 00:00:30 GMT", Some(30)),
        ("Wed, 31 Dec 2025 23:59:00 GMT", Some(0)),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("99999999999", None),
    ] {
        let headers = vec![("retry-after".to_owned(), value.to_owned())];
        let answer = Answer { status: 429, headers, body: Vec::new() };
        assert_eq!(answer.retry_after(now).map(|pause| pause.num_seconds()), expected, "{value}");
    }
}

/// Run by the next test in a process of its own.
#[tokio::test]
#[ignore = "for a process whose environment names a proxy"]
async fn a_request_in_an_environment_with_a_proxy() {
    let port = serve(Router::new().fallback(any(echo))).await;
    let (client, _) = client(true, &["127.0.0.1"]);
    let answer = client.send(ready(Method::GET, &format!("http://api.test:{port}/")), PATIENCE).await;
    assert_eq!(answer.expect("an answer").status, 418);
    let (client, names) = self::client(false, &["127.0.0.1"]);
    let refused = client.send(ready(Method::GET, &format!("http://api.test:{port}/")), PATIENCE).await;
    assert_eq!(refused.expect_err("a private address").code, "refused");
    assert_eq!(names.lookups.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn proxies_of_the_environment_are_not_asked() {
    let (listener, port) = listen().await;
    let proxy = format!("http://127.0.0.1:{port}");
    let mut child = tokio::process::Command::new(std::env::current_exe().expect("this test"));
    child.args(["--ignored", "--exact", "client::tests::a_request_in_an_environment_with_a_proxy"]);
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"] {
        child.env(name, &proxy);
    }
    child.env_remove("NO_PROXY").env_remove("no_proxy");
    tokio::select! {
        asked = listener.accept() => panic!("the proxy was asked: {asked:?}"),
        done = child.output() => {
            let out = String::from_utf8(done.expect("it runs").stdout).expect("UTF-8");
            assert!(out.contains("1 passed"), "{out}");
        }
    }
}
