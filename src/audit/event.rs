//! A record as an AuditEvent, with the content of IHE's Basic Audit Log Patterns.
//! <https://profiles.ihe.net/ITI/BALP/content.html>

use super::record::Record;
use crate::fhir::instant::to_instant;
use crate::fhir::json::{Json, Object};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const EVENT_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-event-type";
const ENTITY_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-entity-type";
const OBJECT_ROLE: &str = "http://terminology.hl7.org/CodeSystem/object-role";
const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
const DICOM: &str = "http://dicom.nema.org/resources/ontology/DCM";
const INTERACTION: &str = "http://hl7.org/fhir/restful-interaction";
const CUSTODIAN: &str = "http://terminology.hl7.org/CodeSystem/provenance-participant-type";
const BALP_ENTITY: &str = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType";
/// What is done to accounts has no code of FHIR's.
const OWN_WORDS: &str = "urn:brasa:account-interaction";
const PROFILES: &str = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/";

/// What is recorded with the action E, of FHIR's interactions.
pub const EXECUTED: &[&str] = &[
    "search",
    "search-type",
    "search-system",
    "history-instance",
    "history-type",
    "history-system",
    "transaction",
    "batch",
    "bundle",
    "operation",
];

/// What is recorded of accounts and of the audit itself, with the action E, too.
pub const OF_ACCOUNTS: &[&str] = &[
    "log-in",
    "refresh",
    "log-out",
    "me",
    "register",
    "change-password",
    "ask-for-link",
    "forgot-password",
    "choose-password",
    "reset-password",
    "sessions",
    "end-session",
    "keys",
    "make-key",
    "revoke-key",
    "users",
    "make-user",
    "change-user",
    "clients",
    "make-client",
    "client",
    "change-client",
    "remove-client",
    "launch",
    "authorize",
    "token",
    "introspect",
    "revoke",
    "export-audit",
    "drop-month",
];

/// FHIR's letter for what was done, and IHE's word for its pattern.
fn kind(interaction: &str) -> (&'static str, Option<&'static str>) {
    match interaction {
        "create" => ("C", Some("Create")),
        "read" | "vread" => ("R", Some("Read")),
        "update" | "patch" => ("U", Some("Update")),
        "delete" => ("D", Some("Delete")),
        "search-type" | "search-system" | "search" => ("E", Some("Query")),
        _ => ("E", None),
    }
}

/// The event's type, and its subtype.
fn types(interaction: &str) -> (Object, Object) {
    match interaction {
        "log-in" | "refresh" | "authorize" | "token" => {
            (coding(DICOM, "110114", "User Authentication"), coding(DICOM, "110122", "Login"))
        }
        "log-out" | "revoke" => (coding(DICOM, "110114", "User Authentication"), coding(DICOM, "110123", "Logout")),
        word if OF_ACCOUNTS.contains(&word) => {
            let subtype = Object::default().with_str("system", OWN_WORDS).with_str("code", word);
            (coding(DICOM, "110113", "Security Alert"), subtype)
        }
        word => {
            let subtype = Object::default().with_str("system", INTERACTION).with_str("code", word);
            (coding(EVENT_TYPE, "rest", "Restful Operation"), subtype)
        }
    }
}

/// The AuditEvent. `site`: the address of this server.
pub fn event(id: &str, record: &Record, site: &str) -> Object {
    let (action, pattern) = kind(&record.interaction);
    let (event_type, subtype) = types(&record.interaction);
    let outcome = match record.status {
        ..400 => "0",
        400..500 => "4",
        500.. => "8",
    };
    let mut meta = Object::default().with_str("versionId", "1").with_str("lastUpdated", to_instant(record.recorded));
    // The patterns are of what was done; what was refused has none.
    if let Some(pattern) = pattern.filter(|_| outcome == "0") {
        let word = if record.patient.is_some() { format!("Patient{pattern}") } else { pattern.to_owned() };
        let profile = Json::string(format!("{PROFILES}IHE.BasicAudit.{word}"));
        meta = meta.with("profile", Json::Array(vec![profile]));
    }
    let mut event = Object::default()
        .with_str("resourceType", "AuditEvent")
        .with_str("id", id)
        .with("meta", Json::Object(meta))
        .with("type", Json::Object(event_type))
        .with("subtype", Json::Array(vec![Json::Object(subtype)]))
        .with_str("action", action)
        .with_str("recorded", to_instant(record.recorded))
        .with_str("outcome", outcome);
    if outcome != "0" {
        event = event.with_str("outcomeDesc", format!("HTTP {}", record.status));
    }
    let source = Object::default().with("observer", Json::Object(display(site)));
    event
        .with("agent", Json::Array(agents(record, action, site)))
        .with("source", Json::Object(source))
        .with("entity", Json::Array(entities(record)))
}

