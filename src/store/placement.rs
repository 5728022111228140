//! The nodes of the database and which of them owns a compartment: one node, or a Citus cluster routed by shard.
//!
//! Any node of a Citus cluster answers any query, so a placement that is out of date costs a hop and never an answer.

use super::node::{COORDINATOR_REST, Connection, Node, NodeSettings, WORKER_REST};
use super::shard::{Shard, ShardMap};
use super::sqlstate::{Failure, Phase};
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::sync::{Arc, RwLock};

/// Compares this many values of the hash with Citus's own before it is trusted (values).
const HASH_CHECKS: i32 = 300;

/// How statements that fan out run on a Citus cluster: few connections, slowly opened (docs/decisions/0002-routing.md).
const CITUS_OPTIONS: &str = "-c citus.max_adaptive_executor_pool_size=1 -c citus.executor_slow_start_interval=100ms";

/// The nodes as a snapshot; replaced as a whole when shards have moved.
#[derive(Default)]
struct Routes {
    map: ShardMap,
    workers: Vec<Worker>,
}

/// A node that owns shards, and its address.
#[derive(Clone)]
struct Worker {
    host: String,
    port: u16,
    node: Arc<Node>,
}

pub struct Nodes {
    /// The only node of plain PostgreSQL, or the coordinator of a Citus cluster.
    coordinator: Arc<Node>,
    config: tokio_postgres::Config,
    settings: NodeSettings,
    routes: RwLock<Arc<Routes>>,
}

impl Nodes {
    pub fn new(config: tokio_postgres::Config, settings: NodeSettings, on_citus: bool) -> Result<Nodes> {
        let config = if on_citus { with_options(config) } else { config };
        let coordinator = Node::new(config.clone(), &settings, COORDINATOR_REST)?;
        Ok(Nodes { coordinator, config, settings, routes: RwLock::default() })
    }

    pub fn coordinator(&self) -> &Arc<Node> {
        &self.coordinator
    }

    /// A connection to the node that owns the compartment, or to the coordinator when that is not known or not reached.
    pub async fn connect_to(&self, compartment: &str) -> std::result::Result<Connection, Failure> {
        self.connect_to_all(std::iter::once(compartment)).await
    }

