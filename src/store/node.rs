//! One database node: its pool, its breaker, and Brasa's own deadline on every call.

use super::search::sql::Sql;
use super::sqlstate::{Failure, Phase, classify, deadline_passed};
use super::statement::Statement;
use crate::error::{Error, Result};
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row};
use tokio_postgres_rustls::MakeRustlsConnect;

/// How long the only node, or the coordinator, is left alone after it failed: nobody else can answer.
pub const COORDINATOR_REST: Duration = Duration::from_secs(1);
/// How long a worker is left alone: the coordinator answers for it meanwhile.
pub const WORKER_REST: Duration = Duration::from_secs(10);
/// How long a request waits for a free connection before it is refused as busy.
const POOL_WAIT: Duration = Duration::from_secs(5);
/// How long a statement may take to stop when the database is asked to.
const STOP_WAIT: Duration = Duration::from_secs(1);
/// How many statements a connection keeps prepared before it lets them all go. Searches have as many shapes as their
/// clients think of, and each costs memory here and in the database.
const KEPT_STATEMENTS: usize = 500;

/// Parameters of a statement, in order.
pub type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

/// How to reach a node and how long to wait for it.
#[derive(Clone)]
pub struct NodeSettings {
    pub connections_max: usize,
    pub deadline: Duration,
    /// Whether it is used the driver's configuration says.
    pub tls: MakeRustlsConnect,
}

pub struct Node {
    pool: Pool,
    tls: MakeRustlsConnect,
    deadline: Duration,
    /// How long it is left alone after a failure.
    rest: Duration,
    started: Instant,
    /// Milliseconds after `started` until which the node is left alone.
    closed_until_ms: AtomicU64,
}

impl Node {
    pub fn new(config: tokio_postgres::Config, settings: &NodeSettings, rest: Duration) -> Result<Arc<Node>> {
        // The fast method trusts the connection's own end-of-file; what it cannot see (a peer that vanished without a
        // word) meets the deadline. Verifying each checkout costs a round trip, half as much as the read it serves.
        let fast = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(config, settings.tls.clone(), fast);
        let pool = Pool::builder(manager)
            .max_size(settings.connections_max)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(POOL_WAIT))
            .create_timeout(Some(settings.deadline.min(POOL_WAIT)))
            .build()
            .map_err(Error::internal)?;
        Ok(Arc::new(Node {
            pool,
            tls: settings.tls.clone(),
            deadline: settings.deadline,
            rest,
            started: Instant::now(),
            closed_until_ms: AtomicU64::new(0),
        }))
    }

    /// A connection, or a refusal at once while the node's breaker is open.
    pub async fn connect(self: &Arc<Self>) -> std::result::Result<Connection, Failure> {
        if self.now_ms() < self.closed_until_ms.load(Ordering::Relaxed) {
            return Err(Failure::NodeDown(Error::busy(1).caused_by("the node failed a moment ago and is left alone")));
        }
        match self.pool.get().await {
            Ok(object) => {
                Ok(Connection { object: Some(object), node: Arc::clone(self), broken: AtomicBool::new(false) })
            }
            Err(deadpool_postgres::PoolError::Backend(fault)) => {
                // Whatever the reason, even a refused password: asking at once again would only cost time.
                self.leave_alone();
                Err(classify(&fault, Phase::Statement))
            }
            Err(deadpool_postgres::PoolError::Timeout(deadpool_postgres::TimeoutType::Wait)) => {
                Err(Failure::Other(Error::busy(1).caused_by("every connection of the pool is in use")))
            }
            Err(fault) => Err(self.noted(Failure::NodeDown(Error::busy(1).caused_by(fault)))),
        }
    }

    /// Opens the breaker when the failure says that the node is down.
    fn noted(&self, failure: Failure) -> Failure {
        if matches!(failure, Failure::NodeDown(_)) {
            self.leave_alone();
        }
        failure
    }

    fn leave_alone(&self) {
        let until = self.now_ms() + u64::try_from(self.rest.as_millis()).unwrap_or(u64::MAX);
        self.closed_until_ms.store(until, Ordering::Relaxed);
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub fn close(&self) {
        self.pool.close();
    }
}

/// A connection on loan. One that broke, or that is dropped inside a transaction, does not go back to the pool.
pub struct Connection {
    object: Option<Object>,
    node: Arc<Node>,
    broken: AtomicBool,
}

impl Connection {
    /// Marks the connection as unfit for the pool until [`Connection::release`] says otherwise.
    pub fn hold(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }

    pub fn release(&self) {
        self.broken.store(false, Ordering::Relaxed);
    }

    pub async fn query(
        &self,
        statement: Statement,
        parameters: Parameters<'_>,
    ) -> std::result::Result<Vec<Row>, Failure> {
        self.within(Phase::Statement, async {
            let client = self.client()?;
            let prepared = client.prepare_cached(statement.sql).await?;
            Ok(client.query(&prepared, parameters).await?)
        })
        .await
    }

