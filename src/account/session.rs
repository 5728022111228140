//! Logging in and out, and staying logged in: sessions, access tokens, and refresh tokens that rotate.
//! <https://www.rfc-editor.org/rfc/rfc9700#section-2.2.2>

use super::authenticate::{Caller, refused};
use super::secret::{self, RefreshToken};
use super::{Accounts, folded, signing};
use crate::auth::password::Verdict;
use crate::auth::token::{self, Audience, Claims};
use crate::error::{Error, Kind, Result};
use crate::store::{AccountRow, ClientContext, NewSession, SessionRow, SessionState};
use chrono::{DateTime, Utc};

/// The client of whoever logs in at this server itself.
pub(super) const OWN_CLIENT: &str = "brasa";
/// Of what a client says of itself, so much is kept (characters).
const CLIENT_CHARS_MAX: usize = 200;
/// So many sessions of an account are listed.
const LISTED_MAX: i64 = 200;

/// What a log-in gives.
pub struct Tokens {
    pub access: String,
    pub refresh: String,
    /// How long the access token is valid.
    pub expires_in_seconds: i64,
}

fn wrong_password() -> Error {
    Error::unauthorized("The user name or the password is wrong.")
}

/// Whom an access token is for.
pub(super) struct Holder<'a> {
    pub account: &'a str,
    pub session: &'a str,
    pub session_expires: DateTime<Utc>,
    /// `None`: the person.
    pub client: Option<&'a ClientContext>,
}

impl Accounts {
    /// Starts a session for whoever knows the password. `client`: what the program says of itself, for the list of sessions.
    ///
    /// # Errors
    /// 401 for a wrong password and for an account that is not there or is disabled, all alike; 429 after failures.
    pub async fn log_in(&self, username: &str, password: String, client: &str) -> Result<Tokens> {
        let account = self.known(username, password).await?;
        self.start_session(&account.id, client).await
    }

    /// The account of whoever knows the password. Errors as for [`Accounts::log_in`].
    pub(super) async fn known(&self, username: &str, password: String) -> Result<AccountRow> {
        let username = folded(username);
        let account = self.tables.by_username(&username).await?;
        let account = account.filter(|account| !account.disabled);
        if !self.is_password(&username, account.as_ref(), password).await? {
            return Err(wrong_password());
        }
        account.ok_or_else(|| Error::internal("a password was right for no account"))
    }

    /// Whether the password is right. Each wrong one makes the next wait longer, for this user name and whoever tries.
    async fn is_password(&self, username: &str, account: Option<&AccountRow>, password: String) -> Result<bool> {
        let attempts = secret::hash(username.as_bytes());
        if let Err(retry_after_seconds) = self.tables.may_try(&attempts).await? {
            let message = format!("Too many attempts for this user name failed. Try again in {retry_after_seconds} s.");
            return Err(Error::new(Kind::TooManyRequests { retry_after_seconds }, message));
        }
        let stored = account.and_then(|account| account.password.clone());
        let verdict = self.passwords.verify(password.clone(), stored.clone()).await?;
        if verdict == Verdict::Wrong {
            self.tables.note_failure(&attempts).await?;
            return Ok(false);
        }
        self.tables.forget_failures(&attempts).await?;
        if let (Verdict::RightButOld, Some(account), Some(stored)) = (verdict, account, stored) {
            let hash = self.passwords.hash(password).await?;
            self.tables.replace_hash(&account.id, &hash, &stored).await?;
        }
        Ok(true)
    }

    async fn start_session(&self, account: &str, client: &str) -> Result<Tokens> {
        let (id, secret) = (secret::id()?, secret::random()?);
        let refresh = RefreshToken::first(&id, &secret)?;
        let client: String = client.chars().filter(|c| !c.is_control()).take(CLIENT_CHARS_MAX).collect();
        let new = NewSession {
            id: &id,
            account,
            secret: &secret,
            refresh: &refresh.hash(),
            client: &client,
            life_seconds: self.refresh_seconds,
        };
        // Disabled since the password was looked at.
        let expires = self.tables.start_session(&new).await?.ok_or_else(wrong_password)?;
        self.tokens(account, &refresh, expires)
    }

    /// An access token for the session, beside its refresh token.
    fn tokens(&self, account: &str, refresh: &RefreshToken, session_expires: DateTime<Utc>) -> Result<Tokens> {
        let holder = Holder { account, session: &refresh.session, session_expires, client: None };
        let (access, expires_in_seconds) = self.access_token(&holder, self.token_seconds)?;
        Ok(Tokens { access, refresh: refresh.text(), expires_in_seconds })
    }