    /// A connection to the one node that owns all these compartments; to the coordinator when there is no such node.
    pub async fn connect_to_all<'a>(
        &self,
        compartments: impl Iterator<Item = &'a str>,
    ) -> std::result::Result<Connection, Failure> {
        if let Some(owner) = self.owner(compartments) {
            match owner.connect().await {
                Ok(connection) => return Ok(connection),
                Err(failure) => {
                    let cause = failure.into_error().cause.unwrap_or_default();
                    tracing::debug!(cause, "the owner of a shard gives no connection: through the coordinator instead");
                }
            }
        }
        self.coordinator.connect().await
    }

    fn owner<'a>(&self, mut compartments: impl Iterator<Item = &'a str>) -> Option<Arc<Node>> {
        let routes = self.routes.read().ok().map(|routes| Arc::clone(&routes))?;
        let first = routes.map.shard_of(compartments.next()?)?.node;
        let alike = compartments.all(|other| routes.map.shard_of(other).is_some_and(|shard| shard.node == first));
        alike.then(|| routes.workers.get(first).map(|worker| Arc::clone(&worker.node))).flatten()
    }

    /// The number of the node that owns a compartment, to group by; 0 where there is one node or it is not known.
    pub fn node_of(&self, compartment: &str) -> usize {
        let routes = self.routes.read().ok().map(|routes| Arc::clone(&routes));
        routes.and_then(|routes| routes.map.shard_of(compartment).map(|shard| shard.node)).unwrap_or_default()
    }

    /// The shard of a distribution value, to group rows by; one and the same on plain PostgreSQL.
    pub fn shard_of(&self, value: &str) -> i64 {
        let routes = self.routes.read().ok().map(|routes| Arc::clone(&routes));
        routes.and_then(|routes| routes.map.shard_of(value).map(|shard| shard.id)).unwrap_or_default()
    }

    /// Whether statements are sent to the nodes that own their shards.
    pub fn routes(&self) -> bool {
        self.routes.read().is_ok_and(|routes| !routes.workers.is_empty())
    }

    /// Reads where the shards are. On a Citus cluster only. A step that may be repeated at any time.
    pub async fn reload(&self) -> Result<()> {
        let connection = self.coordinator.connect().await.map_err(Failure::into_error)?;
        let rows =
            connection.within(Phase::Statement, async { Ok(connection.client()?.query(PLACEMENTS, &[]).await?) });
        let rows = rows.await.map_err(Failure::into_error)?;
        let mut addresses: Vec<(String, u16)> = Vec::new();
        let mut shards = Vec::with_capacity(rows.len());
        for row in &rows {
            let address =
                (row.get::<_, String>("nodename"), u16::try_from(row.get::<_, i32>("nodeport")).unwrap_or(5432));
            let node = addresses.iter().position(|known| *known == address).unwrap_or(addresses.len());
            if node == addresses.len() {
                addresses.push(address);
            }
            let (hash_min, hash_max) = (row.get("hash_min"), row.get("hash_max"));
            shards.push(Shard { id: row.get("shardid"), hash_min, hash_max, node });
        }
        let map = ShardMap::new(shards);
        if !hash_agrees(&connection, &map).await? {
            tracing::warn!(
                "the hash of this Citus is not the expected one: every statement goes through the coordinator"
            );
            return Ok(());
        }
        self.install(map, addresses)
    }

    /// Keeps the pools of nodes that are still there.
    fn install(&self, map: ShardMap, addresses: Vec<(String, u16)>) -> Result<()> {
        let mut routes = self.routes.write().map_err(Error::internal)?;
        if routes.map == map {
            return Ok(());
        }
        let mut workers = Vec::with_capacity(addresses.len());
        for (host, port) in addresses {
            let known = routes.workers.iter().find(|worker| worker.host == host && worker.port == port);
            workers.push(match known {
                Some(worker) => worker.clone(),
                None => {
                    let node = Node::new(self.config_of(&host, port), &self.settings, WORKER_REST)?;
                    Worker { host, port, node }
                }
            });
        }
        *routes = Arc::new(Routes { map, workers });
        Ok(())
    }

    /// The coordinator's settings with another address. Citus itself connects by TCP, so a worker's name is one.
    fn config_of(&self, host: &str, port: u16) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        // Encrypted like the coordinator; with `verify-full` the worker's certificate bears the name that Citus knows it by.
        config.ssl_mode(self.config.get_ssl_mode());
        config.host(host).port(port).connect_timeout(self.settings.deadline.min(std::time::Duration::from_secs(5)));
        if let Some(user) = self.config.get_user() {
            config.user(user);
        }
        if let Some(password) = self.config.get_password() {
            config.password(password);
        }
        if let Some(name) = self.config.get_dbname() {
            config.dbname(name);
        }
        if let Some(options) = self.config.get_options() {
            config.options(options);
        }
        if let Some(name) = self.config.get_application_name() {
            config.application_name(name);
        }
        config
    }

    pub fn close(&self) {
        self.coordinator.close();
        if let Ok(routes) = self.routes.read() {
            routes.workers.iter().for_each(|worker| worker.node.close());
        }
    }
}

fn with_options(mut config: tokio_postgres::Config) -> tokio_postgres::Config {
    let options = match config.get_options() {
        Some(present) => format!("{present} {CITUS_OPTIONS}"),
        None => CITUS_OPTIONS.to_owned(),
    };
    config.options(options);
    config
}

/// Where each shard of the colocation group is, by the shards of `resource`.
const PLACEMENTS: &str = include_str!("../../sql/citus/statements/placements.sql");
const HASH_CHECK: &str = include_str!("../../sql/citus/statements/hash_check.sql");

/// Whether this program and Citus agree on the shard of a few hundred values.
async fn hash_agrees(connection: &Connection, map: &ShardMap) -> Result<bool> {
    let values: Vec<String> =
        (0..HASH_CHECKS).map(|n| format!("{}/{n}", "x".repeat(usize::try_from(n % 40).unwrap_or(0)))).collect();
    let rows =
        connection.within(Phase::Statement, async { Ok(connection.client()?.query(HASH_CHECK, &[&values]).await?) });
    let rows = rows.await.map_err(Failure::into_error)?;
    let theirs: HashMap<String, i64> = rows.iter().map(|row| (row.get("value"), row.get("shardid"))).collect();
    Ok(values.iter().all(|value| map.shard_of(value).is_some_and(|shard| theirs.get(value) == Some(&shard.id))))
}
