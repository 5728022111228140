//! The token endpoint: a code, a refresh token or a client's own word becomes an access token.
//! <https://hl7.org/fhir/smart-app-launch/app-launch.html#obtain-access-token>

use super::client::BACKEND;
use super::{Fault, Result, fhir_user};
use crate::account::Accounts;
use crate::account::secret::{self, RefreshToken};
use crate::account::session::Holder;
use crate::auth::smart::address::Addresses;
use crate::auth::smart::{challenge, wish};
use crate::error::Error;
use crate::store::{AccountState, ClientContext, ClientRow, CodeRow, NewSession, SessionState};
use chrono::Utc;
use serde_json::{Value, json};

/// A backend service asks again after so long (s). <https://hl7.org/fhir/smart-app-launch/backend-services.html>
const BACKEND_SECONDS: i64 = 300;
/// `online_access`: as long as a working day (s).
const ONLINE_SECONDS: i64 = 12 * 3600;

/// What a client gets.
pub struct Granted {
    pub access: String,
    pub expires_in_seconds: i64,
    pub scopes: String,
    pub refresh: Option<String>,
    pub patient: Option<String>,
    pub id_token: Option<String>,
}

impl Accounts {
    /// A code for a session, once. One that is shown again ends the session that was made of it: somebody has a copy.
    pub async fn exchange(
        &self,
        client: &ClientRow,
        (code, redirect_uri, verifier): (&str, &str, &str),
        addresses: &Addresses,
    ) -> Result<Granted> {
        let invalid = || Fault::invalid_grant("This code is not valid, or no longer, or not for this client.");
        let hash = secret::hash(code.as_bytes());
        let row = self.tables.code(&hash).await?.ok_or_else(invalid)?;
        if !row.valid {
            self.end_what_came_of(&row).await?;
            return Err(invalid());
        }
        let is_right =
            row.client == client.id && row.redirect_uri == redirect_uri && challenge::is_met(&row.challenge, verifier);
        if !is_right {
            // It is in hands that it was not meant for.
            self.tables.spoil_code(&hash).await?;
            return Err(invalid());
        }
        let (id, session_secret) = (secret::id()?, secret::random()?);
        let refresh = RefreshToken::first(&id, &session_secret)?;
        let life_seconds = self.life_seconds(&row.scopes);
        let new = NewSession {
            id: &id,
            account: &row.account,
            secret: &session_secret,
            refresh: &refresh.hash(),
            client: &client.name,
            life_seconds: life_seconds.unwrap_or(self.token_seconds),
        };
        if self.tables.redeem_code(&hash, &new).await?.is_none() {
            // Another request was faster with the same code.
            if let Some(row) = self.tables.code(&hash).await? {
                self.end_what_came_of(&row).await?;
            }
            return Err(invalid());
        }
        let session = self.tables.session(&id).await?.ok_or_else(invalid)?;
        let mut granted = self.granted(&session, &id, &row.scopes, life_seconds.map(|_| &refresh))?;
        granted.id_token = self.id_token(&session.account, &row, addresses)?;
        Ok(granted)
    }

    async fn end_what_came_of(&self, row: &CodeRow) -> Result<()> {
        if let Some(session) = &row.session {
            self.end(session, &row.account).await?;
            tracing::warn!("a code was used twice: its session is ended");
        }
        Ok(())
    }

    /// How long a session lasts in which tokens are refreshed; `None`: this one's are not.
    fn life_seconds(&self, scopes: &str) -> Option<i64> {
        if wish::has(scopes, "offline_access") {
            return Some(self.refresh_seconds);
        }
        wish::has(scopes, "online_access").then(|| self.refresh_seconds.min(ONLINE_SECONDS))
    }

    fn granted(
        &self,
        session: &SessionState,
        id: &str,
        scopes: &str,
        refresh: Option<&RefreshToken>,
    ) -> Result<Granted> {
        let client = session.client.clone().ok_or_else(|| Fault::invalid_grant("This session is not a client's."))?;
        let client = ClientContext { scopes: scopes.to_owned(), ..client };
        let holder = Holder {
            account: &session.account.id,
            session: id,
            session_expires: session.expires,
            client: Some(&client),
        };
        let (access, expires_in_seconds) = self.access_token(&holder, self.token_seconds)?;
        Ok(Granted {
            access,
            expires_in_seconds,
            scopes: client.scopes,
            refresh: refresh.map(RefreshToken::text),
            patient: client.patient,
            id_token: None,
        })
    }

