//! The load balancer before the nodes: one address, whichever of them are up.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Passes each connection to the next node that takes it, and closes it when none does.
pub struct Front {
    /// Where Meta and integrators connect.
    pub address: SocketAddr,
    nodes: Arc<Mutex<Vec<SocketAddr>>>,
    accepting: JoinHandle<()>,
}

impl Front {
    /// With no node behind it yet.
    pub async fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let nodes = Arc::new(Mutex::new(Vec::new()));
        let behind = nodes.clone();
        let accepting = tokio::spawn(async move {
            let mut turn = 0;
            while let Ok((client, _)) = listener.accept().await {
                let mut nodes = behind.lock().unwrap_or_else(PoisonError::into_inner).clone();
                if !nodes.is_empty() {
                    turn += 1;
                    let next = turn % nodes.len();
                    nodes.rotate_left(next);
                    tokio::spawn(pass(client, nodes));
                }
            }
        });
        Ok(Self { address, nodes, accepting })
    }

    /// New connections go to these nodes from now on; those that are open stay where they are.
    pub fn lead_to(&self, nodes: Vec<SocketAddr>) {
        *self.nodes.lock().unwrap_or_else(PoisonError::into_inner) = nodes;
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn pass(mut client: TcpStream, nodes: Vec<SocketAddr>) {
    for node in nodes {
        if let Ok(mut server) = TcpStream::connect(node).await {
            // Without it small requests wait for acknowledgements; a failure only costs time.
            let _ = (client.set_nodelay(true), server.set_nodelay(true));
            // It ends when either side does, whatever the reason.
            let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            return;
        }
    }
}
