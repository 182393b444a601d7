//! Hosts of tenants answer by https. Their certificates are checked as the machine does it.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::support::Developer;

/// A host that shows the same plugin to everybody: its port, and what it is asked.
fn host() -> (u16, std::sync::mpsc::Receiver<String>) {
    let certificate = CertificateDer::from_pem_slice(include_bytes!("tls/host.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/host.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("localhost:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (asked, questions) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream.unwrap());
            let (mut question, mut byte) = (Vec::new(), [0]);
            // Who does not trust the certificate asks nothing.
            while !question.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count == 1) {
                question.push(byte[0]);
            }
            if question.is_empty() {
                continue;
            }
            let body = r#"{"plugin": {"config": {"greeting": "Hello"}}}"#;
            let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}", body.len());
            write!(stream, "{head}\r\nconnection: close\r\n\r\n{body}").unwrap();
            stream.flush().unwrap();
            asked.send(String::from_utf8(question).unwrap()).unwrap();
        }
    });
    (port, questions)
}

#[tokio::test]
async fn a_host_is_reached_by_https_when_its_certificate_is_trusted() {
    let (port, questions) = host();
    let folder = tempfile::tempdir().unwrap();
    let developer = Developer::alone(folder.path())
        .with("HOOPOE_URL", &format!("https://localhost:{port}/"))
        .with("HOOPOE_TENANT", "0199")
        .with("HOOPOE_KEY", "hoopoe_key");
    let show = ["config", "--plugin", "bot"];

    let stranger = developer.run(&show).await;
    assert_eq!(stranger.code, 4, "{stranger:?}");
    assert!(stranger.err.contains("certificate"), "{stranger:?}");
    assert!(questions.try_recv().is_err(), "the key went to a host that nobody trusts");

    let authority = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/tls/ca.pem");
    let shown = developer.with("SSL_CERT_FILE", authority).works(&show).await.json();
    assert_eq!(shown, serde_json::json!({ "greeting": "Hello" }));
    let question = questions.recv().unwrap().to_lowercase();
    assert!(question.starts_with("get /tenants/0199/plugins/bot "), "{question}");
    assert!(question.contains("authorization: bearer hoopoe_key"), "{question}");
}
