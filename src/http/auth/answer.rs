//! What each address about accounts answers.

use super::Endpoint;
use super::asked::{
    Asked, ChangePassword, ChangeUser, Forgot, Launch, LogIn, MakeKey, MakeUser, Refresh, Register, Reset,
};
use super::client;
use super::page::{self, Notice};
use crate::account::oauth::LAUNCH_SECONDS;
use crate::account::{AccountRow, Accounts, Caller, KeyRow, NewKey, NewUser, SessionRow, Tokens, UserChange};
use crate::error::{Error, Kind, Result};
use crate::interaction::Context;
use crate::interaction::request::form_urlencoded;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

/// A status and, mostly, a body.
pub struct Answered {
    pub status: u16,
    pub body: Body,
}

pub enum Body {
    Nothing,
    Json(Value),
    /// For a browser.
    Page(String),
}

pub(super) fn ok(body: Value) -> Answered {
    Answered { status: 200, body: Body::Json(body) }
}

pub(super) fn created(body: Value) -> Answered {
    Answered { status: 201, body: Body::Json(body) }
}

fn shown(status: u16, page: String) -> Answered {
    Answered { status, body: Body::Page(page) }
}

pub(super) const NOTHING: Answered = Answered { status: 204, body: Body::Nothing };
/// It is being done.
const TAKEN: Answered = Answered { status: 202, body: Body::Nothing };

pub async fn answer(context: &Context, accounts: &Accounts, asked: Asked) -> Result<Answered> {
    match &asked.caller {
        None => open(accounts, &asked).await,
        Some(caller) if asked.endpoint == Endpoint::Launch => launch(context, accounts, caller, &asked).await,
        Some(caller) => known(accounts, caller, &asked).await,
    }
}

/// What whoever has not logged in may ask.
async fn open(accounts: &Accounts, asked: &Asked) -> Result<Answered> {
    match asked.endpoint {
        Endpoint::LogIn => {
            let LogIn { username, password } = asked.json_or_form()?;
            Ok(ok(tokens(&accounts.log_in(&username, password, &asked.client).await?)))
        }
        Endpoint::Refresh => {
            let Refresh { refresh_token } = asked.json_or_form()?;
            Ok(ok(tokens(&accounts.refresh(&refresh_token).await?)))
        }
        Endpoint::Register => {
            let Register { username, password, .. } = asked.json_or_form()?;
            Ok(created(account(&accounts.register(&username, password).await?)))
        }
        Endpoint::AskForLink => Ok(shown(200, page::ask(asked.language, None))),
        Endpoint::ChoosePassword => {
            let token = parameter(asked, "token")?.unwrap_or_default();
            Ok(shown(200, page::choose(asked.language, &token, accounts.password_chars_min(), None)))
        }
        Endpoint::Forgot => forgot(accounts, asked),
        Endpoint::Reset => reset(accounts, asked).await,
        _ => Err(Error::internal("an address that needs a caller was asked without one")),
    }
}

fn forgot(accounts: &Accounts, asked: &Asked) -> Result<Answered> {
    let Forgot { username } = asked.json_or_form()?;
    let done = accounts.forgot_password(&username, asked.language);
    if !asked.wants_page {
        return done.map(|()| TAKEN);
    }
    let (status, notice) = match done {
        Ok(()) => (202, Notice::OnItsWay),
        Err(error) => (error.kind.status(), notice(error, accounts.password_chars_min())?),
    };
    Ok(shown(status, page::ask(asked.language, Some(notice))))
}

async fn reset(accounts: &Accounts, asked: &Asked) -> Result<Answered> {
    let Reset { token, new_password, new_password_again } = asked.json_or_form()?;
    let done = match new_password_again.is_some_and(|again| again != new_password) {
        true => Err(Error::invalid("The two passwords differ.").at("new_password_again")),
        false => accounts.reset_password(&token, &new_password).await,
    };
    if !asked.wants_page {
        return done.map(|()| NOTHING);
    }
    let chars_min = accounts.password_chars_min();
    let (status, notice) = match done {
        Ok(()) => (200, Notice::Done),
        Err(error) => (error.kind.status(), notice(error, chars_min)?),
    };
    Ok(shown(status, page::choose(asked.language, &token, chars_min, Some(notice))))
}

/// What a page says of a refusal; a fault stays an error.
pub fn notice(error: Error, chars_min: usize) -> Result<Notice> {
    match (error.kind, error.expression.as_deref()) {
        (Kind::Invalid, Some("token")) => Ok(Notice::InvalidLink),
        (Kind::Invalid, Some("new_password_again")) => Ok(Notice::NotTheSame),
        (Kind::Invalid, Some("new_password")) => Ok(Notice::Password { chars_min }),
        (Kind::Invalid, _) => Ok(Notice::Unknown),
        (Kind::NotConfigured, _) => Ok(Notice::NoMail),
        (Kind::TooManyRequests { .. } | Kind::Busy { .. }, _) => Ok(Notice::Later),
        _ => Err(error),
    }
}

/// The only parameter that an address knows.
fn parameter(asked: &Asked, known: &str) -> Result<Option<String>> {
    let mut found = None;
    for (name, value) in form_urlencoded(&asked.query)? {
        if name != known {
            return Err(Error::invalid(format!("Only `{known}` is read here.")).at(name));
        }
        found = Some(value);
    }
    Ok(found)
}

