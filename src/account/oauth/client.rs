//! Registered clients: administrators make and change them, and each shows at the token endpoint that it is itself.
//! <https://hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html>

use super::Fault;
use crate::account::Accounts;
use crate::account::authenticate::Caller;
use crate::account::secret::{self, RefreshToken};
use crate::auth::smart::redirect::RedirectUri;
use crate::auth::smart::{assertion, wish};
use crate::error::{Error, Result};
use crate::store::{ClientChange, ClientRow};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Utc;

const NAME_CHARS_MAX: usize = 100;
/// A client comes back to so many addresses at most.
const REDIRECTS_MAX: usize = 20;
/// So many clients go on one page.
const PAGE_MAX: i64 = 200;
/// How a client says that it shows an assertion. <https://www.rfc-editor.org/rfc/rfc7523#section-2.2>
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

pub const PUBLIC: &str = "public";
pub const CONFIDENTIAL: &str = "confidential";
pub const BACKEND: &str = "backend";

/// A client that an administrator registers.
pub struct NewClient {
    /// What people read when they are asked for consent.
    pub name: String,
    pub kind: String,
    pub redirect_uris: Vec<String>,
    pub scopes: String,
    /// A key set, as JSON.
    pub jwks: Option<String>,
    pub account: Option<String>,
}

/// What an administrator changes; `None` leaves it as it is.
#[derive(Default)]
pub struct Change {
    pub name: Option<String>,
    pub redirect_uris: Option<Vec<String>>,
    pub scopes: Option<String>,
    pub jwks: Option<String>,
    pub disabled: Option<bool>,
}

/// A client and, this once, its secret.
pub struct MadeClient {
    pub row: ClientRow,
    pub secret: Option<String>,
}

/// What whoever asks shows of itself.
#[derive(Default)]
pub struct ShownClient {
    /// Name and secret of `Authorization: Basic`.
    pub basic: Option<(String, String)>,
    pub id: Option<String>,
    pub secret: Option<String>,
    pub assertion_type: Option<String>,
    pub assertion: Option<String>,
}

impl ShownClient {
    pub fn is_nothing(&self) -> bool {
        self.basic.is_none() && self.id.is_none() && self.secret.is_none() && self.assertion.is_none()
    }
}

impl Accounts {
    pub async fn make_client(&self, caller: &Caller, new: NewClient) -> Result<MadeClient> {
        caller.grant.demand_administration()?;
        let name = check_name(&new.name)?;
        check_kind(&new)?;
        check_scopes(&new.kind, &new.scopes)?;
        check_redirects(&new.kind, &new.redirect_uris)?;
        if let Some(jwks) = &new.jwks {
            check_keys(jwks)?;
        }
        if let Some(account) = &new.account {
            let there = self.tables.by_id(account).await?.is_some();
            there.then_some(()).ok_or_else(|| Error::invalid("There is no account with this id.").at("account"))?;
        }
        let needs_secret = new.kind == CONFIDENTIAL && new.jwks.is_none();
        let text = if needs_secret { Some(URL_SAFE_NO_PAD.encode(secret::random()?)) } else { None };
        let row = ClientRow {
            id: secret::id()?,
            name,
            kind: new.kind,
            redirect_uris: new.redirect_uris,
            scopes: new.scopes,
            secret: text.as_ref().map(|text| secret::hash(text.as_bytes()).to_vec()),
            jwks: new.jwks,
            account: new.account,
            disabled: false,
            created: Utc::now(),
            changed: Utc::now(),
        };
        let row = self.tables.add_client(&row).await?;
        let row = row.ok_or_else(|| Error::internal("a new client has no row"))?;
        Ok(MadeClient { row, secret: text })
    }

    /// A page of clients: those after `after`.
    pub async fn clients(&self, caller: &Caller, after: &str) -> Result<Vec<ClientRow>> {
        caller.grant.demand_administration()?;
        self.tables.clients(after, PAGE_MAX).await
    }

