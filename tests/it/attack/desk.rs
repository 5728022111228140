//! Asks the server's interactions as somebody, without the way over HTTP.

use crate::support::database::TestDatabase;
use brasa::app::Engine;
use brasa::audit::record::Record;
use brasa::auth::access::Access;
use brasa::auth::agent::{Agent, Origin};
use brasa::auth::role::Role;
use brasa::auth::{Grant, of_server};
use brasa::config::Settings;
use brasa::fhir::definitions::ResourceType;
use brasa::fhir::id::{Id, VersionId};
use brasa::interaction::request::{Conditions, Method, Prefer, Request, form_urlencoded};
use brasa::interaction::route::{Interaction, route};
use brasa::interaction::{handle, operation};
use brasa::store::search::{Step, Trace};
use brasa::store::{AuditQuery, HistoryScope, HistoryWindow, embedded};
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Mutex;

pub struct Desk {
    engine: Engine,
    /// What was asked by somebody: the request's id, how it was answered, and what it was.
    asked: Mutex<Vec<(String, u16, String)>>,
    /// Dropped with the engine: the database goes with it.
    _database: TestDatabase,
}

/// One request.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    pub method: &'static str,
    /// Under the base, with its query.
    pub path: String,
    pub body: Option<Value>,
    pub if_none_exist: Option<String>,
}

impl Ask {
    pub fn get(path: impl Into<String>) -> Ask {
        Ask { method: "GET", path: path.into(), ..Ask::default() }
    }

    pub fn with(method: &'static str, path: impl Into<String>, body: Value) -> Ask {
        Ask { method, path: path.into(), body: Some(body), ..Ask::default() }
    }

    pub fn delete(path: impl Into<String>) -> Ask {
        Ask { method: "DELETE", path: path.into(), ..Ask::default() }
    }
}

/// What came back.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    pub status: u16,
    pub body: Value,
}

impl Told {
    /// `Type/id` of each entry of a Bundle.
    pub fn found(&self) -> Vec<String> {
        let entries = self.body["entry"].as_array().cloned().unwrap_or_default();
        let resources = entries.iter().map(|entry| &entry["resource"]).filter(|resource| !resource["id"].is_null());
        resources
            .map(|one| format!("{}/{}", one["resourceType"].as_str().unwrap(), one["id"].as_str().unwrap()))
            .collect()
    }
}

pub fn of(role: Role) -> Access {
    Access { role: Some(role), duties: None, patient: None, reason: None, client: None }
}

pub fn patient(id: &str) -> Access {
    Access { patient: Some(Id::parse(id).unwrap()), ..of(Role::Patient) }
}

impl Desk {
    /// `records`: whether accesses are recorded.
    pub async fn open(records: bool) -> Desk {
        Desk::on(TestDatabase::make().await, records).await
    }

    async fn on(database: TestDatabase, records: bool) -> Desk {
        let url = database.url();
        let look_up = |name: &str| match name {
            "BRASA_DATABASE_URL" => Some(url.clone()),
            "BRASA_SHARD_COUNT" => Some("4".to_owned()),
            "BRASA_VALIDATION" => Some("off".to_owned()),
            "BRASA_POOL_CONNECTIONS_MAX" => Some("8".to_owned()),
            "BRASA_AUDIT" => Some(if records { "on" } else { "off" }.to_owned()),
            _ => None,
        };
        let settings = Settings::from_env(look_up).unwrap();
        let engine = Engine::open(&settings, embedded::Role::Attach, |_: &str| {}).await.unwrap();
        Desk { engine, asked: Mutex::default(), _database: database }
    }

    /// From now on accesses are recorded.
    pub async fn recording(self) -> Desk {
        let Desk { engine, _database, .. } = self;
        engine.close().await.unwrap();
        Desk::on(_database, true).await
    }

    pub async fn ask(&self, access: &Access, ask: &Ask) -> Told {
        let what = format!("{} {}", ask.method, ask.path);
        let request = {
            let mut asked = self.asked.lock().unwrap();
            let request = format!("ask-{}", asked.len());
            asked.push((request.clone(), 0, what));
            request
        };
        let agent = Agent { account: Some("attacker".to_owned()), ..Agent::default() };
        let grant = Grant::of(access.clone()).asked_by(Origin { agent, request: request.clone() });
        let told = self.under(&grant, ask, &request).await;
        let mut asked = self.asked.lock().unwrap();
        let slot = asked.iter_mut().find(|one| one.0 == request).unwrap();
        slot.1 = told.status;
        drop(asked);
        told
    }