/// The program, the server and the person. Data flow from who is called the source to who is called the destination, but
/// a query flows the other way than its answer.
fn agents(record: &Record, action: &str, site: &str) -> Vec<Json> {
    let source = coding(DICOM, "110153", "Source Role ID");
    let destination = coding(DICOM, "110152", "Destination Role ID");
    let (client_part, server_part) = match action {
        "R" => (destination, source),
        "D" => (coding(DICOM, "110150", "Application"), coding(CUSTODIAN, "custodian", "Custodian")),
        _ => (source, destination),
    };
    let who = &record.agent;
    let client = agent(&client_part)
        .with("who", Json::Object(display(who.client.as_deref().unwrap_or("a client without a name"))))
        .with("requestor", Json::Bool(false));
    let client = match &who.address {
        Some(address) => client.with("network", network(address, "2")),
        None => client,
    };
    let server = agent(&server_part)
        .with("who", Json::Object(display(site)))
        .with("requestor", Json::Bool(false))
        .with("network", network(site, "5"));
    let mut agents = vec![Json::Object(client), Json::Object(server)];
    if let Some(account) = &who.account {
        let part = match action {
            "R" | "E" => coding(PARTICIPATION, "IRCP", "information recipient"),
            _ => coding(PARTICIPATION, "AUT", "author (originator)"),
        };
        let identifier = Object::default().with_str("value", account);
        let mut reference = Object::default().with("identifier", Json::Object(identifier));
        if let Some(link) = &who.link {
            reference = Object::default().with_str("reference", link).with("identifier", identifier_of(account));
        }
        let mut person = agent(&part);
        if let Some(role) = &who.role {
            let role = Object::default().with_str("text", role);
            person = person.with("role", Json::Array(vec![Json::Object(role)]));
        }
        person = person.with("who", Json::Object(reference));
        if let Some(name) = &who.name {
            person = person.with_str("name", name);
        }
        person = person.with("requestor", Json::Bool(true));
        if let Some(reason) = &who.reason {
            let purpose = Object::default()
                .with("coding", Json::Array(vec![Json::Object(break_glass())]))
                .with_str("text", reason);
            person = person.with("purposeOfUse", Json::Array(vec![Json::Object(purpose)]));
        }
        agents.push(Json::Object(person));
    }
    agents
}

fn break_glass() -> Object {
    coding("http://terminology.hl7.org/CodeSystem/v3-ActReason", "BTG", "break the glass")
}

fn identifier_of(account: &str) -> Json {
    Json::Object(Object::default().with_str("value", account))
}

fn entities(record: &Record) -> Vec<Json> {
    let mut entities = Vec::new();
    let what = &record.what;
    if let Some(query) = &what.query {
        let entity = Object::default()
            .with("type", Json::Object(coding(ENTITY_TYPE, "2", "System Object")))
            .with("role", Json::Object(coding(OBJECT_ROLE, "24", "Query")))
            .with_str("query", STANDARD.encode(query));
        entities.push(Json::Object(entity));
    }
    if let Some(resource_type) = what.resource_type.as_ref().filter(|_| what.query.is_none()) {
        let entity = Object::default();
        let reference = match (&what.id, what.version) {
            (Some(id), Some(version)) => Some(format!("{resource_type}/{id}/_history/{version}")),
            (Some(id), None) => Some(format!("{resource_type}/{id}")),
            (None, _) => None,
        };
        let entity = match reference {
            Some(reference) => entity.with("what", Json::Object(Object::default().with_str("reference", reference))),
            None => entity,
        };
        let entity = entity
            .with("type", Json::Object(coding(ENTITY_TYPE, "2", "System Object")))
            .with("role", Json::Object(coding(OBJECT_ROLE, "4", "Domain Resource")))
            .with_str("name", resource_type);
        let entity = match &what.removed {
            Some(removed) => entity.with("detail", detail("removed", removed)),
            None => entity,
        };
        entities.push(Json::Object(entity));
    }
    if let Some(patient) = &record.patient {
        let reference = Object::default().with_str("reference", format!("Patient/{patient}"));
        let entity = Object::default()
            .with("what", Json::Object(reference))
            .with("type", Json::Object(coding(ENTITY_TYPE, "1", "Person")))
            .with("role", Json::Object(coding(OBJECT_ROLE, "1", "Patient")));
        entities.push(Json::Object(entity));
    }
    let identifier = Object::default().with_str("value", &record.request);
    let request = Object::default()
        .with("what", Json::Object(Object::default().with("identifier", Json::Object(identifier))))
        .with("type", Json::Object(coding(BALP_ENTITY, "XrequestId", "The value of X-Request-Id")));
    entities.push(Json::Object(request));
    entities
}