    pub async fn client(&self, caller: &Caller, id: &str) -> Result<ClientRow> {
        caller.grant.demand_administration()?;
        self.tables.client(id).await?.ok_or_else(no_client)
    }

    /// A client whose scopes or keys change, or that is disabled, has no session any more.
    pub async fn change_client(&self, caller: &Caller, id: &str, change: Change) -> Result<ClientRow> {
        let before = self.client(caller, id).await?;
        let name = change.name.as_deref().map(check_name).transpose()?;
        if let Some(scopes) = &change.scopes {
            check_scopes(&before.kind, scopes)?;
        }
        if let Some(redirects) = &change.redirect_uris {
            check_redirects(&before.kind, redirects)?;
        }
        if let Some(jwks) = &change.jwks {
            if before.jwks.is_none() {
                let message = "This client shows no assertions. Register another one with the key set.";
                return Err(Error::invalid(message).at("jwks"));
            }
            check_keys(jwks)?;
        }
        let wanted = ClientChange {
            name: name.as_deref(),
            redirect_uris: change.redirect_uris.as_deref(),
            scopes: change.scopes.as_deref(),
            jwks: change.jwks.as_deref(),
            disabled: change.disabled,
        };
        let changed = self.tables.change_client(id, &wanted).await?;
        self.live.forget();
        changed.ok_or_else(no_client)
    }

    /// Its sessions go with it.
    pub async fn remove_client(&self, caller: &Caller, id: &str) -> Result<()> {
        caller.grant.demand_administration()?;
        let removed = self.tables.remove_client(id).await?;
        self.live.forget();
        if removed { Ok(()) } else { Err(no_client()) }
    }

    /// The client that asks, after it was shown. `audience`: the address of the token endpoint, for which assertions are.
    ///
    /// # Errors
    /// `invalid_client`, the same for every reason; `invalid_request` for one that shows itself in two ways.
    pub async fn identify(&self, shown: &ShownClient, audience: &str) -> super::Result<ClientRow> {
        let ways = [shown.basic.is_some(), shown.secret.is_some(), shown.assertion.is_some()];
        if ways.into_iter().filter(|way| *way).count() > 1 {
            return Err(Fault::invalid_request("Show who you are in one way: a secret or an assertion."));
        }
        let named = match (&shown.basic, &shown.assertion) {
            (Some((id, _)), _) => Some(id.clone()),
            (None, Some(assertion)) => Some(assertion::client_of(assertion).ok_or_else(Fault::invalid_client)?),
            (None, None) => shown.id.clone(),
        };
        let id = named.ok_or_else(Fault::invalid_client)?;
        if shown.id.as_ref().is_some_and(|said| *said != id) {
            return Err(Fault::invalid_client());
        }
        let row = self.tables.client(&id).await?.filter(|row| !row.disabled).ok_or_else(Fault::invalid_client)?;
        let secret = shown.basic.as_ref().map(|(_, secret)| secret).or(shown.secret.as_ref());
        let is_shown = match (secret, &shown.assertion) {
            (Some(secret), _) => {
                let hash = secret::hash(secret.as_bytes());
                row.secret.as_ref().is_some_and(|stored| secret::are_equal(stored, &hash))
            }
            (None, Some(text)) => self.is_assertion(&row, shown, text, audience).await?,
            (None, None) => row.kind == PUBLIC,
        };
        if is_shown { Ok(row) } else { Err(Fault::invalid_client()) }
    }

    /// The public client that has a refresh token: SMART lets it leave out its name, which it could not prove anyway.
    pub async fn public_holder(&self, token: &str) -> super::Result<ClientRow> {
        let token = RefreshToken::parse(token).ok_or_else(Fault::invalid_client)?;
        let session = self.tables.session(&token.session).await?.ok_or_else(Fault::invalid_client)?;
        let id = session.client.map(|context| context.id);
        let shown = ShownClient { id, ..ShownClient::default() };
        // Without a secret or an assertion: whoever has to show one is not let in.
        self.identify(&shown, "").await
    }

