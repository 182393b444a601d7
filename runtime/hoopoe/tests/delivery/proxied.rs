//! Requests to Meta go through the proxy of `GRAPH_PROXY`, and where there is none, through that of the environment.

use std::sync::{Arc, Mutex};

use hoopoe_testing::{Database, PATIENCE, Process, settings, sim_options};
use meta_sim::Sim;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::CONTACT;

const HOOPOE: &str = env!("CARGO_BIN_EXE_hoopoe");

/// A forward proxy that passes all connections on to one place. Gives its port, and the heads of what came.
async fn forward_to(target: String) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heads: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = heads.clone();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let (target, seen) = (target.clone(), seen.clone());
            tokio::spawn(async move {
                let mut head = vec![0; 16 * 1024];
                let length = client.read(&mut head).await.unwrap();
                seen.lock().unwrap().push(String::from_utf8_lossy(&head[..length]).into_owned());
                let mut server = TcpStream::connect(target).await.unwrap();
                server.write_all(&head[..length]).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    (port, heads)
}

/// Sends one message by a process with this setting added; gives what the proxy saw of it.
async fn sent_with(name: &str, value: impl Fn(u16) -> String, others: &[(&str, &str)]) -> Vec<String> {
    let db = Database::create().await;
    let sim = Sim::start(sim_options()).await.unwrap();
    let (port, heads) = forward_to(sim.url().strip_prefix("http://").unwrap().to_owned()).await;
    let mut environment = settings(&db, &sim);
    environment.insert(name.to_owned(), value(port));
    environment.extend(others.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let process = Process::start(HOOPOE, &environment).await;
    let tenant = process.api.register("Acme", "106540352242922", "token").await;
    process.api.send(&tenant, CONTACT, "hello").await;
    sim.wait_for_accepted(1, PATIENCE).await.unwrap();
    assert_eq!(sim.times(CONTACT, "hello"), 1);
    let ended = process.terminate().await;
    assert!(!ended.log.contains("hush"), "the proxy's password is in the log: {}", ended.log);
    let heads = heads.lock().unwrap();
    heads.iter().map(|head| head.to_ascii_lowercase()).collect()
}

/// One send, and the question what Meta says of the token that the tenant was registered with.
fn is_send_and_look(heads: &[String]) -> bool {
    let begin = |with: &str| heads.iter().filter(|head| head.starts_with(with)).count();
    let looks = begin("get http://127.0.0.1:");
    begin("post http://127.0.0.1:") == 1 && looks >= 1 && looks + 1 == heads.len()
}

#[tokio::test]
async fn the_proxy_of_the_configuration_sees_the_request() {
    // What the environment says to everybody does not count beside it.
    let others = [("NO_PROXY", "127.0.0.1"), ("HTTP_PROXY", "http://127.0.0.1:1")];
    let heads = sent_with("GRAPH_PROXY", |port| format!("http://user:hush@127.0.0.1:{port}"), &others).await;
    assert!(is_send_and_look(&heads), "{heads:?}");
    // user:hush
    assert!(heads.iter().all(|head| head.contains("proxy-authorization: basic dxnlcjpodxno")), "{heads:?}");
}

#[tokio::test]
async fn without_one_that_of_the_environment_counts() {
    let value = |port| format!("http://127.0.0.1:{port}");
    let heads = sent_with("HTTP_PROXY", value, &[]).await;
    assert!(is_send_and_look(&heads), "{heads:?}");
    assert_eq!(sent_with("HTTP_PROXY", value, &[("NO_PROXY", "127.0.0.1")]).await, [""; 0]);
}
