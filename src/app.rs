//! The composition root: settings become a database, a store, interactions and an HTTP server.

mod demo;

use crate::account::Accounts;
use crate::background::{self, Sealer};
use crate::config::{Auth, Mode, Profiles as Asked, Settings, Validation};
use crate::error::{Error, Kind, Result};
use crate::http::{self, State};
use crate::interaction::mint::Minter;
use crate::interaction::parameters::Parameters;
use crate::interaction::profiles::{Demand, Profiles};
use crate::interaction::{Context, Limits};
use crate::search::registry::Registry;
use crate::store::embedded::Role;
use crate::store::{Database, Store};
use crate::validate::{self, Level};
use actix_web::dev::{Server, ServerHandle};
use actix_web::middleware::{Compress, Condition, DefaultHeaders, from_fn};
use actix_web::{App, HttpServer, web};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// How often a server on Citus looks where the shards are.
const REFRESH_EVERY: Duration = Duration::from_secs(30);
/// How often a server looks whether its embedded database is still there.
const REVIVE_EVERY: Duration = Duration::from_secs(1);
/// How often a server looks for keys that another one made: src/account/signing.rs counts on a minute.
const LOOK_FOR_KEYS_EVERY: Duration = Duration::from_secs(60);
/// So many letters are sent at once: one that the mail server keeps waiting does not hold up all others.
const LETTERS_AT_ONCE: usize = 4;
/// How long it waits after the database failed.
const LETTERS_REST: Duration = Duration::from_secs(5);
/// How long a client may take to send a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// What a demonstration says of itself, before anything else.
const DEMO_BANNER: &str = "DEMONSTRATION (BRASA_MODE=demo): anybody can log in with the passwords that the documentation \
    names. Store nothing about real people.";

/// The database and what works on it, without HTTP: enough for the command line.
pub struct Engine {
    pub context: Arc<Context>,
    database: Database,
    /// Whatever writes must know the search parameters that others add.
    care: tokio::task::JoinHandle<()>,
    /// `None`: accesses are not recorded.
    sealing: Option<(Arc<Sealer>, tokio::task::JoinHandle<()>)>,
}

impl Engine {
    pub async fn open(settings: &Settings, role: Role, progress: impl Fn(&str) + Send + Sync) -> Result<Engine> {
        let database = Database::open(settings, role, &progress).await?;
        let store = Store::open(&database, settings, &progress).await.map_err(|error| unreachable(error, settings))?;
        if settings.validation == Validation::Full {
            validate::prepare();
        }
        let limits = Limits {
            json_depth_max: settings.json_depth_max,
            resource_bytes_max: settings.body_bytes_max,
            bundle_entries_max: settings.bundle_entries_max,
            batch_concurrency: settings.batch_concurrency,
            page_count_default: settings.page_count_default,
            page_count_max: settings.page_count_max,
            included_max: settings.included_max,
            conditional_deletes_max: settings.conditional_deletes_max,
            explain: settings.explain,
            validation: match settings.validation {
                Validation::Full => Level::Full,
                Validation::Structure => Level::Structure,
                Validation::Off => Level::Off,
            },
        };
        let registry = match settings.full_text {
            true => Arc::new(Registry::clone(&Registry::standard()).with_full_text()),
            false => Registry::standard(),
        };
        let own_base = settings.base_url.as_ref().map(|base| base.as_str().to_owned());
        let context = Arc::new(Context {
            store,
            limits,
            minter: Minter::default(),
            parameters: Parameters::new(registry),
            profiles: Profiles::new(match settings.profiles {
                Asked::Off => Demand::Off,
                Asked::Claimed => Demand::Claimed,
                Asked::Required => Demand::Required,
            }),
            own_base,
            has_accounts: settings.auth == Auth::On,
        });
        context.parameters.open(&context.store).await?;
        let care = tokio::spawn(background::keep_parameters(Arc::clone(&context)));
        let sealing = match settings.audit {
            false => None,
            true => {
                let sealer = Arc::new(Sealer::open(Arc::clone(&context), settings.audit_months_kept).await?);
                let keeping = Arc::clone(&sealer);
                Some((sealer, tokio::spawn(async move { keeping.keep().await })))
            }
        };
        Ok(Engine { context, database, care, sealing })
    }

    pub async fn close(self) -> Result<()> {
        self.care.abort();
        if let Some((sealer, keeping)) = self.sealing {
            keeping.abort();
            sealer.close().await;
        }
        if let Err(error) = self.context.parameters.leave(&self.context.store).await {
            tracing::debug!(cause = error.cause.as_deref(), "could not say that this server goes");
        }
        self.context.store.close();
        self.database.close().await
    }
}

/// At the start nobody waits and tries again: the operator must know what is not there.
fn unreachable(error: Error, settings: &Settings) -> Error {
    match (error.kind, &settings.database_url) {
        (Kind::Busy { .. }, Some(url)) => {
            let message = format!(
                "The database of BRASA_DATABASE_URL ({url}) cannot be reached. Is it running, and is the address right?"
            );
            Error { message, ..error }
        }
        _ => error,
    }
}

/// A server that is listening.
pub struct Application {
    engine: Engine,
    accounts: Option<Arc<Accounts>>,
    server: Server,
    state: web::Data<State>,
    pub address: SocketAddr,
}

