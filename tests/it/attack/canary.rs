//! A patient whose name goes through everything the server does, and is in no log: neither the server's nor its database's.

use crate::accounts::program::{command, listening, stop};
use crate::accounts::{PASSWORD, text};
use crate::support::{Answer, Server};
use serde_json::{Value, json};
use std::path::Path;

/// Names and numbers that are nowhere else.
const FAMILY: &str = "Quetzalcanary";
const NUMBER: &str = "7755331199";
const CONTENT: &str = "Zwitterkanarie";

/// Somebody who asks a server that runs as a process of its own.
struct Desk<'a> {
    client: &'a Server,
    fhir: String,
    bearer: String,
}

impl Desk<'_> {
    async fn ask(&self, method: &str, path: &str, kind: &str, body: impl ToString) -> Answer {
        let headers = [("authorization", self.bearer.as_str()), ("content-type", kind)];
        self.client.send(method, &format!("{}/{path}", self.fhir), &headers, body.to_string()).await
    }

    async fn send(&self, method: &str, path: &str, body: Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.ask(method, path, "application/fhir+json", body).await
    }
}

fn canary(id: &str) -> Value {
    json!({"resourceType": "Patient", "id": id, "name": [{"family": FAMILY}],
        "identifier": [{"system": "http://example.org/mrn", "value": NUMBER}],
        "text": {"status": "generated", "div": format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{CONTENT}</div>")}})
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_canary_is_called_is_in_no_log() {
    let client = Server::start().await;
    let folder = tempfile::tempdir().unwrap();
    // The database runs as another user, who must pass through.
    open_to_all(folder.path());
    let data = folder.path().join("data");
    let settings = [
        ("BRASA_ADMIN_USERNAME", "root"),
        ("BRASA_ADMIN_PASSWORD", PASSWORD),
        ("BRASA_LOG", "trace"),
        ("BRASA_LOG_FORMAT", "json"),
        ("BRASA_FULL_TEXT", "on"),
        ("BRASA_EXPLAIN", "on"),
        ("BRASA_DATA_DIR", data.to_str().unwrap()),
    ];
    let mut serve = command("", &settings);
    let child = serve.env_remove("BRASA_DATABASE_URL").arg("serve").spawn().unwrap();
    let (child, reader, said, root) = listening(child).await;
    let log_in = async |name: &str| {
        let json = [("content-type", "application/json")];
        let body = json!({"username": name, "password": PASSWORD}).to_string();
        let tokens = client.send("POST", &format!("{root}/auth/login"), &json, body).await.expect(200).json();
        let bearer = format!("Bearer {}", text(&tokens["access_token"]));
        Desk { client: &client, fhir: format!("{root}/fhir"), bearer }
    };
    let admin = log_in("root").await;
    for (name, role) in [("doctor", "practitioner"), ("auditor", "auditor")] {
        let user = json!({"username": name, "password": PASSWORD, "role": role}).to_string();
        let headers = [("authorization", admin.bearer.as_str()), ("content-type", "application/json")];
        client.send("POST", &format!("{root}/auth/users"), &headers, user).await.expect(201);
    }
    let (doctor, auditor) = (log_in("doctor").await, log_in("auditor").await);
    written(&doctor).await;
    asked(&doctor).await;
    refused(&doctor, &admin).await;
    auditor.send("GET", "AuditEvent?_count=100", Value::Null).await.expect(200);
    admin.send("GET", &format!("Patient?family={FAMILY}"), Value::Null).await.expect(403);
    client.get(&format!("{root}/fhir/Patient?family={FAMILY}")).await.expect(401);
    let said = said + &stop(child, reader).await;
    assert!(said.contains("\"interaction\":\"search-type\""), "{said}");
    let log = data.join("postgres/server.log");
    let of_database = std::fs::read_to_string(&log).unwrap_or_else(|fault| panic!("{}: {fault}", log.display()));
    assert!(of_database.contains("database system is ready"), "{of_database}");
    for word in [FAMILY, NUMBER, CONTENT, &FAMILY.to_lowercase(), &CONTENT.to_lowercase()] {
        assert!(!said.contains(word), "{word} is in the server's log");
        assert!(!of_database.contains(word), "{word} is in the database's log: {of_database}");
    }
}

fn open_to_all(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o711)).unwrap();
}

async fn written(doctor: &Desk<'_>) {
    doctor.send("PUT", "Patient/canary", canary("canary")).await.expect(201);
    doctor.send("POST", "Patient", canary("x")).await.expect(201);
    let patch = json!([{"op": "replace", "path": "/name/0/family", "value": FAMILY}]);
    doctor.ask("PATCH", "Patient/canary", "application/json-patch+json", patch).await.expect(200);
    let path = format!("Patient.name.where(family = '{FAMILY}').family");
    let patch = super::roads::fhirpath_patch("replace", &path, Some(FAMILY));
    doctor.ask("PATCH", "Patient/canary", "application/fhir+json", patch).await.expect(200);
    let entry =
        |method: &str, url: &str| json!({"resource": canary("canary"), "request": {"method": method, "url": url}});
    for kind in ["transaction", "batch"] {
        let entries = [
            entry("PUT", "Patient/canary"),
            json!({"request": {"method": "GET", "url": format!("Patient?family={FAMILY}")}}),
        ];
        doctor.send("POST", "", json!({"resourceType": "Bundle", "type": kind, "entry": entries})).await.expect(200);
    }
    let condition = format!("identifier=http://example.org/mrn|{NUMBER}");
    let found = doctor.send("PUT", &format!("Patient?{condition}"), canary("canary")).await;
    found.expect(412);
    // Many at once run into each other.
    let rivals = (0..8).map(|_| doctor.send("PUT", "Patient/canary", canary("canary")));
    for answer in futures_util::future::join_all(rivals).await {
        assert!([200, 409].contains(&answer.status), "{}", answer.text);
    }
}

async fn asked(doctor: &Desk<'_>) {
    for query in [
        format!("Patient?family={FAMILY}&_sort=family&_total=accurate"),
        format!("Patient?identifier={NUMBER}&_explain=true"),
        format!("Patient?_content={CONTENT}"),
        format!("Patient?_text={CONTENT}"),
        format!("Patient?_filter=family eq {FAMILY}"),
        format!("Observation?subject:Patient.family={FAMILY}"),
        format!("Observation?patient.identifier={NUMBER}"),
        "Patient/canary/_history".to_owned(),
        "Patient/canary/_history/1".to_owned(),
    ] {
        doctor.send("GET", &query, Value::Null).await.expect(200);
    }
    let form = format!("family={FAMILY}&_count=1");
    doctor.ask("POST", "Patient/_search", "application/x-www-form-urlencoded", form).await.expect(200);
}

async fn refused(doctor: &Desk<'_>, admin: &Desk<'_>) {
    for (method, path, body, status) in [
        ("POST", "Patient".to_owned(), format!("{{\"resourceType\": \"Patient\", \"name\": \"{FAMILY}"), 400),
        ("POST", "Patient".to_owned(), json!({"resourceType": "Patient", "name": FAMILY}).to_string(), 400),
        ("POST", "Patient".to_owned(), json!({"resourceType": "Patient", FAMILY: CONTENT}).to_string(), 201),
        ("POST", "Patient".to_owned(), json!({"resourceType": FAMILY}).to_string(), 400),
        ("PUT", format!("Patient/{FAMILY}"), canary("other").to_string(), 400),
        ("PUT", "Patient/canary".to_owned(), "not json ".to_owned() + FAMILY, 400),
        ("GET", format!("Patient?birthdate={FAMILY}"), String::new(), 400),
        ("GET", format!("Patient?_filter=family eq {FAMILY} and"), String::new(), 400),
        ("GET", format!("Patient/{FAMILY}"), String::new(), 404),
        ("GET", format!("{FAMILY}/1"), String::new(), 404),
        ("GET", format!("Patient/$everything?name={FAMILY}"), String::new(), 400),
    ] {
        let answer = doctor.ask(method, &path, "application/fhir+json", body).await;
        assert!((400..500).contains(&answer.status) || answer.status == status, "{method} {path}: {}", answer.text);
    }
    let conditional = format!("{{\"resourceType\": \"Patient\", \"name\": [{{\"family\": \"{FAMILY}\"}}]}}");
    let headers = [
        ("authorization", doctor.bearer.as_str()),
        ("content-type", "application/fhir+json"),
        ("if-none-exist", "identifier=http%3A%2F%2Fexample.org%2Fmrn%7C7755331199"),
    ];
    doctor.client.send("POST", &format!("{}/Patient", doctor.fhir), &headers, conditional).await.expect(412);
    let glass =
        [("authorization", admin.bearer.as_str()), ("x-break-glass", "asked about Quetzalcanary by the family")];
    admin.client.send("GET", &format!("{}/Patient/canary", admin.fhir), &glass, "").await.expect(200);
}