    /// An access token and how long it is valid (s): `seconds_max` at most, and no longer than the session.
    pub(super) fn access_token(&self, holder: &Holder<'_>, seconds_max: i64) -> Result<(String, i64)> {
        let now = Utc::now().timestamp();
        let rest = holder.session_expires.timestamp().saturating_sub(now);
        let expires_in_seconds = self.token_seconds.min(seconds_max).min(rest).max(1);
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: Audience::One(self.issuer.clone()),
            sub: holder.account.to_owned(),
            exp: now.saturating_add(expires_in_seconds),
            iat: now,
            jti: signing::token_id()?,
            client_id: holder.client.map_or(OWN_CLIENT, |client| &client.id).to_owned(),
            sid: holder.session.to_owned(),
            scope: holder.client.map(|client| client.scopes.clone()),
            patient: holder.client.and_then(|client| client.patient.clone()),
        };
        Ok((token::sign(&self.ring.keys(), &claims)?, expires_in_seconds))
    }

    /// Goes on with a person's own session: each refresh token can be used once. Within ten seconds the one before gives the
    /// same successor again, for a client that missed the answer; later, somebody has a copy, and the session ends.
    pub async fn refresh(&self, token: &str) -> Result<Tokens> {
        let invalid = || Error::unauthorized("This refresh token is not valid, or no longer. Log in again.");
        let token = RefreshToken::parse(token).ok_or_else(invalid)?;
        // One of a client would give more here than it was given.
        let own = |session: &SessionState| session.client.is_none();
        let (session, next) = self.go_on(&token, own).await?.ok_or_else(invalid)?;
        self.tokens(&session.account.id, &next, session.expires)
    }

    /// The session and the token that takes the place of this one; `None`: the token is not valid. Nothing happens to a session
    /// that `is_meant` denies.
    pub(super) async fn go_on(
        &self,
        token: &RefreshToken,
        is_meant: impl Fn(&SessionState) -> bool,
    ) -> Result<Option<(SessionState, RefreshToken)>> {
        // Twice: the other of two requests at once may have been faster, and then this one comes within the grace.
        for _ in 0..2 {
            let Some(session) = self.tables.session(&token.session).await? else { return Ok(None) };
            if !session.valid || !token.is_true(&session.secret) || !is_meant(&session) {
                return Ok(None);
            }
            let next = token.next(&session.secret);
            let is_current = secret::are_equal(&session.refresh, &token.hash());
            let before = session.previous.as_ref();
            let is_before = before.is_some_and(|before| secret::are_equal(before, &token.hash()));
            let goes_on = match (is_current, is_before && session.grace) {
                (true, _) => self.tables.rotate_session(&token.session, &token.hash(), &next.hash()).await?,
                (false, true) => true,
                (false, false) => {
                    self.end(&token.session, &session.account.id).await?;
                    tracing::warn!("a refresh token was used twice: its session is ended");
                    return Ok(None);
                }
            };
            if goes_on {
                return Ok(Some((session, next)));
            }
        }
        Ok(None)
    }

    /// Ends the caller's session. Its access token is useless from now on.
    pub async fn log_out(&self, caller: &Caller) -> Result<()> {
        let session = caller.demand_session()?;
        self.end(session, &caller.account.id).await.map(drop)
    }

    /// The caller's sessions, the newest first.
    pub async fn sessions(&self, caller: &Caller) -> Result<Vec<SessionRow>> {
        caller.demand_session()?;
        self.tables.sessions(&caller.account.id, LISTED_MAX).await
    }

    /// Ends one of the caller's sessions.
    pub async fn end_session(&self, caller: &Caller, id: &str) -> Result<()> {
        caller.demand_session()?;
        match self.end(id, &caller.account.id).await? {
            true => Ok(()),
            false => Err(Error::not_found("You have no such session.")),
        }
    }

    pub(super) async fn end(&self, id: &str, account: &str) -> Result<bool> {
        let ended = self.tables.end_session(id, account).await?;
        self.live.forget();
        Ok(ended)
    }

    /// A new password for whoever knows the one of now. All other sessions of the account end.
    pub async fn change_password(&self, caller: &Caller, old: String, new: &str) -> Result<()> {
        let session = caller.demand_session()?;
        let account = self.tables.by_id(&caller.account.id).await?.ok_or_else(refused)?;
        if !self.is_password(&account.username, Some(&account), old).await? {
            return Err(Error::forbidden("The password of now is wrong.").at("old_password"));
        }
        let hash = self.check_password(new).await.map_err(|error| error.at("new_password"))?;
        // Read anew: the hash may have been replaced by a better one a moment ago.
        let before = self.tables.by_id(&account.id).await?.and_then(|account| account.password).ok_or_else(refused)?;
        let is_set = self.tables.set_password(&account.id, &hash, &before, Some(session)).await?;
        self.live.forget();
        match is_set {
            true => Ok(()),
            false => Err(Error::conflict("The password was changed elsewhere in the meantime. Log in again.")),
        }
    }
}
