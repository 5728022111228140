//! Custom search parameters at run time and `$reindex`: nothing is answered before all of it can be found.

use crate::support::database::TestDatabase;
use crate::support::{Answer, Server};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio_postgres::Client;

const PATIENCE: Duration = Duration::from_secs(240);
const STRICT: &[(&str, &str)] = &[("prefer", "handling=strict")];

/// Patients by what they were called at birth, which R4 has no parameter for.
fn maiden_name() -> Value {
    json!({"resourceType": "SearchParameter", "url": "http://example.org/maiden", "name": "Maiden", "status": "active",
        "description": "Name at birth", "code": "maiden", "base": ["Patient"], "type": "string",
        "expression": "Patient.name.where(use = 'maiden').family"})
}

fn patient(maiden: &str) -> Value {
    json!({"resourceType": "Patient", "name": [{"use": "maiden", "family": maiden}], "gender": "female"})
}

async fn until(server: &Server, path: &str, is_wanted: impl Fn(&Answer) -> bool) -> Answer {
    let started = Instant::now();
    loop {
        let answer = server.get_with(path, STRICT).await;
        if is_wanted(&answer) {
            return answer;
        }
        assert!(started.elapsed() < PATIENCE, "{path} is still {}: {}", answer.status, answer.text);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn until_answered(server: &Server, path: &str) -> Answer {
    until(server, path, |answer| answer.status == 200).await
}

/// How many match.
fn matches(answer: &Answer) -> usize {
    let entries = answer.json()["entry"].as_array().cloned().unwrap_or_default();
    entries.iter().filter(|entry| entry["search"]["mode"] == "match").count()
}

async fn count(server: &Server, path: &str) -> usize {
    matches(&server.get_with(path, STRICT).await.expect(200))
}

/// The value of a parameter of a job.
fn of_job(answer: &Answer, name: &str) -> Value {
    let parameters = answer.json()["parameter"].as_array().unwrap().clone();
    let found = parameters.into_iter().find(|parameter| parameter["name"] == name);
    let found = found.unwrap_or_else(|| panic!("{name}: {}", answer.text));
    found.as_object().unwrap().iter().find(|(key, _)| key.starts_with("value")).unwrap().1.clone()
}

/// Locks a resource until the client is told to go on.
async fn hold(client: &Client, id: &str) {
    client.batch_execute("BEGIN").await.unwrap();
    let sql = "SELECT 1 FROM resource WHERE compartment = $1 AND type = 'Patient' AND id = $1 FOR UPDATE";
    client.query_one(sql, &[&id]).await.unwrap();
}

/// Takes all rows of the index away, as if there never was one.
async fn empty_index(client: &Client) {
    for table in ["search_token", "search_string", "search_date", "search_number", "search_position"] {
        client.batch_execute(&format!("DELETE FROM {table}")).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_custom_parameter_is_answered_when_every_resource_can_be_found_by_it() {
    let server = Server::start().await;
    let before = server.post("Patient", patient("Díaz")).await.expect(201).id();
    let client = server.database.connect().await;
    hold(&client, &before).await;
    let created = server.post("SearchParameter", maiden_name()).await.expect(201);

    server.post("Patient", patient("Diaz")).await.expect(201);
    for path in ["Patient?maiden=diaz", "Patient?_sort=maiden", "Observation?subject:Patient.maiden=diaz"] {
        let refused = server.get_with(path, STRICT).await.expect(400);
        assert!(refused.issue()["diagnostics"].as_str().unwrap().contains("is being indexed"), "{}", refused.text);
    }
    let lenient = server.get("Patient?maiden=nobody").await.expect(200);
    assert_eq!(matches(&lenient), 2, "it is left out, and this is said");
    assert!(lenient.text.contains("is being indexed"), "{}", lenient.text);
    let listed = server.get("$reindex").await.expect(200);
    assert!(listed.text.contains(&format!("SearchParameter/{}", created.id())), "{}", listed.text);

    client.batch_execute("COMMIT").await.unwrap();
    let found = until_answered(&server, "Patient?maiden=diaz").await;
    assert_eq!(matches(&found), 2, "{}", found.text);
    assert_eq!(count(&server, "Patient?maiden=other").await, 0);
    server.post("Patient", patient("Diaz")).await.expect(201);
    assert_eq!(count(&server, "Patient?maiden=diaz&_sort=maiden").await, 3);
    server.delete(&format!("Patient/{before}")).await.expect(204);
    assert_eq!(count(&server, "Patient?maiden=diaz").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parameter_with_another_expression_is_indexed_again_and_one_that_is_retired_is_not_answered() {
    let server = Server::start().await;
    server.post("Patient", patient("Rojas")).await.expect(201);
    let mut parameter = maiden_name();
    parameter["id"] = json!("maiden");
    server.put("SearchParameter/maiden", &parameter).await.expect(201);
    until_answered(&server, "Patient?maiden=rojas").await;

    parameter["description"] = json!("another text");
    server.put("SearchParameter/maiden", &parameter).await.expect(200);
    server.get_with("Patient?maiden=rojas", STRICT).await.expect(200);

    parameter["expression"] = json!("Patient.name.where(use = 'old').family");
    server.put("SearchParameter/maiden", &parameter).await.expect(200);
    server.get_with("Patient?maiden=rojas", STRICT).await.expect(400);
    assert_eq!(matches(&until_answered(&server, "Patient?maiden=rojas").await), 0);

    parameter["status"] = json!("retired");
    server.put("SearchParameter/maiden", &parameter).await.expect(200);
    let refused = server.get_with("Patient?maiden=rojas", STRICT).await.expect(400);
    assert!(refused.issue()["diagnostics"].as_str().unwrap().contains("not a search parameter"));

    parameter["status"] = json!("active");
    server.put("SearchParameter/maiden", &parameter).await.expect(200);
    server.get_with("Patient?maiden=rojas", STRICT).await.expect(400);
    until_answered(&server, "Patient?maiden=rojas").await;
    server.delete("SearchParameter/maiden").await.expect(204);
    server.get_with("Patient?maiden=rojas", STRICT).await.expect(400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parameter_that_could_not_be_used_is_refused_with_its_place() {
    let server = Server::start().await;
    for (member, value, place) in [
        ("expression", json!("Patient.nome"), "SearchParameter.expression"),
        ("expression", json!("Patient.name.where("), "SearchParameter.expression"),
        ("code", json!("gender"), "SearchParameter.code"),
        ("code", json!("a:b"), "SearchParameter.code"),
        ("type", json!("special"), "SearchParameter.type"),
        ("base", json!(["Patient", "Nobody"]), "SearchParameter.base[1]"),
    ] {
        let mut parameter = maiden_name();
        parameter[member] = value;
        let refused = server.post("SearchParameter", &parameter).await.expect(400);
        assert_eq!(refused.expression(), place);
        let bundle = |kind| {
            json!({"resourceType": "Bundle", "type": kind, "entry": [
                {"request": {"method": "POST", "url": "Patient"}, "resource": patient("a")},
                {"request": {"method": "POST", "url": "SearchParameter"}, "resource": parameter}]})
        };
        let inside = place.replace("SearchParameter", "Bundle.entry[1].resource");
        assert_eq!(server.post("", bundle("transaction")).await.expect(400).expression(), inside);
        let batch = server.post("", bundle("batch")).await.expect(200).json();
        assert_eq!(batch["entry"][1]["response"]["outcome"]["issue"][0]["expression"][0], inside);
    }
    // What would take longer than anybody waits, and what leads to more elements than anybody counts.
    for expression in [
        "Patient.name.where(%resource.name.where(%resource.name.where(family = 'a').exists()).exists()).family"
            .to_owned(),
        format!("Patient{}", ".extension.value".repeat(6)),
    ] {
        let mut parameter = maiden_name();
        parameter["expression"] = json!(expression);
        let refused = server.post("SearchParameter", &parameter).await.expect(422);
        assert_eq!(refused.expression(), "SearchParameter.expression");
    }
    server.post("SearchParameter", maiden_name()).await.expect(201);
    let mut second = maiden_name();
    second["url"] = json!("http://example.org/second");
    assert_eq!(server.post("SearchParameter", &second).await.expect(400).expression(), "SearchParameter.code");
    second["status"] = json!("draft");
    server.post("SearchParameter", &second).await.expect(201);
    // R4's own may be stored: who loads the specification has them all.
    let own = json!({"resourceType": "SearchParameter", "url": "http://hl7.org/fhir/SearchParameter/individual-gender",
        "name": "gender", "status": "active", "description": "Gender", "code": "gender", "base": ["Patient"],
        "type": "token", "expression": "Patient.gender"});
    server.post("SearchParameter", own).await.expect(201);
    assert_eq!(server.get_with("Patient?gender=male", STRICT).await.expect(200).json()["resourceType"], "Bundle");
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_of_one_bundle_stand_beside_each_other_or_are_refused_together() {
    let server = Server::start().await;
    server.post("Patient", patient("Sosa")).await.expect(201);
    let with = |url: &str, code: &str| {
        let mut parameter = maiden_name();
        (parameter["url"], parameter["code"]) = (json!(url), json!(code));
        json!({"request": {"method": "POST", "url": "SearchParameter"}, "resource": parameter})
    };
    let bundle = |entries: Vec<Value>| json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
    let twice = bundle(vec![with("http://example.org/a", "maiden"), with("http://example.org/b", "maiden")]);
    assert_eq!(server.post("", twice).await.expect(400).expression(), "Bundle.entry[1].resource.code");
    let mut composite = with("http://example.org/c", "both");
    composite["resource"]["type"] = json!("composite");
    composite["resource"]["expression"] = json!("Patient");
    composite["resource"]["component"] = json!([
        {"definition": "http://hl7.org/fhir/SearchParameter/individual-gender", "expression": "gender"},
        {"definition": "http://example.org/a|1.0", "expression": "name.where(use = 'maiden').family"}]);
    server.post("", bundle(vec![composite, with("http://example.org/a", "maiden")])).await.expect(200);
    until_answered(&server, "Patient?maiden=sosa").await;
    assert_eq!(matches(&until_answered(&server, "Patient?both=female$sosa").await), 1);
    assert_eq!(count(&server, "Patient?both=male$sosa").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_every_server_writes_is_found_by_a_parameter_that_one_was_told_of() {
    let one = Server::start().await;
    let other = Server::on(one.database.clone(), &[]).await;
    other.post("Patient", patient("Luna")).await.expect(201);
    one.post("SearchParameter", maiden_name()).await.expect(201);
    // The other one does not know it yet.
    other.post("Patient", patient("Luna")).await.expect(201);
    let mut written = 2;
    let started = Instant::now();
    // As fast as it can: a job that waited for a moment without writes would not end.
    while one.get_with("Patient?maiden=luna", STRICT).await.status != 200 {
        other.post("Patient", patient("Luna")).await.expect(201);
        written += 1;
        assert!(started.elapsed() < PATIENCE, "{written} are written");
    }
    for server in [&one, &other] {
        assert_eq!(until_answered(server, "Patient?maiden=luna&_summary=count").await.json()["total"], written);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_taken_for_dead_comes_back() {
    let server = Server::start().await;
    server.post("Patient", patient("Rey")).await.expect(201);
    server.post("SearchParameter", maiden_name()).await.expect(201);
    until_answered(&server, "Patient?maiden=rey").await;
    let client = server.database.connect().await;
    assert_eq!(client.execute("DELETE FROM server", &[]).await.unwrap(), 1);
    let mut second = maiden_name();
    (second["url"], second["code"]) = (json!("http://example.org/again"), json!("again"));
    server.post("SearchParameter", second).await.expect(201);
    assert_eq!(matches(&until_answered(&server, "Patient?again=rey").await), 1);
    assert_eq!(matches(&until_answered(&server, "Patient?maiden=rey").await), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn reindex_of_the_system_of_a_type_and_of_one_resource_makes_them_found_again() {
    let server = Server::start().await;
    let client = server.database.connect().await;
    let id = server.post("Patient", patient("Vega")).await.expect(201).id();
    let observation = json!({"resourceType": "Observation", "status": "final", "code": {"text": "x"},
        "subject": {"reference": format!("Patient/{id}")}});
    server.post("Observation", observation).await.expect(201);
    let (people, observations) = ("Patient?family=vega", format!("Observation?patient={id}&status=final"));

    empty_index(&client).await;
    assert_eq!((count(&server, people).await, count(&server, &observations).await), (0, 0));
    server.post(&format!("Patient/{id}/$reindex"), "").await.expect(200);
    assert_eq!((count(&server, people).await, count(&server, &observations).await), (1, 0));

    for (path, parameters, expected) in [
        ("Observation/$reindex", String::new(), (0, 1)),
        ("$reindex", json!({"resourceType": "Parameters"}).to_string(), (1, 1)),
    ] {
        empty_index(&client).await;
        let started = server.post(path, parameters).await.expect(202);
        let place = started.header("content-location").unwrap().to_owned();
        let ended = until_answered(&server, &place).await;
        assert_eq!(of_job(&ended, "state"), "complete");
        assert_eq!(of_job(&ended, "done"), of_job(&ended, "total"));
        assert_eq!((count(&server, people).await, count(&server, &observations).await), expected, "{path}");
    }
    assert_eq!(server.get("$reindex").await.expect(200).json()["parameter"].as_array().unwrap().len(), 2);
    server.post("Patient/nobody/$reindex", "").await.expect(404);
    let inside = |kind| {
        json!({"resourceType": "Bundle", "type": kind,
            "entry": [{"request": {"method": "POST", "url": format!("Patient/{id}/$reindex")}}]})
    };
    let batch = server.post("", inside("batch")).await.expect(200).json();
    assert_eq!(batch["entry"][0]["response"]["status"], "200 OK", "{batch}");
    let refused = server.post("", inside("transaction")).await.expect(400);
    assert!(refused.expression().starts_with("Bundle.entry[0]"), "{}", refused.text);
    server.get("$reindex?job=999").await.expect(404);
    server.get("Patient/$reindex").await.expect(405);
    let restricted = json!({"resourceType": "Parameters", "parameter": [{"name": "url", "valueString": "Patient?"}]});
    server.post("$reindex", restricted).await.expect(400);
}

#[tokio::test(flavor = "multi_thread")]
async fn resources_from_before_the_index_are_found_after_the_start() {
    let server = Server::start().await;
    let id = server.post("Patient", patient("Paz")).await.expect(201).id();
    let gone = server.post("Patient", patient("Paz")).await.expect(201).id();
    server.delete(&format!("Patient/{gone}")).await.expect(204);
    let database = server.stop().await;
    let client = database.connect().await;
    empty_index(&client).await;
    let lowest = i64::MIN;
    client.execute("UPDATE resource SET key = NULL, self = NULL, date = $1, date_high = $1", &[&lowest]).await.unwrap();
    let server = Server::on(database, &[]).await;
    until(&server, "Patient?family=paz", |answer| matches(answer) == 1).await;
    server.get(&format!("Patient/{id}")).await.expect(200);
    let started = Instant::now();
    let sql = "SELECT count(*) FROM resource WHERE key IS NULL";
    while client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) > 0 {
        assert!(started.elapsed() < PATIENCE, "deleted resources get their key, too");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_during_a_reindex_are_not_written_over() {
    let server = Server::start().await;
    let mut ids = Vec::new();
    for _ in 0..8 {
        ids.push(server.post("Patient", patient("first")).await.expect(201).id());
    }
    server.post("SearchParameter", maiden_name()).await.expect(201);
    let mut place =
        server.post("Patient/$reindex", "").await.expect(202).header("content-location").unwrap().to_owned();
    for round in 0..20 {
        for id in &ids {
            let mut next = patient(&format!("name{round}"));
            next["id"] = json!(id);
            server.put(&format!("Patient/{id}"), next).await.expect(200);
        }
        if server.get(&place).await.status == 200 {
            let again = server.post("Patient/$reindex", "").await.expect(202);
            place = again.header("content-location").unwrap().to_owned();
        }
    }
    until_answered(&server, &place).await;
    until_answered(&server, "Patient?maiden=name19").await;
    assert_eq!(count(&server, "Patient?maiden=name19").await, 8);
    assert_eq!(count(&server, "Patient?maiden=name19&family=name19").await, 8);
    for old in ["first", "name0", "name18"] {
        assert_eq!(count(&server, &format!("Patient?maiden={old}")).await, 0, "{old}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_row_stays_of_a_deleted_resource_whatever_parameters_were_there_in_between() {
    let server = Server::start().await;
    let mut parameter = maiden_name();
    parameter["id"] = json!("maiden");
    parameter["expression"] = json!("Patient.contact.name.family");
    server.put("SearchParameter/maiden", &parameter).await.expect(201);
    let contact = json!({"resourceType": "Patient", "contact": [{"name": {"family": "Gil"}}]});
    let id = server.post("Patient", contact).await.expect(201).id();
    until_answered(&server, "Patient?maiden=gil").await;
    server.delete("SearchParameter/maiden").await.expect(204);
    server.delete(&format!("Patient/{id}")).await.expect(204);
    let client = server.database.connect().await;
    let sql = "SELECT count(*) FROM search_string WHERE compartment = $1";
    assert_eq!(client.query_one(sql, &[&id]).await.unwrap().get::<_, i64>(0), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_goes_on_where_it_was_when_its_server_is_killed() {
    let database = TestDatabase::make().await;
    let mut killed = Brasa::start(&database);
    let server = Server::on(database.clone(), &[]).await;
    let entry = json!({"request": {"method": "POST", "url": "Patient"}, "resource": patient("Mora")});
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": vec![entry; 1200]});
    server.post("", bundle).await.expect(200);
    // The last one in the order of the job, so that a piece is done before it has to wait.
    let last = server.post("Patient", patient("Mora")).await.expect(201).id();
    // Only the one that will be killed works on it.
    server.stop().await;
    let client = database.connect().await;
    hold(&client, &last).await;
    let created = killed.post("SearchParameter", maiden_name()).await;
    assert_eq!(created, 201);
    let watch = database.connect().await;
    let done = async || -> (i64, Option<i64>) {
        let row = watch.query_opt("SELECT done, total FROM reindex_job", &[]).await.unwrap();
        row.map_or((0, None), |row| (row.get(0), row.get(1)))
    };
    let started = Instant::now();
    while done().await.0 < 1000 {
        assert!(started.elapsed() < PATIENCE, "{:?}", done().await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    killed.child.kill().unwrap();
    killed.child.wait().unwrap();
    assert_eq!(done().await, (1000, Some(1201)));

    let server = Server::on(database, &[]).await;
    let refused = server.get_with("Patient?maiden=mora", STRICT).await.expect(400);
    assert!(refused.text.contains("(83 %)"), "{}", refused.text);
    client.batch_execute("COMMIT").await.unwrap();
    let found = until_answered(&server, "Patient?maiden=mora&_summary=count").await;
    assert_eq!(found.json()["total"], 1201);
    assert_eq!(done().await, (1201, Some(1201)), "nothing was done twice");
}

/// The real program, to be killed.
struct Brasa {
    child: Child,
    base: String,
}

impl Brasa {
    fn start(database: &TestDatabase) -> Brasa {
        let mut child = Command::new(env!("CARGO_BIN_EXE_brasa"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .env("BRASA_DATABASE_URL", database.url())
            .env("BRASA_SHARD_COUNT", "4")
            .env("BRASA_VALIDATION", "off")
            .env("BRASA_LOG", "warn")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let told = lines.find_map(|line| line.unwrap().split_once("FHIR R4 at ").map(|(_, rest)| rest.to_owned()));
        let base = told.expect("it says where it is").split_whitespace().next().unwrap().to_owned();
        // Somebody must go on reading, or the program would wait for it.
        std::thread::spawn(move || lines.for_each(drop));
        Brasa { child, base }
    }

    async fn post(&self, path: &str, body: Value) -> u16 {
        let request = reqwest::Client::new().post(format!("{}/{path}", self.base));
        let request = request.header("content-type", crate::support::FHIR_JSON).body(body.to_string());
        request.send().await.unwrap().status().as_u16()
    }
}

impl Drop for Brasa {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
