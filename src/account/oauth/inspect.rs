//! What a token is worth, and its end. <https://www.rfc-editor.org/rfc/rfc7662> <https://www.rfc-editor.org/rfc/rfc7009>

use super::{Result, fhir_user};
use crate::account::secret::{self, RefreshToken};
use crate::account::{Accounts, Caller};
use crate::auth::smart::address::Addresses;
use crate::auth::smart::wish;
use crate::auth::token::Claims;
use crate::error::Kind;
use crate::store::{ClientRow, SessionState};
use serde_json::{Value, json};

/// Who asks about a token.
pub enum Asker {
    /// A client, about its own.
    Client(Box<ClientRow>),
    /// A person, about the account's; or a program, about the token that it shows.
    Caller(Box<Caller>),
}

/// A token that is known here and the asker's business.
struct Known {
    session: SessionState,
    /// Of an access token.
    claims: Option<Claims>,
    session_id: String,
}

impl Accounts {
    /// What RFC 7662 says of a token. Of one that is not valid, or not the asker's, only that it is not active.
    pub async fn introspect(&self, asker: &Asker, token: &str, addresses: &Addresses) -> Result<Value> {
        let known = self.find(asker, token).await?.filter(|known| known.session.valid);
        let Some(known) = known else { return Ok(json!({"active": false})) };
        let (account, context) = (&known.session.account, known.session.client.as_ref());
        let scopes =
            known.claims.as_ref().map_or_else(|| context.map(|c| c.scopes.clone()), |claims| claims.scope.clone());
        let mut said = json!({
            "active": true,
            "iss": addresses.base(),
            "sub": account.id,
            // The person's own business; an app knows by consent alone whom it has before it.
            "username": matches!(asker, Asker::Caller(_)).then_some(&account.username),
            "client_id": known.claims.as_ref().map_or(context.map(|c| &c.id), |claims| Some(&claims.client_id)),
            "scope": scopes,
            "exp": known.claims.as_ref().map_or(known.session.expires.timestamp(), |claims| claims.exp),
            "iat": known.claims.as_ref().map_or(known.session.created.timestamp(), |claims| claims.iat),
            "jti": known.claims.as_ref().map(|claims| &claims.jti),
            "token_type": known.claims.as_ref().map(|_| "Bearer"),
            "patient": context.and_then(|context| context.patient.as_ref()),
            "fhirUser": scopes.as_ref().filter(|scopes| wish::has(scopes, "fhirUser"))
                .and_then(|_| fhir_user(account)).map(|who| format!("{}/{who}", addresses.base())),
        });
        if let Some(members) = said.as_object_mut() {
            members.retain(|_, value| !value.is_null());
        }
        Ok(said)
    }

    /// Ends the session of a token, and with it every token of the session. A token that is not the asker's, or is none, is no
    /// error: it is of no use already.
    pub async fn revoke(&self, asker: &Asker, token: &str) -> Result<()> {
        if let Some(known) = self.find(asker, token).await? {
            self.end(&known.session_id, &known.session.account.id).await?;
        }
        Ok(())
    }

    async fn find(&self, asker: &Asker, token: &str) -> Result<Option<Known>> {
        let known = match RefreshToken::parse(token) {
            Some(token) => self.by_refresh_token(&token).await?,
            None => self.by_access_token(token).await?,
        };
        Ok(known.filter(|known| asker.may_ask(known)))
    }

    async fn by_access_token(&self, text: &str) -> Result<Option<Known>> {
        let claims = match self.claims(text).await {
            Ok(claims) => claims,
            Err(error) if matches!(error.kind, Kind::Unauthorized | Kind::InvalidToken) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let session = self.tables.session(&claims.sid).await?.filter(|session| session.account.id == claims.sub);
        Ok(session.map(|session| Known { session, session_id: claims.sid.clone(), claims: Some(claims) }))
    }

    /// The one in use; of the one before nobody is told anything.
    async fn by_refresh_token(&self, token: &RefreshToken) -> Result<Option<Known>> {
        let session = self.tables.session(&token.session).await?;
        let session = session
            .filter(|session| token.is_true(&session.secret) && secret::are_equal(&session.refresh, &token.hash()));
        Ok(session.map(|session| Known { session, session_id: token.session.clone(), claims: None }))
    }
}

impl Asker {
    fn may_ask(&self, known: &Known) -> bool {
        match self {
            Asker::Client(client) => known.session.client.as_ref().is_some_and(|context| context.id == client.id),
            Asker::Caller(caller) => {
                let is_person = caller.demand_session().is_ok() && caller.account.id == known.session.account.id;
                is_person || caller.session.as_ref() == Some(&known.session_id)
            }
        }
    }
}
