//! The only room with SQL: nodes and routing, the current and superseded versions, and the one commit.

mod account;
mod audit;
pub mod body;
mod commit;
mod criterion;
mod database;
mod dictionary;
pub mod embedded;
mod expunge;
mod guard;
mod history;
mod identifier;
mod index;
mod migrate;
mod node;
mod operation;
mod parameter;
mod placement;
mod read;
mod reindex;
mod reindex_job;
pub mod search;
mod secret;
pub mod shard;
pub mod sqlstate;
pub mod statement;
mod tls;

pub use account::{
    AccountChange, AccountRow, AccountState, AccountTables, ClientChange, ClientContext, ClientRow, CodeRow, KeyRow,
    KeyState, NewAccount, NewCode, NewSession, ResetOwner, SessionRow, SessionState, SigningKeyRow,
};
pub use audit::{
    AuditKey, AuditMonth, AuditQuery, MadeSeal, NamedRecord, StoredRecord, Trail, WriterHead, WriterRow, month_of,
};
pub use commit::{Locked, NewVersion, Previous, Scope, Transaction, Write, WriteFailure};
pub use criterion::CriterionLock;
pub use database::Database;
pub use dictionary::{SAMPLES_MAX, is_sample};
pub use expunge::{Extent, Removed as Expunged, hex as expunge_hex};
pub use guard::{Standing, missing};
pub use history::{HistoryKey, HistoryScope, HistoryWindow};
pub use identifier::Identifier;
pub use parameter::{ParameterState, TypeVersions};
pub use read::{Reader, Stored};
pub use reindex::{Indexer, Listed};
pub use reindex_job::{Due, ReindexJob, Turn};

use crate::auth::Grant;
use crate::config::{BodyCodec, Engine, Settings};
use crate::error::{Error, Result};
use audit::Lanes;
use body::{Codec, EncodedBody};
use guard::Rights;
use node::{COORDINATOR_REST, Node, NodeSettings};
use placement::Nodes;
use search::Frequencies;
use sqlstate::Failure;
use std::sync::Arc;
use std::time::Duration;

/// One statement a line, so that each has the deadline of a statement.
const ANALYZE: &str = include_str!("../../sql/statements/analyze.sql");

/// The database, open and migrated.
pub struct Store {
    nodes: Nodes,
    /// Connections for locks on criteria.
    locks: Arc<Node>,
    codec: Codec,
    on_citus: bool,
    frequencies: Frequencies,
    rights: Rights,
    /// `None`: accesses are not recorded.
    trail: Option<Arc<Trail>>,
    lanes: Lanes,
    transaction_deadline: Duration,
    /// The key of paging tokens, the same on every server of this database.
    pub paging_secret: [u8; 32],
}

impl Store {
    /// Connects, migrates, and on Citus distributes the tables and learns where the shards are. `progress` gets a
    /// sentence for people at each step that can take a while.
    pub async fn open(database: &Database, settings: &Settings, progress: impl Fn(&str)) -> Result<Store> {
        let config = database.config.clone();
        let node_settings = NodeSettings {
            connections_max: settings.pool_connections_max,
            deadline: settings.database_deadline,
            tls: database.tls.clone(),
        };
        let plain = Nodes::new(config.clone(), node_settings.clone(), false)?;
        let on_citus = match settings.engine {
            Engine::Postgres => false,
            Engine::Citus => migrate::citus_is_offered(plain.coordinator(), true).await?,
            Engine::Auto => migrate::citus_is_offered(plain.coordinator(), false).await?,
        };
        progress(if on_citus { "Preparing the tables on the Citus cluster." } else { "Preparing the tables." });
        migrate::migrate(plain.coordinator(), on_citus.then_some(settings.shard_count)).await?;
        let paging_secret = secret::read(plain.coordinator(), "paging").await?;
        plain.close();
        let lock_settings = NodeSettings { connections_max: criterion::CONNECTIONS_MAX, ..node_settings.clone() };
        let locks = Node::new(config.clone(), &lock_settings, COORDINATOR_REST)?;
        let nodes = Nodes::new(config, node_settings, on_citus)?;
        let codec = Codec::new(settings.body_codec == BodyCodec::Zstd);
        let transaction_deadline = settings.transaction_deadline;
        let frequencies = Frequencies::default();
        let rights = Rights::new(settings.base_url.as_ref().map(|base| base.as_str().to_owned()));
        let trail = settings.audit.then(|| Arc::new(Trail::new()));
        let lanes = Lanes::default();
        let store = Store {
            nodes,
            locks,
            codec,
            on_citus,
            frequencies,
            rights,
            trail,
            lanes,
            transaction_deadline,
            paging_secret,
        };
        store.load_dictionaries().await?;
        store.open_trail().await?;
        if on_citus {
            store.nodes.reload().await?;
        }
        Ok(store)
    }

    pub fn on_citus(&self) -> bool {
        self.on_citus
    }

    /// Whether single-patient statements go straight to the node that owns the shard.
    pub fn routes(&self) -> bool {
        self.nodes.routes()
    }

    /// One step of background care: learns where the shards are now.
    pub async fn refresh(&self) -> Result<()> {
        if self.on_citus { self.nodes.reload().await } else { Ok(()) }
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<()> {
        let connection = self.nodes.coordinator().connect().await.map_err(Failure::into_error)?;
        connection.run("SELECT 1", sqlstate::Phase::Statement).await.map_err(Failure::into_error)
    }

    /// Tells the planner what the tables hold now. After much was written at once, the database's own care may be a minute
    /// behind, in which searches take plans for empty tables.
    pub async fn analyze(&self) -> Result<()> {
        let connection = self.nodes.coordinator().connect().await.map_err(Failure::into_error)?;
        for statement in ANALYZE.lines() {
            connection.run(statement, sqlstate::Phase::Statement).await.map_err(Failure::into_error)?;
        }
        Ok(())
    }

    pub fn reader<'a>(&'a self, grant: &'a Grant) -> Reader<'a> {
        Reader::new(self, grant)
    }

    pub fn encode(&self, json: &[u8]) -> Result<EncodedBody> {
        self.codec.encode(json)
    }

    /// Lets the connections go. Statements under way end first.
    pub fn close(&self) {
        self.nodes.close();
        self.locks.close();
    }

    async fn decode(&self, body: &[u8]) -> Result<Vec<u8>> {
        match self.codec.decode(body) {
            Ok(json) => Ok(json),
            Err(body::Undecodable::UnknownDictionary(number)) => {
                // Another server may have trained one since this one started.
                self.load_dictionaries().await?;
                self.codec.decode(body).map_err(|_| {
                    Error::internal(format!(
                        "a stored body needs dictionary {number}, which the database does not have"
                    ))
                })
            }
            Err(body::Undecodable::Damaged) => Err(Error::internal("a stored body is damaged")),
        }
    }
}
