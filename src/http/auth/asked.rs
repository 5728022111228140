//! What is asked of accounts, and reading it: JSON, for some also a form, and no member that is not known.

use super::Endpoint;
use crate::account::{Caller, Language};
use crate::error::{Error, Kind, Result};
use crate::interaction::request::form_urlencoded;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use utoipa::{PartialSchema, ToSchema};

/// One request.
pub struct Asked {
    pub endpoint: Endpoint,
    /// `None` where nobody need have logged in.
    pub caller: Option<Caller>,
    pub id: String,
    pub query: String,
    pub content_type: Option<String>,
    /// What the client says of itself.
    pub client: String,
    /// What people are answered in.
    pub language: Language,
    /// Whether a browser shows the answer: it is a page.
    pub wants_page: bool,
    pub body: Bytes,
}

/// `username`: or the e-mail address.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Forgot {
    pub username: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reset {
    pub token: String,
    pub new_password: String,
    /// What a form asks for, so that a slip of the finger shows.
    pub new_password_again: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogIn {
    pub username: String,
    pub password: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    pub refresh_token: String,
}

/// What a stranger says of a role or a link is read and means nothing: forms that are the same for all may send it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Register {
    pub username: String,
    pub password: String,
    #[serde(default, rename = "role")]
    #[schema(value_type = Option<String>)]
    _role: IgnoredAny,
    #[serde(default, rename = "patient")]
    #[schema(value_type = Option<String>)]
    _patient: IgnoredAny,
    #[serde(default, rename = "practitioner")]
    #[schema(value_type = Option<String>)]
    _practitioner: IgnoredAny,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    pub old_password: String,
    pub new_password: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MakeKey {
    pub name: String,
    pub scopes: String,
    expires: Option<String>,
}

impl MakeKey {
    pub fn expires(&self) -> Result<Option<DateTime<Utc>>> {
        let Some(text) = &self.expires else { return Ok(None) };
        let wrong = |_| Error::invalid("This is no instant such as 2030-01-31T00:00:00Z.").at("expires");
        Ok(Some(DateTime::parse_from_rfc3339(text).map_err(wrong)?.to_utc()))
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MakeUser {
    pub username: String,
    pub password: Option<String>,
    pub role: String,
    pub patient: Option<String>,
    pub practitioner: Option<String>,
    pub email: Option<String>,
    /// Whether a letter is sent by which the password is set.
    #[serde(default)]
    pub invite: bool,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeUser {
    pub role: Option<String>,
    pub disabled: Option<bool>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub patient: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub practitioner: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub email: Option<Option<String>>,
    pub password: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MakeClient {
    pub name: String,
    pub kind: String,
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    pub scopes: String,
    #[schema(value_type = Option<Object>)]
    pub jwks: Option<Value>,
    pub account: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeClient {
    pub name: Option<String>,
    pub redirect_uris: Option<Vec<String>>,
    pub scopes: Option<String>,
    #[schema(value_type = Option<Object>)]
    pub jwks: Option<Value>,
    pub disabled: Option<bool>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Launch {
    pub client_id: String,
    pub patient: String,
}

/// The JSON schema of each body, by its name.
pub fn schemas() -> Map<String, Value> {
    fn of<T: ToSchema>() -> Option<(String, Value)> {
        Some((T::name().into_owned(), serde_json::to_value(<T as PartialSchema>::schema()).ok()?))
    }
    let all = [
        of::<Forgot>(),
        of::<Reset>(),
        of::<LogIn>(),
        of::<Refresh>(),
        of::<Register>(),
        of::<ChangePassword>(),
        of::<MakeKey>(),
        of::<MakeUser>(),
        of::<ChangeUser>(),
        of::<MakeClient>(),
        of::<ChangeClient>(),
        of::<Launch>(),
    ];
    all.into_iter().flatten().collect()
}

/// Tells a member that is null, which takes a link away, from one that is not there.
fn given<'de, D: Deserializer<'de>>(reader: D) -> std::result::Result<Option<Option<String>>, D::Error> {
    Option::deserialize(reader).map(Some)
}

impl Asked {
    /// The body as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        match self.content_name().as_str() {
            "application/json" => serde_json::from_slice(&self.body).map_err(|fault| unreadable(&fault)),
            _ => Err(Error::new(Kind::UnsupportedMediaType, "Send application/json.").at("http.content-type")),
        }
    }

    /// The body as JSON or as a form.
    pub fn json_or_form<T: DeserializeOwned>(&self) -> Result<T> {
        if self.content_name() != "application/x-www-form-urlencoded" {
            return self.json();
        }
        let text = std::str::from_utf8(&self.body).map_err(|_| Error::invalid("The body is not UTF-8."))?;
        let mut members = Map::new();
        for (name, value) in form_urlencoded(text)? {
            if members.contains_key(&name) {
                return Err(Error::invalid("This is given twice.").at(name));
            }
            members.insert(name, Value::String(value));
        }
        serde_json::from_value(Value::Object(members)).map_err(|fault| unreadable(&fault))
    }

    /// Where a page begins: `after` is the last one of the page before.
    pub fn after(&self) -> Result<String> {
        let mut after = String::new();
        for (name, value) in form_urlencoded(&self.query)? {
            match name.as_str() {
                "after" => after = value,
                _ => return Err(Error::invalid("Only `after` is read here.").at(name)),
            }
        }
        Ok(after)
    }

    fn content_name(&self) -> String {
        let name = self.content_type.as_deref().unwrap_or_default().split(';').next().unwrap_or_default();
        name.trim().to_ascii_lowercase()
    }
}

/// Says which member is not known, missing or of another kind.
fn unreadable(fault: &serde_json::Error) -> Error {
    Error::invalid(format!("The body is not what is read here: {fault}."))
}