    /// As [`Connection::query`], without the deadline: the caller has one.
    pub(super) async fn query_unbounded(
        &self,
        statement: Statement,
        parameters: Parameters<'_>,
    ) -> std::result::Result<Vec<Row>, Failure> {
        let client = self.object.as_deref().ok_or_else(|| Failure::NodeDown(Error::busy(1)))?;
        let fault = |fault| classify(&fault, Phase::Statement);
        let prepared = client.prepare_cached(statement.sql).await.map_err(fault)?;
        client.query(&prepared, parameters).await.map_err(fault)
    }

    /// What the database would do for a statement, a line each.
    pub(super) async fn explain(
        &self,
        statement: Statement,
        parameters: Parameters<'_>,
    ) -> std::result::Result<Vec<String>, Failure> {
        self.within(Phase::Statement, async {
            let rows = self.client()?.query(&format!("EXPLAIN {}", statement.sql), parameters).await?;
            Ok(rows.iter().map(|row| row.get(0)).collect())
        })
        .await
    }

    /// Runs a statement of a search, prepared once for each shape of search when its plan does not depend on its values.
    pub(super) async fn query_sql(&self, sql: &Sql, plan_once: bool) -> std::result::Result<Vec<Row>, Failure> {
        self.within(Phase::Search, async {
            let client = self.client()?;
            if !plan_once {
                let values: Vec<_> = sql.values().collect();
                return Ok(client.query_typed(sql.text(), &values).await?);
            }
            let (values, types): (Vec<_>, Vec<_>) = sql.values().unzip();
            if client.statement_cache.size() >= KEPT_STATEMENTS {
                client.statement_cache.clear();
            }
            let prepared = client.prepare_typed_cached(sql.text(), &types).await?;
            Ok(client.query(&prepared, &values).await?)
        })
        .await
    }

    pub async fn query_opt(
        &self,
        statement: Statement,
        parameters: Parameters<'_>,
    ) -> std::result::Result<Option<Row>, Failure> {
        Ok(self.query(statement, parameters).await?.pop())
    }

    /// Runs SQL text that has no parameters.
    pub async fn run(&self, sql: &str, phase: Phase) -> std::result::Result<(), Failure> {
        self.within(phase, async { Ok(self.client()?.batch_execute(sql).await?) }).await
    }

    /// Runs `work` under the node's deadline. Past it the database is asked to stop the statement; one that does not even
    /// answer to that is given up and left alone. A request that goes away meanwhile takes its statement with it.
    pub(super) async fn within<T>(
        &self,
        phase: Phase,
        work: impl Future<Output = std::result::Result<T, CallFault>>,
    ) -> std::result::Result<T, Failure> {
        let mut work = pin!(work);
        let mut running = Running { connection: self, is_over: false };
        let mut answer = tokio::time::timeout(self.node.deadline, &mut work).await;
        if answer.is_err() && phase != Phase::Commit {
            self.hold();
            answer = tokio::time::timeout(STOP_WAIT, async {
                running.stop().await;
                work.await
            })
            .await;
        }
        running.is_over = true;
        let failure = match answer {
            Ok(Ok(value)) => return Ok(value),
            // What the node itself said is no reason to leave it alone: a worker behind it may be the one that is down.
            // Nor is a connection that broke: whether the node is there, the next attempt to connect tells.
            Ok(Err(CallFault::Database(fault))) => classify(&fault, phase),
            Ok(Err(CallFault::Gone)) => Failure::NodeDown(Error::busy(1)),
            Err(_) => self.node.noted(deadline_passed(phase)),
        };
        if matches!(failure, Failure::NodeDown(_)) {
            self.hold();
        }
        Err(failure)
    }

    pub(super) fn client(&self) -> std::result::Result<&deadpool_postgres::ClientWrapper, CallFault> {
        self.object.as_deref().ok_or(CallFault::Gone)
    }

    /// The bare client, for the migrations.
    pub(super) fn client_mut(&mut self) -> Option<&mut Client> {
        self.object.as_deref_mut().map(|wrapper| &mut **wrapper)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.broken.load(Ordering::Relaxed)
            && let Some(object) = self.object.take()
        {
            // Detached from the pool and dropped: the socket closes, the server rolls back.
            drop(Object::take(object));
        }
    }
}

/// A statement under way. Dropped before it is over, it is stopped in the database: its client has gone away, and the
/// connection would otherwise make its next user wait for it.
struct Running<'a> {
    connection: &'a Connection,
    is_over: bool,
}

impl Running<'_> {
    /// Asks the database to stop it. Nobody can say whether it heard: the statement itself tells.
    fn stop(&self) -> impl Future<Output = ()> + Send + 'static {
        let token = self.connection.object.as_deref().map(|client| client.cancel_token());
        let tls = self.connection.node.tls.clone();
        async move {
            // Boxed: a handshake is large, each statement's future would have room for one, and hardly any needs it.
            if let Some(token) = token
                && let Err(fault) = Box::pin(token.cancel_query(tls)).await
            {
                tracing::debug!(%fault, "a statement could not be stopped");
            }
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        self.connection.hold();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(tokio::time::timeout(STOP_WAIT, self.stop()));
        }
    }
}

/// A fault of one call, before it is sorted.
pub enum CallFault {
    Database(tokio_postgres::Error),
    Gone,
}

impl From<tokio_postgres::Error> for CallFault {
    fn from(fault: tokio_postgres::Error) -> Self {
        CallFault::Database(fault)
    }
}