async fn known(accounts: &Accounts, caller: &Caller, asked: &Asked) -> Result<Answered> {
    match asked.endpoint {
        Endpoint::LogOut => accounts.log_out(caller).await.map(|()| NOTHING),
        Endpoint::Me => Ok(ok(me(caller))),
        Endpoint::ChangePassword => {
            let ChangePassword { old_password, new_password } = asked.json()?;
            accounts.change_password(caller, old_password, &new_password).await.map(|()| NOTHING)
        }
        Endpoint::Sessions => {
            let rows = accounts.sessions(caller).await?;
            let rows: Vec<Value> = rows.iter().map(|row| session(row, caller)).collect();
            Ok(ok(json!({ "sessions": rows })))
        }
        Endpoint::EndSession => accounts.end_session(caller, &asked.id).await.map(|()| NOTHING),
        Endpoint::Keys => {
            let rows: Vec<Value> = accounts.keys(caller).await?.iter().map(key).collect();
            Ok(ok(json!({ "keys": rows })))
        }
        Endpoint::MakeKey => {
            let wanted: MakeKey = asked.json()?;
            let new = NewKey { expires: wanted.expires()?, name: wanted.name, scopes: wanted.scopes };
            let made = accounts.make_key(caller, new).await?;
            let mut body = key(&made.row);
            if let Some(members) = body.as_object_mut() {
                members.insert("key".to_owned(), Value::String(made.text));
            }
            Ok(created(body))
        }
        Endpoint::RevokeKey => accounts.revoke_key(caller, &asked.id).await.map(|()| NOTHING),
        Endpoint::Users => users(accounts, caller, asked).await,
        Endpoint::MakeUser => {
            let MakeUser { username, password, role, patient, practitioner, email, invite } = asked.json()?;
            let invitation = invite.then_some(asked.language);
            let new = NewUser { username, password, role, patient, practitioner, email, invitation };
            Ok(created(account(&accounts.make_user(caller, new).await?)))
        }
        Endpoint::ChangeUser => {
            let ChangeUser { role, disabled, patient, practitioner, email, password } = asked.json()?;
            let change = UserChange { role, disabled, patient, practitioner, email, password };
            Ok(ok(account(&accounts.change_user(caller, &asked.id, change).await?)))
        }
        Endpoint::Clients
        | Endpoint::MakeClient
        | Endpoint::Client
        | Endpoint::ChangeClient
        | Endpoint::RemoveClient => client::answer(accounts, caller, asked).await,
        Endpoint::Launch
        | Endpoint::LogIn
        | Endpoint::Refresh
        | Endpoint::Register
        | Endpoint::AskForLink
        | Endpoint::Forgot
        | Endpoint::ChoosePassword
        | Endpoint::Reset => open(accounts, asked).await,
    }
}

/// What an app is to be opened with.
async fn launch(context: &Context, accounts: &Accounts, caller: &Caller, asked: &Asked) -> Result<Answered> {
    let Launch { client_id, patient } = asked.json()?;
    let launch = accounts.launch(&context.store, caller, &client_id, &patient).await?;
    Ok(created(json!({ "launch": launch, "expires_in": LAUNCH_SECONDS })))
}

/// A page of accounts.
async fn users(accounts: &Accounts, caller: &Caller, asked: &Asked) -> Result<Answered> {
    let after = parameter(asked, "after")?.unwrap_or_default();
    let rows: Vec<Value> = accounts.users(caller, &after).await?.iter().map(account).collect();
    Ok(ok(json!({ "users": rows })))
}

/// <https://www.rfc-editor.org/rfc/rfc6749#section-5.1>
fn tokens(tokens: &Tokens) -> Value {
    json!({
        "access_token": tokens.access,
        "token_type": "Bearer",
        "expires_in": tokens.expires_in_seconds,
        "refresh_token": tokens.refresh,
    })
}

fn me(caller: &Caller) -> Value {
    let account = &caller.account;
    json!({
        "id": account.id,
        "username": account.username,
        "role": account.role,
        "patient": account.patient,
        "practitioner": account.practitioner,
        "email": account.email,
        "session": caller.session,
        "scopes": caller.scopes,
    })
}

/// Nothing of the password but whether there is one.
fn account(row: &AccountRow) -> Value {
    json!({
        "id": row.id,
        "username": row.username,
        "role": row.role,
        "patient": row.patient,
        "practitioner": row.practitioner,
        "email": row.email,
        "disabled": row.disabled,
        "has_password": row.password.is_some(),
        "created": instant(row.created),
        "changed": instant(row.changed),
    })
}

fn session(row: &SessionRow, caller: &Caller) -> Value {
    json!({
        "id": row.id,
        "client": row.client,
        "client_id": row.client_id,
        "scopes": row.scopes,
        "created": instant(row.created),
        "expires": instant(row.expires),
        "last_used": instant(row.last_used),
        "is_this_one": caller.session.as_deref() == Some(row.id.as_str()),
    })
}

fn key(row: &KeyRow) -> Value {
    json!({
        "id": row.id,
        "name": row.name,
        "scopes": row.scopes,
        "created": instant(row.created),
        "expires": row.expires.map(instant),
        "last_used": row.last_used.map(instant),
    })
}

pub(super) fn instant(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