    /// Each access that somebody asked for has its record, with how it was answered.
    pub async fn each_is_recorded(&self) {
        let (grant, store) = (of_server(), &self.engine.context.store);
        let mut recorded: HashMap<String, Vec<u16>> = HashMap::new();
        let mut query = AuditQuery { count: 1_000, ..AuditQuery::default() };
        loop {
            let page = store.audit_list(&grant, &query).await.unwrap();
            let Some(last) = page.last() else { break };
            query.after = Some(last.key);
            for one in page {
                assert_eq!(one.record.agent.account.as_deref(), Some("attacker"));
                recorded.entry(one.record.request).or_default().push(one.record.status);
            }
        }
        let asked = self.asked.lock().unwrap().clone();
        assert!(!asked.is_empty());
        for (request, status, what) in asked {
            let statuses = recorded.get(&request).unwrap_or_else(|| panic!("{what} ({status}) has no record"));
            // Of a Bundle each entry is told.
            let is_bundle = what == "POST " && status == 200;
            assert!(is_bundle || statuses.contains(&status), "{what}: answered {status}, recorded {statuses:?}");
        }
    }

    /// As the server itself, which may everything.
    pub async fn do_all(&self, ask: &Ask) -> Told {
        self.under(&of_server(), ask, "attack").await
    }

    /// Whether the tables are distributed.
    pub fn is_citus(&self) -> bool {
        self._database.is_citus()
    }

    /// What was recorded of the request that was asked last.
    pub async fn last_records(&self) -> Vec<Record> {
        let request = self.asked.lock().unwrap().last().unwrap().0.clone();
        let query = AuditQuery { count: 1_000, ..AuditQuery::default() };
        let all = self.engine.context.store.audit_list(&of_server(), &query).await.unwrap();
        all.into_iter().map(|one| one.record).filter(|record| record.request == request).collect()
    }

    /// The statements of an operation that reads, as the server itself asks for it.
    pub async fn steps_of(&self, ask: &Ask) -> Vec<Step> {
        let (path, query) = ask.path.split_once('?').unwrap_or((&ask.path, ""));
        let interaction = route(Method::parse(ask.method).unwrap(), &format!("/{path}"), query).unwrap();
        let Interaction::Operation(code, level) = &interaction else { panic!("{} is no operation", ask.path) };
        let request = Request {
            query: form_urlencoded(query).unwrap(),
            conditions: Conditions::default(),
            prefer: Prefer::default(),
            base: "http://brasa.test/fhir".to_owned(),
            body: Bytes::new(),
            id: "steps".to_owned(),
            interaction: interaction.clone(),
        };
        let (grant, trace) = (of_server(), Trace::default());
        let reader = self.engine.context.store.reader(&grant).traced(&trace);
        let told = operation::read(&self.engine.context, reader, &request, *code, level).await.unwrap();
        assert_eq!(told.status, 200);
        trace.steps()
    }

    /// The names of the statements that a read, a vread and a history cost.
    pub async fn statements_of_reading(
        &self,
        access: &Access,
        resource_type: ResourceType,
        id: &str,
    ) -> Vec<&'static str> {
        let (grant, id) = (Grant::of(access.clone()), Id::parse(id).unwrap());
        let trace = Trace::default();
        let reader = self.engine.context.store.reader(&grant).traced(&trace);
        assert!(reader.current(resource_type, &id).await.unwrap().is_none());
        assert!(reader.version(resource_type, &id, VersionId::FIRST).await.unwrap().is_none());
        let window = HistoryWindow { since: None, at: None, count: 10 };
        let history = reader.history(&HistoryScope::Instance(resource_type, id), &window, None).await.unwrap();
        assert!(history.is_empty());
        trace.steps().iter().map(|step| step.purpose).collect()
    }

    /// Boxed: without optimisation, a test that asks thirty times would have thirty whole requests on its stack.
    fn under<'a>(&'a self, grant: &'a Grant, ask: &'a Ask, id: &'a str) -> Pin<Box<dyn Future<Output = Told> + 'a>> {
        Box::pin(self.answered(grant, ask, id))
    }

    async fn answered(&self, grant: &Grant, ask: &Ask, id: &str) -> Told {
        let (path, query) = ask.path.split_once('?').unwrap_or((&ask.path, ""));
        let answered = async {
            let request = Request {
                interaction: route(Method::parse(ask.method).unwrap(), &format!("/{path}"), query)?,
                query: form_urlencoded(query)?,
                conditions: Conditions { if_none_exist: ask.if_none_exist.clone(), ..Conditions::default() },
                prefer: Prefer::default(),
                base: "http://brasa.test/fhir".to_owned(),
                body: ask.body.as_ref().map_or_else(Bytes::new, |body| Bytes::from(body.to_string())),
                id: id.to_owned(),
            };
            handle(&self.engine.context, grant, &request).await
        };
        match answered.await {
            Ok(response) => {
                let body = response.body.unwrap_or_default();
                let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() };
                Told { status: response.status, body }
            }
            Err(error) => {
                assert!(error.kind.status() < 500, "{} {}: {error:?}", ask.method, ask.path);
                let said =
                    json!({"code": error.kind.issue_code(), "diagnostics": error.message, "at": error.expression});
                Told { status: error.kind.status(), body: said }
            }
        }
    }
}
