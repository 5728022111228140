//! Accounts, SMART and OAuth: what is asked under `/auth`, and what the server says of it.

use super::entry::{Entry, Paths, json_of};
use super::schema;
use crate::http::{auth, oauth};
use serde_json::{Map, Value, json};

pub const ACCOUNTS: &str = "Accounts";
pub const SMART: &str = "SMART and OAuth";

/// FHIR has an Account, too.
const PREFIX: &str = "auth.";

fn reference(name: &str) -> Value {
    schema::reference(&format!("{PREFIX}{name}"))
}

/// A row of the table of addresses, by its name there: what it does, the body that it reads, how it answers, and with what.
struct Row {
    name: &'static str,
    summary: &'static str,
    body: &'static str,
    /// Whether a form says the same as JSON.
    has_form: bool,
    status: &'static str,
    /// A schema, `Page` for one that is shown to people, or nothing.
    answer: &'static str,
    /// The parameter of its address.
    query: &'static str,
}

const fn row(name: &'static str, summary: &'static str, status: &'static str, answer: &'static str) -> Row {
    Row { name, summary, body: "", has_form: false, status, answer, query: "" }
}

const fn with(body: &'static str, row: Row) -> Row {
    Row { body, ..row }
}

const fn by_form(body: &'static str, row: Row) -> Row {
    Row { body, has_form: true, ..row }
}

const ROWS: &[Row] = &[
    by_form("LogIn", row("log-in", "Log in: an access token and one to refresh it", "200", "Tokens")),
    by_form("Refresh", row("refresh", "New tokens for a refresh token", "200", "Tokens")),
    row("log-out", "End this session", "204", ""),
    row("me", "Who I am", "200", "Me"),
    by_form("Register", row("register", "Make an account of one's own, where that is allowed", "201", "Account")),
    with("ChangePassword", row("change-password", "Change one's password", "204", "")),
    row("ask-for-link", "The page on which a link is asked for", "200", "Page"),
    by_form("Forgot", row("forgot-password", "Ask for a letter with a link by which a password is set", "202", "")),
    Row { query: "token", ..row("choose-password", "The page to which such a link leads", "200", "Page") },
    by_form("Reset", row("reset-password", "Set a password by such a link", "204", "")),
    row("sessions", "One's sessions", "200", "Sessions"),
    row("end-session", "End one of them", "204", ""),
    row("keys", "One's keys for programs", "200", "Keys"),
    with("MakeKey", row("make-key", "Make a key; it is shown this once", "201", "Key")),
    row("revoke-key", "Take a key back", "204", ""),
    Row { query: "after", ..row("users", "A page of the accounts (administrators)", "200", "Accounts") },
    with("MakeUser", row("make-user", "Make an account (administrators)", "201", "Account")),
    with("ChangeUser", row("change-user", "Change an account (administrators)", "200", "Account")),
    Row { query: "after", ..row("clients", "A page of the registered apps (administrators)", "200", "Clients") },
    with(
        "MakeClient",
        row("make-client", "Register an app; its secret is shown this once (administrators)", "201", "Client"),
    ),
    row("client", "A registered app (administrators)", "200", "Client"),
    with("ChangeClient", row("change-client", "Change a registered app (administrators)", "200", "Client")),
    row("remove-client", "Remove a registered app and end its sessions (administrators)", "204", ""),
    with("Launch", row("launch", "Open an app for a patient: what it is to be launched with", "201", "Launched")),
];

/// What has no row here is left out, which a test would notice.
pub fn add(paths: &mut Paths) {
    for (method, path, name, is_open) in auth::endpoints() {
        let Some(row) = ROWS.iter().find(|row| row.name == name) else { continue };
        let entry = Entry::new(ACCOUNTS, row.name, row.summary);
        let entry = if is_open { entry.open() } else { entry };
        let path = format!("/auth/{}", path.replace("{}", "{id}"));
        paths.add(&path, &method.to_lowercase(), filled(entry, row));
    }
    add_smart(paths);
}

