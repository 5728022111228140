//! Registering the programs that act for people and for themselves, for administrators.

use super::Endpoint;
use super::answer::{Answered, NOTHING, created, instant, ok};
use super::asked::{Asked, ChangeClient, MakeClient};
use crate::account::oauth::{Change, NewClient};
use crate::account::{Accounts, Caller, ClientRow};
use crate::error::{Error, Result};
use serde_json::{Value, json};

pub async fn answer(accounts: &Accounts, caller: &Caller, asked: &Asked) -> Result<Answered> {
    match asked.endpoint {
        Endpoint::Clients => {
            let rows = accounts.clients(caller, &asked.after()?).await?;
            let rows: Vec<Value> = rows.iter().map(client).collect();
            Ok(ok(json!({ "clients": rows })))
        }
        Endpoint::MakeClient => {
            let MakeClient { name, kind, redirect_uris, scopes, jwks, account } = asked.json()?;
            let jwks = jwks.map(|jwks| jwks.to_string());
            let made =
                accounts.make_client(caller, NewClient { name, kind, redirect_uris, scopes, jwks, account }).await?;
            let mut body = client(&made.row);
            if let (Some(members), Some(secret)) = (body.as_object_mut(), made.secret) {
                members.insert("client_secret".to_owned(), Value::String(secret));
            }
            Ok(created(body))
        }
        Endpoint::Client => Ok(ok(client(&accounts.client(caller, &asked.id).await?))),
        Endpoint::ChangeClient => {
            let ChangeClient { name, redirect_uris, scopes, jwks, disabled } = asked.json()?;
            let jwks = jwks.map(|jwks| jwks.to_string());
            let change = Change { name, redirect_uris, scopes, jwks, disabled };
            Ok(ok(client(&accounts.change_client(caller, &asked.id, change).await?)))
        }
        Endpoint::RemoveClient => accounts.remove_client(caller, &asked.id).await.map(|()| NOTHING),
        _ => Err(Error::internal("an address that is not of clients was asked of them")),
    }
}

/// Nothing of the secret but whether there is one.
fn client(row: &ClientRow) -> Value {
    let jwks = row.jwks.as_deref().and_then(|jwks| serde_json::from_str::<Value>(jwks).ok());
    json!({
        "client_id": row.id,
        "name": row.name,
        "kind": row.kind,
        "redirect_uris": row.redirect_uris,
        "scopes": row.scopes,
        "has_secret": row.secret.is_some(),
        "jwks": jwks,
        "account": row.account,
        "disabled": row.disabled,
        "created": instant(row.created),
        "changed": instant(row.changed),
    })
}
