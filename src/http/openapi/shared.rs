//! What many operations share: parameters, answers, and how one says who one is.

use super::schema::reference;
use crate::auth::smart::address::Addresses;
use crate::auth::smart::wish::WORDS;
use crate::interaction::capabilities::MODES;
use crate::interaction::patch::JSON_PATCH;
use serde_json::{Map, Value, json};

/// The header with which an administrator opens clinical data.
pub const BREAK_GLASS: &str = "X-Break-Glass";

const FHIR: &str = "application/fhir+json";
const FHIR_XML: &str = "application/fhir+xml";

/// How the values of each kind of search parameter are written. <https://hl7.org/fhir/R4/search.html#ptypes>
const KINDS: &[(&str, &str)] = &[
    ("string", "Text: found from its beginning on, without regard to case and accents. `:exact`, `:contains`."),
    ("token", "`code`, `system|code`, `|code` or `system|`. `:not`, `:text`, `:of-type`, `:in`, `:not-in`."),
    (
        "reference",
        "`id`, `Type/id` or an absolute address. `:Type`, `:identifier`, and chains such as `subject:Patient.name`.",
    ),
    ("date", "A date or time of any precision, with `eq`, `ne`, `gt`, `lt`, `ge`, `le`, `sa`, `eb` or `ap` before it."),
    ("number", "A number, as precise as it is written, with a prefix such as `ge` before it."),
    (
        "quantity",
        "`number`, `number|system|code` or `number||code`, with a prefix such as `ge` before it. Units are converted.",
    ),
    ("uri", "An address as it is written. `:above`, `:below`."),
    ("composite", "The values of its parts with `$` between them."),
    ("special", "As its own description says."),
];

/// A body in FHIR's forms: JSON, of which OpenAPI says what it holds, and XML, of which it does not.
pub fn content(schema: Value) -> Value {
    json!({FHIR: {"schema": schema}, FHIR_XML: {}})
}

/// As [`content`], with an example.
pub fn content_like(schema: Value, example: Value) -> Value {
    json!({FHIR: {"schema": schema, "example": example}, FHIR_XML: {}})
}

fn query(name: &str, schema: Value, description: &str) -> Value {
    json!({"name": name, "in": "query", "required": false, "description": description, "schema": schema})
}

fn header(name: &str, schema: Value, description: &str) -> Value {
    json!({"name": name, "in": "header", "required": false, "description": description, "schema": schema})
}

fn path(name: &str, schema: Value, description: &str) -> Value {
    json!({"name": name, "in": "path", "required": true, "description": description, "schema": schema, "example": "example"})
}

fn one_of(words: &[&str]) -> Value {
    json!({"type": "string", "enum": words})
}

fn text() -> Value {
    json!({"type": "string", "minLength": 1})
}

fn patterned(pattern: &str) -> Value {
    json!({"type": "string", "pattern": pattern})
}

fn count() -> Value {
    json!({"type": "integer", "minimum": 0})
}