fn filled(entry: Entry, row: &Row) -> Entry {
    let entry = match row.query {
        "" => entry,
        "after" => entry.sharing(&["after"]),
        name => entry.taking([json!({"name": name, "in": "query", "schema": {"type": "string"}})].into_iter()),
    };
    let entry = match (row.body, row.has_form) {
        ("", _) => entry,
        (body, has_form) => entry.with_body(body_of(body, has_form)),
    };
    let entry = match row.answer {
        "" => entry.answers_with(row.status, json!({"description": "Done."})),
        "Page" => entry.answers(row.status, "Page"),
        schema => entry.answers_with(row.status, json_of(row.summary, reference(schema))),
    };
    // A browser that sends a form gets a page, whatever the answer is.
    if ["forgot-password", "reset-password"].contains(&row.name) { entry.answers("200", "Page") } else { entry }
}

fn body_of(schema: &str, has_form: bool) -> Value {
    let mut content = json!({"application/json": {"schema": reference(schema)}});
    if let Some(types) = content.as_object_mut().filter(|_| has_form) {
        types.insert("application/x-www-form-urlencoded".to_owned(), json!({"schema": reference(schema)}));
    }
    json!({"required": true, "content": content})
}

fn add_smart(paths: &mut Paths) {
    for (number, path) in oauth::DOCUMENTS.iter().enumerate() {
        let entry =
            Entry::new(SMART, format!("configuration-{}", number + 1), "How to log in, and what of SMART there is");
        let schema = json!({"type": "object", "required": ["token_endpoint"]});
        paths.add_plain(path, "get", entry.open().answers_with("200", json_of("The document.", schema)));
    }
    let keys = json!({"type": "object", "required": ["keys"], "properties": {
        "keys": {"type": "array", "items": {"type": "object"}}}});
    let jwks = Entry::new(SMART, "jwks", "The keys by which others verify tokens of this server").open();
    paths.add("/.well-known/jwks.json", "get", jwks.answers_with("200", json_of("The keys.", keys)));
    let page = |entry: Entry| {
        // Whatever happens, a person is shown a page or sent back to the app.
        let entry = entry.open().answers("200", "Page").answers("303", "Redirect");
        entry.answers("4XX", "Page").answers("5XX", "Page")
    };
    let asked = Entry::new(SMART, "authorize", "Ask a person what an app may do");
    paths.add("/auth/authorize", "get", page(asked.taking(question().into_iter())));
    let answered = Entry::new(SMART, "authorize-by-form", "The person's answer, by the form of that page");
    paths.add("/auth/authorize", "post", page(answered.with_body(form(&[], &["username", "password"]))));
    let token = ["code", "redirect_uri", "client_id", "client_secret", "code_verifier", "refresh_token", "scope"];
    let token = [&token[..], &["client_assertion_type", "client_assertion"]].concat();
    let token = form(&["grant_type"], &token);
    for (path, id, summary, body, answer) in [
        ("/auth/token", "token", "Tokens for a code, a refresh token or an assertion", token, "AppTokens"),
        ("/auth/introspect", "introspect", "What a token is worth", form(&["token"], &[]), "Introspection"),
        ("/auth/revoke", "revoke", "End a token's session", form(&["token"], &["token_type_hint"]), ""),
    ] {
        let entry = Entry::new(SMART, id, summary)
            .with_body(body)
            .with("security", json!([{}, {"client": []}, {"bearer": []}]));
        let entry = entry.answers("4XX", "OAuthRefused").answers("5XX", "OAuthRefused");
        let entry = match answer {
            "" => entry.answers_with("200", json!({"description": "Done."})),
            schema => entry.answers_with("200", json_of(summary, reference(schema))),
        };
        paths.add(path, "post", entry);
    }
    let style = json!({"description": "The style sheet.", "content": {"text/css": {}}});
    let entry = Entry::new(SMART, "style", "The style sheet of the pages of log-in and consent").open();
    paths.add("/auth/style.css", "get", entry.answers_with("200", style));
}

/// <https://hl7.org/fhir/smart-app-launch/app-launch.html>
fn question() -> Vec<Value> {
    let of = |required: bool| move |name: &&str| json!({"name": name, "in": "query", "required": required, "schema": {"type": "string"}});
    let required = ["response_type", "client_id", "redirect_uri", "scope", "state", "aud", "code_challenge"];
    let required = required.iter().map(of(true));
    required.chain(["code_challenge_method", "launch", "nonce", "prompt"].iter().map(of(false))).collect()
}