fn detail(kind: &str, value: &str) -> Json {
    let detail = Object::default().with_str("type", kind).with_str("valueString", value);
    Json::Array(vec![Json::Object(detail)])
}

fn agent(of: &Object) -> Object {
    let concept = Object::default().with("coding", Json::Array(vec![Json::Object(of.clone())]));
    Object::default().with("type", Json::Object(concept))
}

/// `kind`: 2 for an address, 5 for a URI.
fn network(address: &str, kind: &str) -> Json {
    Json::Object(Object::default().with_str("address", address).with_str("type", kind))
}

fn display(text: &str) -> Object {
    Object::default().with_str("display", text)
}

fn coding(system: &str, code: &str, display: &str) -> Object {
    Object::default().with_str("system", system).with_str("code", code).with_str("display", display)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::record::tests::read;
    use serde_json::{Value, json};

    const SITE: &str = "https://fhir.example.org";

    fn told(record: &Record) -> Value {
        let event = event("w-1", record, SITE);
        serde_json::from_slice(&event.to_bytes()).unwrap()
    }

    #[test]
    fn a_read_has_its_program_its_server_its_person_its_resource_and_its_patient() {
        let event = told(&read());
        assert_eq!(event["meta"]["profile"], json!([format!("{PROFILES}IHE.BasicAudit.PatientRead")]));
        assert_eq!((&event["action"], &event["outcome"]), (&json!("R"), &json!("0")));
        assert_eq!(event["recorded"], "2026-11-29T18:00:00.125Z");
        assert_eq!(event["subtype"][0]["code"], "read");
        let types: Vec<&Value> = (0..3).map(|n| &event["agent"][n]["type"]["coding"][0]["code"]).collect();
        assert_eq!(types, ["110152", "110153", "IRCP"]);
        assert_eq!(event["agent"][0]["network"], json!({"address": "192.0.2.7", "type": "2"}));
        let person = &event["agent"][2];
        assert_eq!(person["who"], json!({"reference": "Practitioner/d", "identifier": {"value": "a1"}}));
        assert_eq!((&person["requestor"], &person["name"]), (&json!(true), &json!("soto")));
        assert_eq!(event["entity"][0]["what"]["reference"], "Observation/x/_history/2");
        assert_eq!(event["entity"][1]["what"]["reference"], "Patient/p");
        assert_eq!(event["entity"][2]["what"]["identifier"]["value"], "r1");
    }

    #[test]
    fn a_query_is_kept_as_it_was_asked_and_a_refusal_says_what_was_answered() {
        let mut record = read();
        record.interaction = "search-type".into();
        record.what.query = Some("Observation?code=1234-5&patient=p".into());
        let event = told(&record);
        assert_eq!(event["meta"]["profile"][0], format!("{PROFILES}IHE.BasicAudit.PatientQuery"));
        assert_eq!(event["agent"][0]["type"]["coding"][0]["code"], "110153", "a query flows to the server");
        assert_eq!(event["entity"][0]["query"], STANDARD.encode("Observation?code=1234-5&patient=p"));
        assert_eq!(event["entity"][0]["role"]["code"], "24");
        record.status = 403;
        record.agent.account = None;
        let refused = told(&record);
        assert_eq!((&refused["outcome"], &refused["outcomeDesc"]), (&json!("4"), &json!("HTTP 403")));
        assert!(refused["meta"].get("profile").is_none() && refused["agent"].as_array().unwrap().len() == 2);
        record.status = 503;
        assert_eq!(told(&record)["outcome"], "8");
    }

    #[test]
    fn a_log_in_is_an_authentication_and_a_broken_glass_says_why() {
        let mut record = read();
        record.interaction = "log-in".into();
        record.what = Default::default();
        assert_eq!(told(&record)["type"]["code"], "110114");
        assert_eq!(told(&record)["subtype"][0]["code"], "110122");
        record.interaction = "read".into();
        record.agent.reason = Some("unconscious in the emergency room".into());
        let purpose = &told(&record)["agent"][2]["purposeOfUse"][0];
        assert_eq!(
            (&purpose["coding"][0]["code"], &purpose["text"]),
            (&json!("BTG"), &json!("unconscious in the emergency room"))
        );
    }
}