    async fn is_assertion(&self, row: &ClientRow, shown: &ShownClient, text: &str, audience: &str) -> Result<bool> {
        let keys = row.jwks.as_deref().and_then(|jwks| assertion::read_keys(jwks).ok());
        let (Some(keys), Some(ASSERTION_TYPE)) = (keys, shown.assertion_type.as_deref()) else { return Ok(false) };
        let expected = assertion::Expected { client: &row.id, audience, now: Utc::now().timestamp() };
        match assertion::verify(&keys, text, expected) {
            // On every server of this database, for as long as it could be shown again.
            Ok(right) => self.tables.note_assertion(&row.id, &secret::hash(right.jti.as_bytes()), right.exp).await,
            Err(refusal) => {
                tracing::debug!(?refusal, "an assertion was refused");
                Ok(false)
            }
        }
    }
}

fn no_client() -> Error {
    Error::not_found("There is no such client.")
}

fn check_name(name: &str) -> Result<String> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
        return Err(Error::invalid(format!("A client's name has 1 to {NAME_CHARS_MAX} characters.")).at("name"));
    }
    Ok(name.to_owned())
}

/// What goes with which kind.
fn check_kind(new: &NewClient) -> Result<()> {
    let wrong = |place: &str, message: &str| Err(Error::invalid(message).at(place));
    match new.kind.as_str() {
        PUBLIC if new.jwks.is_some() => wrong("jwks", "A public client keeps no key; register it as confidential."),
        BACKEND if new.jwks.is_none() => wrong("jwks", "A backend service needs a key set: it shows assertions."),
        BACKEND if new.account.is_none() => {
            wrong("account", "A backend service needs the id of the account that it acts for.")
        }
        PUBLIC | CONFIDENTIAL if new.account.is_some() => {
            wrong("account", "Only a backend service acts for an account of its own; others act for whom consents.")
        }
        PUBLIC | CONFIDENTIAL | BACKEND => Ok(()),
        _ => wrong("kind", "A kind is one of public, confidential, backend."),
    }
}

fn check_scopes(kind: &str, scopes: &str) -> Result<()> {
    let wrong = |message: String| Err(Error::invalid(message).at("scopes"));
    if scopes.is_empty() || scopes.len() > wish::SCOPES_BYTES_MAX {
        return wrong(format!("The scopes have 1 to {} bytes.", wish::SCOPES_BYTES_MAX));
    }
    if let Some(word) = wish::unknown(scopes) {
        return wrong(format!("'{word}' is no scope; one looks like `patient/Observation.rs`."));
    }
    let all: Vec<String> = scopes.split(' ').map(str::to_owned).collect();
    let (count, own) = match kind {
        BACKEND => (all.len(), wish::of_system(all)),
        _ => (all.len(), wish::of_person(all)),
    };
    if own.len() < count {
        return wrong("A backend service has scopes of `system/` and no others; an app has none of them.".to_owned());
    }
    Ok(())
}

fn check_redirects(kind: &str, uris: &[String]) -> Result<()> {
    let wrong = |message: String| Err(Error::invalid(message).at("redirect_uris"));
    if kind == BACKEND {
        return if uris.is_empty() { Ok(()) } else { wrong("Nobody is sent back to a backend service.".to_owned()) };
    }
    if uris.is_empty() || uris.len() > REDIRECTS_MAX {
        return wrong(format!("An app has 1 to {REDIRECTS_MAX} addresses to come back to."));
    }
    match uris.iter().find(|uri| RedirectUri::parse(uri).is_none()) {
        None => Ok(()),
        Some(uri) => wrong(format!(
            "'{uri}' is no address to come back to: https://…, http://127.0.0.1… or http://localhost… for development, or an \
            installed program's own scheme with a dot; without a fragment."
        )),
    }
}

fn check_keys(jwks: &str) -> Result<()> {
    assertion::read_keys(jwks).map(drop).map_err(|message| Error::invalid(message).at("jwks"))
}