/// Stops a running server from elsewhere.
pub struct Stopper {
    state: web::Data<State>,
    handle: ServerHandle,
}

impl Stopper {
    /// Not ready from now on; what is under way may end within the time that the settings give.
    pub async fn stop(self) {
        self.state.drain();
        self.handle.stop(true).await;
    }
}

impl Application {
    /// Opens the database and starts to listen. Port 0 takes a free one.
    pub async fn build(settings: &Settings, progress: impl Fn(&str) + Send + Sync) -> Result<Application> {
        if settings.mode == Mode::Demo {
            tracing::warn!("{DEMO_BANNER}");
            progress(DEMO_BANNER);
        }
        let engine = Engine::open(settings, Role::Owner, &progress).await?;
        let accounts = match open_accounts(&engine, settings, &progress).await {
            Ok(accounts) => accounts,
            Err(error) => {
                engine.close().await?;
                return Err(error);
            }
        };
        let runtime = tokio::runtime::Handle::current();
        let state = State::new(Arc::clone(&engine.context), accounts.clone(), settings, runtime);
        let state = web::Data::new(state);
        let shared = state.clone();
        let is_demo = settings.mode == Mode::Demo;
        let origins = settings.cors_origins.clone();
        let server = HttpServer::new(move || {
            App::new()
                .app_data(shared.clone())
                .wrap(Compress::default())
                .wrap(from_fn(http::no_encoding_is_refused))
                .wrap(Condition::new(is_demo, DefaultHeaders::new().add(("X-Brasa-Mode", Mode::Demo.word()))))
                .wrap(http::cors(origins.as_ref()))
                .wrap(from_fn(http::preflight_is_told))
                .configure(http::routes)
        });
        let listen = settings.listen;
        let bound = server
            .workers(settings.http_workers)
            .client_request_timeout(HEAD_TIMEOUT)
            .shutdown_timeout(settings.shutdown.as_secs())
            .disable_signals()
            .bind(listen);
        let bound = match bound {
            Ok(bound) => bound,
            Err(fault) => {
                engine.close().await?;
                let message = format!(
                    "Cannot listen on {listen}: {fault}. Stop what uses it, or set BRASA_LISTEN to another address."
                );
                return Err(Error::invalid(message));
            }
        };
        let address = bound.addrs().first().copied().unwrap_or(listen);
        Ok(Application { engine, accounts, server: bound.run(), state, address })
    }

    pub fn stopper(&self) -> Stopper {
        Stopper { state: self.state.clone(), handle: self.server.handle() }
    }

    pub fn on_citus(&self) -> bool {
        self.engine.context.store.on_citus()
    }

    /// Serves until it is stopped, then closes the database's connections and the embedded database.
    pub async fn run(self) -> Result<()> {
        let context = &self.engine.context;
        let mut care = vec![
            tokio::spawn(keep_routes(Arc::clone(context))),
            tokio::spawn(background::keep_index(Arc::clone(context))),
        ];
        if let Some(accounts) = self.accounts {
            care.extend((0..LETTERS_AT_ONCE).map(|_| tokio::spawn(write_letters(Arc::clone(&accounts)))));
            care.push(tokio::spawn(keep_accounts(accounts)));
        }
        let served = tokio::select! {
            served = self.server => served,
            () = keep_database(&self.engine.database) => Ok(()),
        };
        care.iter().for_each(tokio::task::JoinHandle::abort);
        drop(self.state);
        self.engine.close().await?;
        served.map_err(Error::internal)
    }
}

/// `None`: the server was told to know nobody.
async fn open_accounts(engine: &Engine, settings: &Settings, progress: impl Fn(&str)) -> Result<Option<Arc<Accounts>>> {
    match settings.auth {
        Auth::Off => Ok(None),
        Auth::On => {
            let accounts = Accounts::open(&engine.context.store, settings, progress).await?;
            if settings.mode == Mode::Demo {
                demo::make_records(&engine.context).await?;
            }
            Ok(Some(Arc::new(accounts)))
        }
    }
}

/// Takes up the keys of other servers and removes what is out of date. Never ends.
async fn keep_accounts(accounts: Arc<Accounts>) {
    loop {
        tokio::time::sleep(LOOK_FOR_KEYS_EVERY).await;
        if let Err(error) = accounts.step().await {
            tracing::warn!(cause = error.cause.as_deref(), "could not read the keys that sign tokens");
        }
    }
}

/// Writes the letters that accounts asked for. Never ends.
async fn write_letters(accounts: Arc<Accounts>) {
    loop {
        if let Err(error) = accounts.post_step().await {
            tracing::warn!(cause = error.cause.as_deref(), "a letter could not be written");
            tokio::time::sleep(LETTERS_REST).await;
        }
    }
}

/// Looks now and then where the shards are. Never ends.
async fn keep_routes(context: Arc<Context>) {
    loop {
        tokio::time::sleep(REFRESH_EVERY).await;
        if let Err(error) = context.store.refresh().await {
            tracing::warn!(cause = error.cause.as_deref(), "could not read where the shards are");
        }
    }
}

/// Starts the embedded database again when it was killed. Never ends.
async fn keep_database(database: &Database) {
    loop {
        tokio::time::sleep(REVIVE_EVERY).await;
        if let Err(error) = database.revive().await {
            tracing::error!(cause = error.cause.as_deref(), "the embedded database is gone and does not start");
        }
    }
}