/// The parameters of addresses and headers.
fn of_addresses() -> Vec<(&'static str, Value)> {
    let id = json!({"type": "string", "pattern": r"^[A-Za-z0-9\-\.]{1,64}$"});
    let version = json!({"name": "vid", "in": "path", "required": true, "description": "A version: 1, 2, 3 …",
        "schema": {"type": "string", "pattern": r"^[A-Za-z0-9\-\.]{1,64}$"}, "example": "1"});
    let returned = one_of(&["return=minimal", "return=representation", "return=OperationOutcome"]);
    vec![
        ("id", path("id", id, "The id: 1 to 64 letters, digits, `-` and `.`.")),
        ("vid", version),
        ("name", path("name", text(), "The name of a file.")),
        ("_format", query("_format", one_of(&["json", "xml", FHIR, FHIR_XML]), "Wins over `Accept`.")),
        ("_pretty", query("_pretty", json!({"type": "boolean"}), "Lines, for people to read.")),
        ("mode", query("mode", one_of(MODES), "What is told.")),
        (
            "If-Match",
            header(
                "If-Match",
                patterned(r#"^(\*|(W/)?"[A-Za-z0-9.\-]+"|[0-9]+)$"#),
                "Only if this is the current version, as in `W/\"3\"`; else 412.",
            ),
        ),
        ("If-None-Match", header("If-None-Match", text(), "304 if this is still the version, as in `W/\"3\"`.")),
        ("If-None-Match-Any", header("If-None-Match", one_of(&["*"]), "`*`: only if there is none yet; else 412.")),
        ("If-Modified-Since", header("If-Modified-Since", text(), "304 unless it changed since, as an HTTP date.")),
        (
            "If-None-Exist",
            header(
                "If-None-Exist",
                patterned("^[^=&]+=[^=&]+"),
                "A search: creates only if nothing is found, as in `identifier=urn:x|1`.",
            ),
        ),
        (
            BREAK_GLASS,
            header(
                "X-Break-Glass",
                json!({"type": "string", "minLength": 10, "maxLength": 500}),
                "For an administrator: why clinical data must be seen. The patient reads it; what is not ASCII is percent-encoded.",
            ),
        ),
        ("Prefer-Return", header("Prefer", returned, "What is answered: the resource, unless something else is said.")),
        (
            "Prefer-Handling",
            header("Prefer", one_of(&["handling=lenient", "handling=strict"]), "Strict refuses what is not known."),
        ),
        (
            "criteria",
            json!({"name": "criteria", "in": "query", "required": true, "style": "form", "explode": true,
                "description": "A search of the type, as in `identifier=urn:x|1`.", "example": {"_id": "example"},
                "schema": {"type": "object", "minProperties": 1, "propertyNames": {"pattern": "^[A-Za-z_]"}, "additionalProperties": text()}}),
        ),
    ]
}

/// The parameters of searches that shape the answer. <https://hl7.org/fhir/R4/search.html>
fn of_searches() -> Vec<(&'static str, Value)> {
    let more = json!({"name": "more", "in": "query", "required": false, "style": "form", "explode": true,
        "description": "Any parameter with a modifier (`name:exact`), chains (`subject:Patient.name`), \
            `_has:Type:reference:parameter`.",
        "example": {}, "schema": {"type": "object", "additionalProperties": {"type": "string"}}});
    vec![
        ("_count", query("_count", count(), "Entries of a page.")),
        (
            "_sort",
            query("_sort", text(), "Search parameters with a comma between them, `-` before one for descending."),
        ),
        ("_summary", query("_summary", one_of(&["true", "text", "data", "count", "false"]), "Parts of each resource.")),
        ("_summary-of-one", query("_summary", one_of(&["true", "text", "data", "false"]), "Parts of the resource.")),
        (
            "_elements",
            query("_elements", text(), "Elements at the top, with a comma between them: the others are left out."),
        ),
        ("_total", query("_total", one_of(&["none", "estimate", "accurate"]), "Whether all matches are counted.")),
        (
            "_include",
            query("_include", text(), "What matches refer to goes along: `Type:parameter`, or `*`. `:iterate`."),
        ),
        (
            "_revinclude",
            query("_revinclude", text(), "What refers to matches goes along: `Type:parameter`. `:iterate`."),
        ),
        (
            "_filter",
            query("_filter", text(), "An expression over search parameters: `name eq \"x\" and active eq true`."),
        ),
        ("_list", query("_list", text(), "The members of a stored List, by its id.")),
        ("_type", query("_type", text(), "Resource types with a comma between them.")),
        ("_page", query("_page", text(), "What the links of a page carry. Opaque.")),
        ("_since", query("_since", reference("dateTime"), "Versions from this instant on.")),
        (
            "_at",
            query("_at", reference("dateTime"), "Versions that were current at some time of this date or instant."),
        ),
        ("after", query("after", text(), "The last one of the page before.")),
        ("more", more),
    ]
}

pub fn parameters() -> Value {
    let all = of_addresses().into_iter().chain(of_searches()).map(|(name, value)| (name.to_owned(), value));
    Value::Object(all.collect())
}

/// The schemas of search parameters and of what is not FHIR's own.
pub fn schemas() -> Map<String, Value> {
    let kind = |(name, text): &(&str, &str)| {
        (format!("search.{name}"), json!({"type": "string", "minLength": 1, "title": name, "description": text}))
    };
    let mut schemas: Map<String, Value> = KINDS.iter().map(kind).collect();
    let operation = json!({"type": "object", "required": ["op", "path"], "properties": {
        "op": one_of(&["add", "remove", "replace", "move", "copy", "test"]),
        "path": {"type": "string", "description": "A JSON Pointer."}, "from": {"type": "string"},
        "value": {"type": ["string", "number", "boolean", "object", "array", "null"]}}});
    schemas.insert(
        "JsonPatch".to_owned(),
        json!({"type": "array", "maxItems": 1000, "items": operation,
            "description": "[JSON Patch](https://www.rfc-editor.org/rfc/rfc6902)"}),
    );
    schemas.insert(
        "OAuthError".to_owned(),
        json!({"type": "object", "required": ["error"], "properties": {"error": {"type": "string",
            "description": "[OAuth's word](https://www.rfc-editor.org/rfc/rfc6749#section-5.2)"},
            "error_description": {"type": "string"}}}),
    );
    schemas
}

/// The bodies that are not a resource's.
pub fn request_bodies() -> Map<String, Value> {
    let patch = json!([{"op": "add", "path": "/language", "value": "es"}]);
    let form = json!({"type": "object", "additionalProperties": {"type": "string"}});
    let bodies = json!({
        "JsonPatch": {"required": true, "content": {JSON_PATCH: {"schema": reference("JsonPatch"), "example": patch},
            FHIR: {"schema": reference("Parameters")}, FHIR_XML: {}}},
        "Search": {"description": "The same parameters as by GET.", "required": false,
            "content": {"application/x-www-form-urlencoded": {"schema": form}}},
        "NoParameters": {"description": "It has no parameters.", "required": false,
            "content": content_like(reference("Parameters"), json!({"resourceType": "Parameters"}))},
    });
    bodies.as_object().cloned().unwrap_or_default()
}

/// The answers that many operations give; errors by what the client can do about them.
pub fn responses() -> Map<String, Value> {
    let of =
        |description: &str, schema: &str| json!({"description": description, "content": content(reference(schema))});
    let header = |said: &str, kind: &str| json!({"description": said, "schema": {"type": kind}});
    let later = header("When to try again (s).", "integer");
    let headers = json!({"Retry-After": later});
    let mut failed = of(
        "**500** a fault of the server, whose log has the outcome's id; **501** something that this needs is not set; **503** \
            busy, the database is away, or nobody knows whether the write happened (issue code `incomplete`).",
        "OperationOutcome",
    );
    if let Some(members) = failed.as_object_mut() {
        members.insert("headers".to_owned(), headers);
    }
    let refused = "An OperationOutcome that names the place. **400** malformed or not supported, **401** log in, **403** not for \
        you, **404** no such thing, or not yours, **405** see `Allow`, **406** only JSON and XML are written, **408** the body did not come, \
        **409** others were faster, **410** deleted, **412** a condition does not hold, **413** a bound is exceeded, **415** only \
        JSON and XML are read, **422** it does not fit, **429** too often: see `Retry-After`.";
    let mut refused = of(refused, "OperationOutcome");
    if let Some(members) = refused.as_object_mut() {
        let headers = json!({"Retry-After": later, "Allow": header("With 405: the methods that mean something here.", "string"),
            "WWW-Authenticate": header("With 401: how to log in.", "string")});
        members.insert("headers".to_owned(), headers);
    }
    let oauth = json!({"description": "The request, the client or the token is refused, in OAuth's words.",
        "content": {"application/json": {"schema": reference("OAuthError")}}});
    let all = json!({
        "Refused": refused,
        "Failed": failed,
        "OAuthRefused": oauth,
        "Bundle": of("A page: a Bundle with links to the next and the previous one.", "Bundle"),
        "OperationOutcome": of("What was done.", "OperationOutcome"),
        "Parameters": of("What came of it.", "Parameters"),
        "NotModified": {"description": "The client has it already."},
        "Deleted": {"description": "It is not there any more."},
        "Page": {"description": "A page for people.", "content": {"text/html": {"schema": {"type": "string"}}}},
        "Redirect": {"description": "Back to the app.", "headers": {"Location": {"schema": {"type": "string"}}}},
    });
    all.as_object().cloned().unwrap_or_default()
}

/// How one says who one is; nothing where everybody may do everything.
pub fn security_schemes(addresses: &Addresses) -> Value {
    let resources = ["user/*.rs", "user/*.cruds", "patient/*.rs", "patient/*.cruds"];
    let scopes: Map<String, Value> =
        WORDS.iter().chain(&resources).map(|scope| ((*scope).to_owned(), Value::String(String::new()))).collect();
    json!({
        "bearer": {"type": "http", "scheme": "bearer",
            "description": "An access token, which `POST /auth/login` answers with, or a key of `POST /auth/keys`."},
        "smart": {"type": "oauth2", "description": "SMART App Launch, for an app that is registered (`POST /auth/clients`). \
                For this page register a public one whose redirect address is `/docs/oauth2-redirect.html` at this server.",
            "flows": {"authorizationCode": {"authorizationUrl": addresses.at("auth/authorize"),
                "tokenUrl": addresses.token(), "refreshUrl": addresses.token(), "scopes": scopes}}},
        "client": {"type": "http", "scheme": "basic", "description": "A confidential app's id and secret."},
    })
}
