//! What is secret has no way into a log, at whatever level.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use crate::ground::Ground;

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn secrets_are_in_headers_and_nowhere_else() {
    let kept = Kept::default();
    let writer = kept.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false);
    subscriber.with_writer(move || writer.clone()).try_init().unwrap();

    let mut ground = Ground::new().await;
    let tenant = ground.tenant("106540352242922").await;
    ground.secret(tenant, "API_KEY", "t0p-s3cret").await;
    ground.start();
    for (url, words) in [
        ("http://localhost:{port}/orders?code=in-the-url", "\"status\":200"),
        ("http://localhost:{port}/redirect", "\"status\":302"),
        ("http://169.254.169.254/", "refused"),
    ] {
        let headers = [("Authorization", "Bearer {{secret:API_KEY}}")];
        let call = ground.call(tenant, "order", url, &headers).await;
        let answer = ground.answer(tenant, call).await.to_string();
        assert!(answer.contains(words) && !answer.contains("t0p-s3cret"), "{answer}");
    }
    assert_eq!(ground.server.seen()[0].header("authorization"), Some("Bearer t0p-s3cret"));
    ground.end().await;
    let logs = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
    for expected in ["a call was answered", "a call has no answer", "metadata"] {
        assert!(logs.contains(expected), "{expected} is not logged");
    }
    assert!(!logs.contains("t0p-s3cret"), "a secret is in the log");
    assert!(!logs.contains("in-the-url"), "URLs of flows are in the log");
}
