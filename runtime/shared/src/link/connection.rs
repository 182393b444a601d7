//! What is behind the address: one server, or a cluster whose redirections are followed.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::try_join_all;
use redis::aio::{MultiplexedConnection, PubSub};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::{AsyncConnectionConfig, Cmd, FromRedisValue, Pipeline, RedisResult, Value};

use super::PATIENCE;
use crate::Address;

/// Waits between two tries of a command that a cluster redirects, in milliseconds.
const REDIRECTION: u64 = 5;

/// Makes connections.
pub(crate) enum Client {
    Server(redis::Client),
    Cluster {
        cluster: Box<ClusterClient>,
        /// Each of its nodes tells what is published at any of them.
        nodes: Vec<redis::Client>,
        /// The node that is asked next.
        turn: AtomicUsize,
    },
}

/// A connection. Cheap to clone; clones share it.
#[derive(Clone)]
pub(crate) enum Connection {
    Server(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Client {
    pub fn new(address: &Address) -> RedisResult<Self> {
        if !address.is_cluster {
            return Ok(Self::Server(redis::Client::open(address.first().clone())?));
        }
        let nodes: RedisResult<Vec<_>> = address.nodes.iter().cloned().map(redis::Client::open).collect();
        let cluster = ClusterClient::builder(address.nodes.clone())
            .connection_timeout(PATIENCE)
            .response_timeout(PATIENCE)
            .min_retry_wait(REDIRECTION)
            .max_retry_wait(REDIRECTION);
        Ok(Self::Cluster { cluster: Box::new(cluster.build()?), nodes: nodes?, turn: AtomicUsize::new(0) })
    }

    pub fn is_cluster(&self) -> bool {
        matches!(self, Self::Cluster { .. })
    }

    pub async fn connect(&self) -> RedisResult<Connection> {
        match self {
            Self::Server(client) => {
                let config =
                    AsyncConnectionConfig::new().set_connection_timeout(Some(PATIENCE)).set_response_timeout(None);
                Ok(Connection::Server(client.get_multiplexed_async_connection_with_config(&config).await?))
            }
            Self::Cluster { cluster, .. } => Ok(Connection::Cluster(cluster.get_async_connection().await?)),
        }
    }

    /// To be told things on; of a cluster the next node at each call, since the one before may be gone.
    pub async fn subscribe(&self) -> RedisResult<PubSub> {
        match self {
            Self::Server(client) => client.get_async_pubsub().await,
            Self::Cluster { nodes, turn, .. } => {
                let turn = turn.fetch_add(1, Ordering::Relaxed);
                nodes[turn % nodes.len()].get_async_pubsub().await
            }
        }
    }
}

impl Connection {
    pub async fn query<T: FromRedisValue>(&self, command: &Cmd) -> RedisResult<T> {
        match self.clone() {
            Self::Server(mut connection) => command.query_async(&mut connection).await,
            Self::Cluster(mut connection) => command.query_async(&mut connection).await,
        }
    }

    /// The answers to all commands. In a cluster each goes to the node of its key, at the same time.
    pub async fn run<T: FromRedisValue>(&self, pipeline: &Pipeline) -> RedisResult<T> {
        match self {
            Self::Server(connection) => pipeline.query_async(&mut connection.clone()).await,
            Self::Cluster(_) => {
                let answers = try_join_all(pipeline.cmd_iter().map(|command| self.query::<Value>(command))).await?;
                Ok(T::from_redis_value(Value::Array(answers))?)
            }
        }
    }
}
