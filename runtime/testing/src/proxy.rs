//! A proxy in front of Postgres that a test can cut: the database is away, as it would be after a failure of the
//! network, and comes back when the test says so. It understands what the runtime says to Postgres, so that it can also
//! cut, or hold the answer, at the moment of a certain commit.

mod talk;

use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::{Arc, Mutex};

use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use self::talk::Talk;
use crate::PATIENCE;

/// What happens at the next commit of a transaction in which a statement with a certain text ran. A statement outside
/// of a transaction is its own commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// All connections end before Postgres hears of the commit: nothing of the transaction happened.
    BeforeCommit,
    /// All connections end after Postgres has committed and before the runtime hears of it.
    AfterCommit,
    /// Postgres has committed; the runtime hears of it when the test says so ([`Proxy::release`]).
    Answer,
}

/// Passes everything on until [`Proxy::cut`]. It ends when this is dropped.
pub struct Proxy {
    address: SocketAddr,
    server: PgConnectOptions,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

struct Shared {
    lines: watch::Sender<Lines>,
    armed: Mutex<Option<(At, &'static str)>>,
    /// The armed moment has come.
    happened: Notify,
    released: Notify,
}

#[derive(Clone, Copy)]
struct Lines {
    /// New connections are taken.
    whole: bool,
    /// Connections of former generations are cut.
    generation: u64,
}

impl Proxy {
    /// A proxy in front of the server of this database.
    pub async fn start(database_url: &str) -> Self {
        let server = PgConnectOptions::from_str(database_url).unwrap();
        let target = (server.get_host().to_owned(), server.get_port());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            lines: watch::Sender::new(Lines { whole: true, generation: 0 }),
            armed: Mutex::default(),
            happened: Notify::new(),
            released: Notify::new(),
        });
        let accepting = {
            let shared = shared.clone();
            tokio::spawn(async move {
                while let Ok((client, _)) = listener.accept().await {
                    tokio::spawn(pass(client, target.clone(), shared.clone()));
                }
            })
        };
        Self { address, server, shared, accepting }
    }

    /// The database's URL by way of the proxy. Not encrypted, so that it can be understood.
    pub fn url(&self) -> String {
        let options = self.server.clone().host(&self.address.ip().to_string()).port(self.address.port());
        options.ssl_mode(PgSslMode::Disable).to_url_lossy().to_string()
    }

    /// Ends all connections; new ones end as soon as they are made.
    pub fn cut(&self) {
        self.shared.cut(false);
    }

    /// Takes connections again.
    pub fn restore(&self) {
        self.shared.lines.send_modify(|lines| lines.whole = true);
    }

    /// Does this once, at the next commit of a transaction in which a statement ran that contains `text`. After a cut
    /// new connections are taken at once.
    pub fn once(&self, at: At, text: &'static str) {
        *self.shared.armed.lock().unwrap() = Some((at, text));
    }

    /// Waits until what [`Proxy::once`] ordered has happened.
    pub async fn happened(&self) {
        let happened = tokio::time::timeout(PATIENCE, self.shared.happened.notified()).await;
        assert!(happened.is_ok(), "no commit came that was waited for: {:?}", self.shared.armed.lock().unwrap());
    }

    /// Lets the answer go that [`At::Answer`] holds.
    pub fn release(&self) {
        self.shared.released.notify_one();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

impl Shared {
    fn cut(&self, whole: bool) {
        self.lines.send_modify(|lines| *lines = Lines { whole, generation: lines.generation + 1 });
    }

    /// What shall happen at this commit, which it then does not at another.
    fn take(&self, talk: &Talk) -> Option<At> {
        let mut armed = self.armed.lock().unwrap();
        let (at, _) = armed.filter(|(_, text)| talk.has_run(text))?;
        *armed = None;
        Some(at)
    }
}

async fn pass(client: TcpStream, target: (String, u16), shared: Arc<Shared>) {
    let mut lines = shared.lines.subscribe();
    let Lines { whole, generation } = *lines.borrow_and_update();
    if !whole {
        return;
    }
    let Ok(server) = TcpStream::connect(target).await else { return };
    // Small messages in both directions: without it each waits for an acknowledgement. A failure only costs time.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    tokio::select! {
        _ = exchange(client, server, &shared) => {}
        _ = lines.wait_for(|lines| lines.generation != generation) => {}
    }
}

/// Passes on in both directions until either ends, or until the armed moment.
async fn exchange(client: TcpStream, server: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let mut talk = Talk::default();
    loop {
        // A client that commits has had all answers to what it said before: the copy that ends here holds none back.
        let commit = tokio::select! {
            commit = until_commit(&mut talk, &mut from_client, &mut to_server, shared) => commit?,
            ended = copy(&mut from_server, &mut to_client) => return ended,
        };
        let Some((at, message)) = commit else { return Ok(()) };
        let mut held = Vec::new();
        if at != At::BeforeCommit {
            to_server.write_all(&message).await?;
            while !talk::is_ready(&held) {
                if from_server.read_buf(&mut held).await? == 0 {
                    return Ok(());
                }
            }
        }
        if at != At::Answer {
            shared.cut(true);
            shared.happened.notify_one();
            return Ok(());
        }
        shared.happened.notify_one();
        shared.released.notified().await;
        to_client.write_all(&held).await?;
    }
}

/// Passes on what the client says, message by message, up to a commit for which something was ordered. Gives that
/// commit, which is not passed on; none when the client ends.
async fn until_commit(
    talk: &mut Talk,
    client: &mut OwnedReadHalf,
    server: &mut OwnedWriteHalf,
    shared: &Shared,
) -> std::io::Result<Option<(At, Vec<u8>)>> {
    loop {
        let mut heard = Vec::new();
        while let Some((message, commits)) = talk.next() {
            if commits {
                if let Some(at) = shared.take(talk) {
                    server.write_all(&heard).await?;
                    return Ok(Some((at, message)));
                }
                talk.forget();
            }
            heard.extend_from_slice(&message);
        }
        server.write_all(&heard).await?;
        if client.read_buf(talk.buffer()).await? == 0 {
            return Ok(None);
        }
    }
}

async fn copy(from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf) -> std::io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        match from.read(&mut buffer).await? {
            0 => return Ok(()),
            read => to.write_all(&buffer[..read]).await?,
        }
    }
}
