//! A proxy in front of Postgres that a test can cut: the database is away, as it would be after a failure of the
//! network, and comes back when the test says so.

use std::net::SocketAddr;
use std::str::FromStr;

use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Passes everything on until [`Proxy::cut`]. It ends when this is dropped.
pub struct Proxy {
    address: SocketAddr,
    server: PgConnectOptions,
    whole: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// A proxy in front of the server of this database.
    pub async fn start(database_url: &str) -> Self {
        let server = PgConnectOptions::from_str(database_url).unwrap();
        let target = (server.get_host().to_owned(), server.get_port());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (whole, state) = watch::channel(true);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, target.clone(), state.clone()));
            }
        });
        Self { address, server, whole, accepting }
    }

    /// The database's URL by way of the proxy.
    pub fn url(&self) -> String {
        let options = self.server.clone().host(&self.address.ip().to_string()).port(self.address.port());
        options.to_url_lossy().to_string()
    }

    /// Ends all connections; new ones end as soon as they are made.
    pub fn cut(&self) {
        self.whole.send_replace(false);
    }

    /// Takes connections again.
    pub fn restore(&self) {
        self.whole.send_replace(true);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

async fn pass(mut client: TcpStream, target: (String, u16), mut whole: watch::Receiver<bool>) {
    if !*whole.borrow_and_update() {
        return;
    }
    let Ok(mut server) = TcpStream::connect(target).await else { return };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
        _ = whole.wait_for(|whole| !whole) => {}
    }
}