fn form(required: &[&str], optional: &[&str]) -> Value {
    let text = |name: &&str| ((*name).to_owned(), json!({"type": "string"}));
    let properties: Map<String, Value> = required.iter().chain(optional).map(text).collect();
    let mut schema = json!({"type": "object", "properties": properties});
    if let Some(members) = schema.as_object_mut().filter(|_| !required.is_empty()) {
        members.insert("required".to_owned(), json!(required));
    }
    json!({"required": true, "content": {"application/x-www-form-urlencoded": {"schema": schema}}})
}

/// What is answered about accounts; what is asked has its schemas from the types that read it.
pub fn schemas() -> Map<String, Value> {
    let asked = auth::schemas().into_iter().map(|(name, schema)| (format!("{PREFIX}{name}"), schema));
    let mut schemas: Map<String, Value> = asked.collect();
    let maybe = || json!({"type": ["string", "null"]});
    let object = |required: &[&str], properties: Value| json!({"type": "object", "required": required, "properties": properties});
    let text = || json!({"type": "string"});
    let list = |name: &str, of: &str| object(&[name], json!({name: {"type": "array", "items": reference(of)}}));
    let tokens = ["access_token", "token_type", "expires_in"];
    let token_members = json!({"access_token": text(), "token_type": {"type": "string", "enum": ["Bearer"]},
        "expires_in": {"type": "integer", "description": "s"}, "refresh_token": text(), "scope": text(), "patient": text(),
        "id_token": text()});
    let account = json!({"id": text(), "username": text(), "role": text(), "patient": maybe(), "practitioner": maybe(),
        "email": maybe(), "disabled": {"type": "boolean"}, "has_password": {"type": "boolean"}, "created": text(),
        "changed": text(), "session": maybe(), "scopes": maybe()});
    let session = json!({"id": text(), "client": maybe(), "client_id": maybe(), "scopes": maybe(), "created": text(),
        "expires": text(), "last_used": text(), "is_this_one": {"type": "boolean"}});
    let key = json!({"id": text(), "name": text(), "scopes": text(), "created": text(), "expires": maybe(),
        "last_used": maybe(), "key": {"type": "string", "description": "Shown when it is made, and never again."}});
    let client = json!({"client_id": text(), "name": text(), "kind": text(), "redirect_uris": {"type": "array", "items": text()},
        "scopes": text(), "has_secret": {"type": "boolean"}, "jwks": {"type": ["object", "null"]}, "account": maybe(),
        "disabled": {"type": "boolean"}, "created": text(), "changed": text(), "client_secret": text()});
    for (name, schema) in [
        ("Tokens", object(&[&tokens[..], &["refresh_token"]].concat(), token_members.clone())),
        ("AppTokens", object(&tokens, token_members)),
        ("Me", object(&["id", "username", "role"], account.clone())),
        ("Account", object(&["id", "username", "role", "disabled", "has_password"], account)),
        ("SessionOfAccount", object(&["id", "created", "expires", "is_this_one"], session)),
        ("Key", object(&["id", "name", "scopes", "created"], key)),
        ("Client", object(&["client_id", "name", "kind", "scopes", "has_secret"], client)),
        ("Sessions", list("sessions", "SessionOfAccount")),
        ("Keys", list("keys", "Key")),
        ("Accounts", list("users", "Account")),
        ("Clients", list("clients", "Client")),
        ("Launched", object(&["launch", "expires_in"], json!({"launch": text(), "expires_in": {"type": "integer"}}))),
        ("Introspection", object(&["active"], json!({"active": {"type": "boolean"}}))),
    ] {
        schemas.insert(format!("{PREFIX}{name}"), schema);
    }
    schemas
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_about_accounts_has_its_row() {
        let names: Vec<&str> = auth::endpoints().map(|(_, _, name, _)| name).collect();
        for row in ROWS {
            assert!(names.contains(&row.name), "{}", row.name);
        }
        for name in names {
            assert!(ROWS.iter().any(|row| row.name == name), "{name}");
        }
    }
}
