//! `$validate` as an operation: where, with what, and how it answers. <https://hl7.org/fhir/R4/resource-operation-validate.html>

use super::{WELL, issues, sentences};
use crate::accounts;
use crate::support::Server;
use crate::validation::with_three_faults;
use serde_json::{Value, json};

fn observation() -> Value {
    json!({"resourceType": "Observation", "status": "final", "code": {"text": "weight"}, "performer": [{"display": "x"}],
        "text": {"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">70 kg</div>"},
        "effectiveDateTime": "2026-11-30", "subject": {"display": "x"}, "valueQuantity": {"value": 70, "unit": "kg"}})
}

fn with(resource: Value, more: &[Value]) -> Value {
    let mut parameters = vec![json!({"name": "resource", "resource": resource})];
    parameters.extend_from_slice(more);
    json!({"resourceType": "Parameters", "parameter": parameters})
}

fn mode(mode: &str) -> Value {
    json!({"name": "mode", "valueCode": mode})
}

fn wrong() -> Value {
    with_three_faults(observation())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_is_an_issue_of_an_answer_of_200_and_nothing_is_stored() {
    // As closely as can be, whatever writes are held to.
    let server = Server::start_with(&[("BRASA_VALIDATION", "off")]).await;
    for body in [observation(), with(observation(), &[]), with(observation(), &[mode("create")])] {
        let answer = server.post("Observation/$validate", body).await.expect(200);
        assert_eq!(issues(&answer), [WELL]);
    }
    let faults =
        ["error code-invalid Observation.status", "error invariant Observation", "error structure Observation.colour"];
    for body in [wrong(), with(wrong(), &[])] {
        let answer = server.post("Observation/$validate", body).await.expect(200);
        let mut told = issues(&answer);
        told.sort();
        assert_eq!(told, faults);
    }
    // What is only bad practice is said, too: dom-6 wants a narrative.
    let mut bare = observation();
    bare.as_object_mut().unwrap().remove("text");
    let answer = server.post("Observation/$validate", bare).await.expect(200);
    assert_eq!(issues(&answer), ["warning invariant Observation"]);
    assert!(sentences(&answer).contains("dom-6"));
    assert_eq!(server.get("Observation?_summary=count").await.json()["total"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_is_looked_at_by_get_and_by_post() {
    let server = Server::start_with(&[("BRASA_VALIDATION", "off")]).await;
    let mut good = observation();
    good["id"] = json!("good");
    let mut bad = wrong();
    bad["id"] = json!("bad");
    server.put("Observation/good", &good).await.expect(201);
    server.put("Observation/bad", &bad).await.expect(201);
    for (method, path, found) in [
        ("GET", "Observation/good/$validate", 0),
        ("POST", "Observation/good/$validate", 0),
        ("GET", "Observation/bad/$validate", 3),
        ("GET", "Observation/bad/$validate?mode=delete", 0),
        ("GET", "Observation/good/$validate?mode=delete", 0),
        ("GET", "Observation/good/$validate?mode=update", 0),
    ] {
        let answer = server.send(method, path, &[], "").await.expect(200);
        assert_eq!(issues(&answer).iter().filter(|issue| issue.starts_with("error")).count(), found, "{path}");
    }
    assert_eq!(server.send("HEAD", "Observation/good/$validate", &[], "").await.expect(200).text, "");
    // An update names the id of its address, and one of what is not there creates it.
    let update = |body: &Value| with(body.clone(), &[mode("update")]);
    let answer = server.post("Observation/good/$validate", update(&good)).await.expect(200);
    assert_eq!(issues(&answer), [WELL]);
    let answer = server.post("Observation/new/$validate", update(&good)).await.expect(200);
    assert_eq!(issues(&answer), ["error value Observation.id"]);
    let answer = server.post("Observation/new/$validate", update(&observation())).await.expect(200);
    assert_eq!(issues(&answer), ["error value Observation.id"]);
    server.get("Observation/none/$validate").await.expect(404);
    server.get("Observation/none/$validate?mode=delete").await.expect(404);
    server.delete("Observation/good").await.expect(204);
    server.get("Observation/good/$validate").await.expect(410);
    let answer = server.get("Observation/good/$validate?mode=delete").await.expect(200);
    assert_eq!(issues(&answer), ["error deleted Observation"]);
    // To look whether it could be changed did not change it.
    assert_eq!(server.get("Observation/bad").await.json()["meta"]["versionId"], "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_looked_at_is_400_and_names_the_place() {
    let server = Server::start().await;
    let parameters = |all: Value| json!({"resourceType": "Parameters", "parameter": all}).to_string();
    for (path, body, place) in [
        ("Patient/$validate", "{".to_owned(), ""),
        ("Patient/$validate", "[]".to_owned(), ""),
        ("Patient/$validate", String::new(), "resource"),
        ("Patient/$validate", parameters(json!([])), "resource"),
        ("Patient/$validate", parameters(json!([{"name": "resource"}])), "Parameters.parameter[0]"),
        (
            "Patient/$validate",
            parameters(json!([{"name": "resource", "resource": {"resourceType": "Pacient"}}])),
            "Parameters.parameter[0].resourceType",
        ),
        ("Patient/$validate", observation().to_string(), "resource"),
        ("Patient/$validate?mode=delete", String::new(), "mode"),
        ("Patient/$validate?mode=profile", json!({"resourceType": "Patient"}).to_string(), "mode"),
        ("Patient/$validate?mode=look", json!({"resourceType": "Patient"}).to_string(), "mode"),
        ("Patient/$validate?colour=red", json!({"resourceType": "Patient"}).to_string(), "colour"),
        ("Patient/$validate?resource=x", String::new(), "resource"),
        ("Patient/p/$validate?mode=create", json!({"resourceType": "Patient"}).to_string(), "mode"),
        ("Patient/p/$validate?mode=profile", String::new(), "profile"),
        ("Patient/p/$validate?mode=profile&profile=http://x", json!({"resourceType": "Patient"}).to_string(), "mode"),
        ("Patient/$validate", parameters(json!([{"name": "x", "valueString": "y"}])), "Parameters.parameter[0]"),
    ] {
        let refused = server.post(path, &body).await.expect(400);
        assert_eq!(refused.expression(), place, "{path} {body}: {}", refused.text);
    }
    // Parameters are a type like others.
    let answer = server.post("Parameters/$validate", parameters(json!([{"name": "x"}]))).await.expect(200);
    assert_eq!(issues(&answer), ["error invariant Parameters.parameter[0]"]);
    let batch = json!({"resourceType": "Bundle", "type": "batch", "entry": [
        {"request": {"method": "POST", "url": "Observation/$validate"}, "resource": wrong()}]});
    let answer = server.post("", batch.to_string()).await.expect(200).json();
    assert_eq!(answer["entry"][0]["response"]["status"], "200 OK");
    assert_eq!(answer["entry"][0]["resource"]["issue"].as_array().map(Vec::len), Some(3), "{answer}");
    let transaction = batch.to_string().replace("\"batch\"", "\"transaction\"");
    assert_eq!(server.post("", transaction).await.expect(400).expression(), "Bundle.entry[0]");
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_known_may_look_at_what_they_bring_and_only_whoever_may_read_it_at_what_is_stored() {
    let server = accounts::server_with(&[("BRASA_AUDIT", "on")]).await;
    let root = accounts::token(&server, "root").await;
    let admin = server.as_user(&root);
    for (name, role) in [("doctor", "practitioner"), ("auditor", "auditor")] {
        accounts::make_user(&server, &admin, name, role).await;
    }
    let doctor = server.as_user(&accounts::token(&server, "doctor").await);
    let auditor = server.as_user(&accounts::token(&server, "auditor").await);
    let mut stored = observation();
    stored["id"] = json!("o");
    doctor.send("PUT", "Observation/o", stored).await.expect(201);
    for user in [&admin, &doctor, &auditor] {
        let answer = user.send("POST", "Observation/$validate", observation()).await.expect(200);
        assert_eq!(issues(&answer), [WELL]);
    }
    server.post("Observation/$validate", observation()).await.expect(401);
    doctor.get("Observation/o/$validate").await.expect(200);
    for path in ["Observation/o/$validate", "Observation/o/$validate?mode=delete"] {
        let refused = auditor.get(path).await;
        assert!(refused.status == 403 || issues(&refused) == ["error forbidden Observation"], "{}", refused.text);
    }
    let create = with(observation(), &[mode("create")]);
    assert_eq!(issues(&doctor.send("POST", "Observation/$validate", create.clone()).await.expect(200)), [WELL]);
    let answer = auditor.send("POST", "Observation/$validate", create).await.expect(200);
    assert_eq!(issues(&answer), ["error forbidden Observation"]);
    server.each_is_recorded().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_modes_look_at_whom_the_content_is_about_and_tell_nothing_of_what_may_not_be_seen() {
    let server = accounts::server_with(&[("BRASA_AUDIT", "on")]).await;
    let root = accounts::token(&server, "root").await;
    let admin = server.as_user(&root);
    let account = accounts::make_user(&server, &admin, "ana", "patient").await;
    let linked = json!({"patient": "p"});
    admin.send("PATCH", &accounts::at(&server, &format!("users/{account}")), linked).await.expect(200);
    accounts::make_user(&server, &admin, "doctor", "practitioner").await;
    let doctor = server.as_user(&accounts::token(&server, "doctor").await);
    for id in ["p", "q"] {
        doctor.send("PUT", &format!("Patient/{id}"), json!({"resourceType": "Patient", "id": id})).await.expect(201);
    }
    let ana = server.as_user(&accounts::token(&server, "ana").await);
    let of = |patient: &str| {
        let mut one = observation();
        one["subject"] = json!({"reference": format!("Patient/{patient}")});
        one["performer"] = json!([{"reference": format!("Patient/{patient}")}]);
        one
    };
    let named = |id: &str, patient: &str| {
        let mut one = of(patient);
        one["id"] = json!(id);
        one
    };
    let mine = ana.send("POST", "Observation", of("p")).await.expect(201).id();
    let theirs = doctor.send("POST", "Observation", of("q")).await.expect(201).id();
    let forbidden = ["error forbidden Observation".to_owned()];
    // What `$validate` says is what the write itself does, and whether there is a patient of that name changes nothing.
    for (patient, may) in [("p", true), ("q", false), ("nobody", false)] {
        let answer = ana.send("POST", "Observation/$validate", with(of(patient), &[mode("create")])).await.expect(200);
        let expected = if may { [WELL.to_owned()] } else { forbidden.clone() };
        assert_eq!(issues(&answer), expected, "create for {patient}");
        let update = with(named(&mine, patient), &[mode("update")]);
        let answer = ana.send("POST", &format!("Observation/{mine}/$validate"), update).await.expect(200);
        assert_eq!(issues(&answer), expected, "update for {patient}");
        let (created, updated) = if may { (201, 200) } else { (403, 403) };
        ana.send("POST", "Observation", of(patient)).await.expect(created);
        ana.send("PUT", &format!("Observation/{mine}"), named(&mine, patient)).await.expect(updated);
    }
    for id in [theirs.as_str(), "p.nothing"] {
        let update = with(named(id, "p"), &[mode("update")]);
        let answer = ana.send("POST", &format!("Observation/{id}/$validate"), update).await.expect(404);
        assert_eq!(issues(&answer), ["error not-found"], "{id}");
    }
    server.each_is_recorded().await;
}