    /// Goes on with a client's session. `scope`: less than it was given, or nothing.
    pub async fn refresh_client(&self, client: &ClientRow, token: &str, scope: Option<&str>) -> Result<Granted> {
        let invalid = || Fault::invalid_grant("This refresh token is not valid, or no longer, or not for this client.");
        let token = RefreshToken::parse(token).ok_or_else(invalid)?;
        let session = self.tables.session(&token.session).await?.ok_or_else(invalid)?;
        let context = session.client.filter(|context| context.id == client.id).ok_or_else(invalid)?;
        let scopes = match scope {
            Some(scope) => narrowed(scope, &context.scopes)?,
            None => context.scopes,
        };
        let own = |session: &SessionState| session.client.as_ref().is_some_and(|context| context.id == client.id);
        let (session, next) = self.go_on(&token, own).await?.ok_or_else(invalid)?;
        self.granted(&session, &token.session, &scopes, Some(&next))
    }

    /// A backend service comes in for the account that it acts for.
    pub async fn serve(&self, client: &ClientRow, scope: &str) -> Result<Granted> {
        if client.kind != BACKEND {
            return Err(Fault::refused("unauthorized_client", "Only a backend service comes in by itself."));
        }
        let scopes = wish::of_system(wish::within(scope, &client.scopes)).join(" ");
        if scopes.is_empty() {
            return Err(Fault::refused("invalid_scope", "None of these scopes can be given to this client."));
        }
        let (id, session_secret) = (secret::id()?, secret::random()?);
        let refresh = RefreshToken::first(&id, &session_secret)?;
        let new = NewSession {
            id: &id,
            account: "",
            secret: &session_secret,
            refresh: &refresh.hash(),
            client: &client.name,
            life_seconds: BACKEND_SECONDS,
        };
        let started = self.tables.start_client_session(&client.id, &scopes, &new).await?;
        let (account, session_expires) = started.ok_or_else(Fault::invalid_client)?;
        let context = ClientContext { id: client.id.clone(), scopes, patient: None };
        let holder = Holder { account: &account, session: &id, session_expires, client: Some(&context) };
        let (access, expires_in_seconds) = self.access_token(&holder, BACKEND_SECONDS)?;
        let scopes = context.scopes;
        Ok(Granted { access, expires_in_seconds, scopes, refresh: None, patient: None, id_token: None })
    }

    /// Who the person is, for the client. <https://openid.net/specs/openid-connect-core-1_0.html#IDToken>
    fn id_token(&self, account: &AccountState, row: &CodeRow, addresses: &Addresses) -> Result<Option<String>> {
        if !wish::has(&row.scopes, "openid") {
            return Ok(None);
        }
        let now = Utc::now().timestamp();
        let mut claims = json!({
            "iss": addresses.base(),
            "sub": account.id,
            "aud": row.client,
            "iat": now,
            "exp": now.saturating_add(self.token_seconds),
        });
        let mut add = |name: &str, value: Option<String>| {
            if let (Some(members), Some(value)) = (claims.as_object_mut(), value) {
                members.insert(name.to_owned(), Value::String(value));
            }
        };
        add("nonce", row.nonce.clone());
        let asks_who = wish::has(&row.scopes, "fhirUser") || wish::has(&row.scopes, "profile");
        let who = fhir_user(account).filter(|_| asks_who);
        add("fhirUser", who.map(|who| format!("{}/{who}", addresses.base())));
        let keys = self.ring.keys();
        let key = keys.newest().id_key().ok_or_else(|| Error::internal("no key for id tokens was made"))?;
        Ok(Some(key.sign(&claims)?))
    }
}

/// The scopes that a client asks to keep; more than it has is refused.
fn narrowed(scope: &str, granted: &str) -> Result<String> {
    let kept = wish::within(scope, granted);
    let asked: Vec<&str> = scope.split(' ').filter(|word| !word.is_empty()).collect();
    let is_less = !asked.is_empty() && asked.iter().all(|word| kept.iter().any(|one| one == word));
    match is_less {
        true => Ok(kept.join(" ")),
        false => Err(Fault::refused("invalid_scope", "A refresh gives no scope that was not given before.")),
    }
}
