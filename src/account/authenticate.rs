//! From the header of a request to the one who asks. <https://www.rfc-editor.org/rfc/rfc6750>

use super::issuer::Issuer;
use super::live::Credential;
use super::secret::{self, ApiKey, KEY_PREFIX};
use super::session::OWN_CLIENT;
use super::{Accounts, folded};
use crate::auth::access::{Access, Client};
use crate::auth::agent::Agent;
use crate::auth::role::{Duty, Role, duties_in_force};
use crate::auth::scope::Scopes;
use crate::auth::token::{self, Claims, Expected, Refusal};
use crate::auth::{self, Grant};
use crate::error::{Error, Kind, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::Id;
use crate::fhir::json::Object;
use crate::fhir::resource::Resource;
use crate::store::{AccountRow, AccountState, ClientContext, Store};
use chrono::Utc;
use percent_encoding::percent_decode_str;
use std::sync::Arc;
use std::time::Instant;

/// PractitionerRoles that one practitioner may have to be of use here (resources).
const ROLES_MAX: usize = 200;

/// How long the reason is for which somebody breaks the glass (characters).
const REASON_CHARS: std::ops::RangeInclusive<usize> = 10..=500;

/// Whoever asks, after it was shown who that is.
#[derive(Debug, Clone)]
pub struct Caller {
    pub account: AccountState,
    /// The session that the access token belongs to; `None`: a key was shown.
    pub session: Option<String>,
    /// The id of the key that was shown.
    pub key: Option<String>,
    /// What the client may do of what the account may.
    pub scopes: Option<String>,
    pub grant: Grant,
    /// Who it is, for the audit.
    pub agent: Agent,
}

impl Caller {
    /// Opens clinical data to an administrator who says why: to read, and told to the patient. Nobody else breaks glass, nor
    /// does a program.
    ///
    /// # Errors
    /// 403 for others, 400 for a reason that says nothing.
    pub fn break_glass(&mut self, reason: &str) -> Result<()> {
        let place = "http.x-break-glass";
        // A header is ASCII; what is more is escaped as in an address.
        let reason = percent_decode_str(reason).decode_utf8_lossy();
        let reason = reason.trim();
        if self.account.role != Role::Admin.as_str() || self.demand_session().is_err() {
            let message = "Only an administrator who is logged in breaks the glass.";
            return Err(Error::forbidden(message).at(place));
        }
        if !REASON_CHARS.contains(&reason.chars().count()) {
            let (min, max) = (REASON_CHARS.start(), REASON_CHARS.end());
            let message = format!("Say in {min} to {max} characters why: the patient reads it.");
            return Err(Error::invalid(message).at(place));
        }
        self.agent.reason = Some(reason.to_owned());
        let role = Some(Role::Admin);
        let reason = self.agent.reason.clone();
        self.grant = Grant::of(Access { role, duties: None, patient: None, reason, client: None });
        Ok(())
    }

    /// Refuses a program, by a key or by a token with scopes: it acts for the account on resources, but does not speak for
    /// its owner.
    pub fn demand_session(&self) -> Result<&str> {
        let own = self.session.as_deref().filter(|_| self.scopes.is_none());
        own.ok_or_else(|| Error::forbidden("A key cannot do this. Log in with the password."))
    }
}

impl Accounts {
    /// Who shows this `Authorization` header. Nothing but a valid credential opens anything: all else is 401.
    pub async fn authenticate(&self, store: &Store, header: Option<&str>) -> Result<Caller> {
        let Some(header) = header else {
            let message = "Say who you are: Authorization: Bearer, and an access token from /auth/login or a key.";
            return Err(Error::unauthorized(message).at("http.authorization"));
        };
        let (scheme, credential) = header.split_once(' ').unwrap_or((header, ""));
        if !scheme.eq_ignore_ascii_case("bearer") || credential.is_empty() {
            let message = "Only Authorization: Bearer is read here, with an access token from /auth/login or a key.";
            return Err(Error::unauthorized(message).at("http.authorization"));
        }
        match credential.starts_with(KEY_PREFIX) {
            true => self.by_key(store, credential).await,
            false => match self.outside.as_ref().filter(|issuer| issuer.is_of(credential)) {
                Some(issuer) => self.by_outside_token(store, issuer, credential).await,
                None => self.by_token(store, credential).await,
            },
        }
    }

    /// Role and links are those of the token: the provider knows the account, and this server does not.
    async fn by_outside_token(&self, store: &Store, issuer: &Issuer, text: &str) -> Result<Caller> {
        let person = issuer.person(text).await?.ok_or_else(refused)?;
        let account = AccountState {
            id: issuer.account_of(&person),
            username: person.name,
            role: person.role.map_or("", Role::as_str).to_owned(),
            patient: person.patient,
            practitioner: person.practitioner,
            email: None,
        };
        let scopes = person.scope.filter(|scope| Scopes::are_meant(scope));
        let client = scopes.as_deref().map(|scope| Client { scopes: Scopes::parse(scope), patient: link(&account) });
        let live = self.with_duties(store, account).await?;
        Ok(Caller {
            agent: agent(&live.account, person.client.map(|client| format!("client {client}"))),
            account: live.account.clone(),
            session: None,
            key: None,
            scopes,
            grant: grant(&live, client),
        })
    }

    /// Duties of somebody from outside, remembered for some seconds as those of an account are.
    async fn with_duties(&self, store: &Store, account: AccountState) -> Result<Credential> {
        let known = format!("outside {}", account.practitioner.as_deref().unwrap_or_default());
        let found = self.live.find(&known).filter(|found| found.account == account);
        let duties = match found {
            Some(found) => found.duties.clone(),
            None => {
                let read = Instant::now();
                let duties = duties(store, &account).await?;
                let (account, of_account) = (account.clone(), duties.clone());
                let credential = Credential { account, duties: of_account, key: None, client: None };
                self.live.note(&known, read, Arc::new(credential));
                duties
            }
        };
        Ok(Credential { account, duties, key: None, client: None })
    }

    /// The account of this name, for the audit, when somebody tried to be it.
    pub async fn agent_named(&self, username: &str) -> Result<Agent> {
        let account = self.tables.by_username(&folded(username)).await?;
        let told = |account: AccountRow| Agent {
            account: Some(account.id),
            name: Some(account.username),
            role: Some(account.role),
            ..Agent::default()
        };
        Ok(account.map(told).unwrap_or_default())
    }

    /// Whose access token it is, for the audit. Nothing of it is remembered: whoever shows the token is looked up then.
    pub async fn agent_of(&self, token: &str) -> Result<Agent> {
        let claims = self.claims(token).await?;
        let session = self.tables.session(&claims.sid).await?.ok_or_else(refused)?;
        Ok(agent(&session.account, session.client.map(|client| format!("client {}", client.id))))
    }

    async fn by_token(&self, store: &Store, text: &str) -> Result<Caller> {
        let claims = self.claims(text).await?;
        let live = match self.live.find(&claims.sid) {
            Some(live) => live,
            None => self.read_session(store, &claims.sid).await?.ok_or_else(refused)?,
        };
        if live.key.is_some() || live.account.id != claims.sub || !is_of_session(&claims, live.client.as_ref()) {
            return Err(refused());
        }
        let patient = live.client.as_ref().and_then(|client| Id::parse(client.patient.as_deref()?).ok());
        let client = claims.scope.as_deref().map(|scope| Client { scopes: Scopes::parse(scope), patient });
        Ok(Caller {
            account: live.account.clone(),
            session: Some(claims.sid),
            key: None,
            scopes: claims.scope,
            grant: grant(&live, client),
            agent: agent(&live.account, live.client.as_ref().map(|client| format!("client {}", client.id))),
        })
    }

    pub(super) async fn claims(&self, text: &str) -> Result<Claims> {
        let keys = match token::key_id(text) {
            Some(id) => self.ring.with(&self.tables, &id).await?,
            None => self.ring.keys(),
        };
        let expected = Expected { issuer: &self.issuer, audience: &self.issuer, now: Utc::now().timestamp() };
        token::verify(&keys, text, expected).map_err(|refusal: Refusal| {
            tracing::debug!(?refusal, "a token was refused");
            refused()
        })
    }

    async fn read_session(&self, store: &Store, id: &str) -> Result<Option<Arc<Credential>>> {
        let read = Instant::now();
        let Some(session) = self.tables.session(id).await?.filter(|session| session.valid) else { return Ok(None) };
        let duties = duties(store, &session.account).await?;
        let credential = Arc::new(Credential { account: session.account, duties, key: None, client: session.client });
        self.live.note(id, read, Arc::clone(&credential));
        Ok(Some(credential))
    }

    async fn by_key(&self, store: &Store, text: &str) -> Result<Caller> {
        let shown = ApiKey::parse(text).ok_or_else(refused)?;
        let live = match self.live.find(&shown.id) {
            Some(live) => live,
            None => self.read_key(store, &shown).await?.ok_or_else(refused)?,
        };
        let Some((hash, scopes)) = &live.key else { return Err(refused()) };
        if !secret::are_equal(hash, &shown.hash()) {
            return Err(refused());
        }
        // A patient's key is about that patient; anybody else's has no patient in its context.
        let patient = link(&live.account);
        let client = Client { scopes: Scopes::parse(scopes), patient };
        Ok(Caller {
            account: live.account.clone(),
            session: None,
            agent: agent(&live.account, Some(format!("key {}", shown.id))),
            key: Some(shown.id),
            scopes: Some(scopes.clone()),
            grant: grant(&live, Some(client)),
        })
    }

    async fn read_key(&self, store: &Store, shown: &ApiKey) -> Result<Option<Arc<Credential>>> {
        let (read, id) = (Instant::now(), shown.id.as_str());
        let Some(key) = self.tables.key(id).await?.filter(|key| key.valid) else { return Ok(None) };
        // Who knows the id alone has not used the key.
        if key.stale && secret::are_equal(&key.hash, &shown.hash()) {
            self.tables.touch_key(id).await?;
        }
        let duties = duties(store, &key.account).await?;
        let shown = Some((key.hash, key.scopes));
        let credential = Arc::new(Credential { account: key.account, duties, key: shown, client: None });
        self.live.note(id, read, Arc::clone(&credential));
        Ok(Some(credential))
    }
}

/// A token of a client's session is that client's and has scopes; one of a person's own session has none.
fn is_of_session(claims: &Claims, client: Option<&ClientContext>) -> bool {
    match (client, &claims.scope) {
        (Some(client), Some(_)) => client.id == claims.client_id,
        (None, None) => claims.client_id == OWN_CLIENT,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// What an account may do by itself, no client between.
pub async fn grant_of(store: &Store, account: AccountState) -> Result<Grant> {
    let duties = duties(store, &account).await?;
    Ok(grant(&Credential { account, duties, key: None, client: None }, None))
}

/// The same for every reason: whoever tries learns nothing.
pub fn refused() -> Error {
    let message = "This credential is not valid, or no longer. Log in again, or use another key.";
    Error::new(Kind::InvalidToken, message).at("http.authorization")
}

/// What an account may, without anybody who logs in: for the operator who asks why.
#[derive(Debug)]
pub struct Standing {
    pub account: AccountRow,
    pub access: Access,
    pub grant: Grant,
}

/// The rights of the account with this user name, now; `scopes`: of a client that acts for it. `None`: there is none.
pub async fn standing_of(store: &Store, username: &str, scopes: Option<&str>) -> Result<Option<Standing>> {
    let tables = store.accounts(&auth::of_server())?;
    let Some(account) = tables.by_username(&super::folded(username)).await? else { return Ok(None) };
    let state = account.state();
    let client = scopes.map(|scopes| Client { scopes: Scopes::parse(scopes), patient: link(&state) });
    let access = access(&state, duties(store, &state).await?, client);
    let grant = Grant::of(access.clone());
    Ok(Some(Standing { account, access, grant }))
}

/// Role and link are the account's of now, whatever they were when the token was made.
fn grant(live: &Credential, client: Option<Client>) -> Grant {
    Grant::of(access(&live.account, live.duties.clone(), client))
}

fn access(account: &AccountState, duties: Option<Vec<Duty>>, client: Option<Client>) -> Access {
    Access { role: Role::parse(&account.role), duties, patient: link(account), reason: None, client }
}

/// `client`: the program that acts for the account, where it is more than a browser.
fn agent(account: &AccountState, client: Option<String>) -> Agent {
    let patient = account.patient.as_deref().filter(|_| account.role == Role::Patient.as_str());
    let patient = patient.map(|id| format!("Patient/{id}"));
    let practitioner = account.practitioner.as_deref().map(|id| format!("Practitioner/{id}"));
    Agent {
        account: Some(account.id.clone()),
        name: Some(account.username.clone()),
        role: Some(account.role.clone()),
        link: patient.or(practitioner),
        client,
        ..Agent::default()
    }
}

/// What a practitioner's account is for, by the PractitionerRoles of the Practitioner that it is linked to. An account
/// without that link has the rights of its role.
async fn duties(store: &Store, account: &AccountState) -> Result<Option<Vec<Duty>>> {
    let linked = account.practitioner.as_deref().filter(|_| account.role == Role::Practitioner.as_str());
    let Some(practitioner) = linked.and_then(|id| Id::parse(id).ok()) else { return Ok(None) };
    let (grant, search) = (auth::of_server(), format!("practitioner=Practitioner/{practitioner}"));
    let found = store.reader(&grant).found_by(ResourceType::PRACTITIONER_ROLE, &search, ROLES_MAX).await?;
    if found.len() >= ROLES_MAX {
        // What the rest says is not known: no duty is in force.
        return Ok(Some(Vec::new()));
    }
    let read = |body: Vec<u8>| Resource::read(&body, 0..body.len(), usize::MAX).map_err(Error::internal);
    let bodies = found.into_iter().filter_map(|stored| stored.body).map(read);
    let roles: Vec<Object> = bodies.map(|role| Ok(role?.object().clone())).collect::<Result<_>>()?;
    Ok(duties_in_force(&roles, Utc::now()))
}

/// The record that a patient's account is linked to.
fn link(account: &AccountState) -> Option<Id> {
    let patient = account.patient.as_deref().filter(|_| account.role == Role::Patient.as_str());
    patient.and_then(|id| Id::parse(id).ok())
}
