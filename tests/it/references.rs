//! References among the entries of a transaction and to what a search finds. <https://hl7.org/fhir/R4/bundle.html#references>

use crate::support::Server;
use crate::support::bundle::{entry, observation, patient, post, post_as, practitioner, put};
use serde_json::{Value, json};

async fn read(server: &Server, reference: &str) -> Value {
    server.get(reference).await.expect(200).json()
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_refer_to_each_other_by_urn_in_any_order_and_in_circles() {
    let server = Server::start().await;
    let linked =
        |to: &str| json!({"resourceType": "Patient", "link": [{"other": {"reference": to}, "type": "seealso"}]});
    let mut encounter =
        json!({"resourceType": "Encounter", "status": "finished", "subject": {"reference": "urn:uuid:a"}});
    encounter["diagnosis"] = json!([{"condition": {"reference": "urn:uuid:c"}}]);
    let mut condition = json!({"resourceType": "Condition", "subject": {"reference": "urn:uuid:a"}});
    condition["encounter"] = json!({"reference": "urn:uuid:e"});
    let mut entries = vec![
        post_as("urn:uuid:e", encounter),
        post_as("urn:uuid:c", condition),
        post_as("urn:uuid:a", linked("urn:uuid:b")),
        post_as("urn:uuid:b", linked("urn:uuid:a")),
        post_as("urn:oid:1.2.3", json!({"resourceType": "Group", "member": [{"entity": {"reference": "urn:uuid:a"}}]})),
    ];
    for _ in 0..entries.len() {
        entries.rotate_left(1);
        let made = server.transact(entries.clone()).await.expect(200).made();
        let of = |name: &str| {
            let position = entries.iter().position(|entry| entry["fullUrl"] == name).unwrap();
            made[position].as_str()
        };
        let (a, b, e, c) = (of("urn:uuid:a"), of("urn:uuid:b"), of("urn:uuid:e"), of("urn:uuid:c"));
        assert_eq!(read(&server, a).await["link"][0]["other"]["reference"], b);
        assert_eq!(read(&server, b).await["link"][0]["other"]["reference"], a);
        assert_eq!(read(&server, e).await["subject"]["reference"], a);
        assert_eq!(read(&server, e).await["diagnosis"][0]["condition"]["reference"], c);
        assert_eq!(read(&server, c).await["encounter"]["reference"], e);
        assert_eq!(read(&server, of("urn:oid:1.2.3")).await["member"][0]["entity"]["reference"], a);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn absolute_and_relative_references_lead_to_entries_with_addresses() {
    let server = Server::start().await;
    let base = "http://elsewhere.example/fhir";
    let there = |path: &str| format!("{base}/{path}");
    let seen_by = |subject: &str| observation(subject);
    let other = "http://other.example/fhir/Observation/9";
    let answer = server
        .transact([
            post_as(&there("Observation/1"), seen_by("Patient/7")),
            post_as(&there("Observation/2"), seen_by(&there("Patient/7"))),
            post_as(&there("Observation/3"), seen_by(&there("Patient/7/_history/5"))),
            post_as(&there("Observation/4"), seen_by("Patient/7/_history/5")),
            post_as(&there("Patient/7"), json!({"resourceType": "Patient", "id": "7"})),
            post_as(other, seen_by("Patient/7")),
            post(json!({"resourceType": "Encounter", "id": "8", "subject": {"reference": "http://other.example/Patient/7"}})),
            post(json!({"resourceType": "Condition", "encounter": {"reference": "Encounter/8"}})),
        ])
        .await
        .expect(200);
    let made = answer.made();
    let patient = made[4].as_str();
    assert_ne!(patient, "Patient/7", "a created resource gets an id of the server's");
    for (position, expected) in [
        (0, patient.to_owned()),
        (1, patient.to_owned()),
        (2, format!("{patient}/_history/1")),
        (3, format!("{patient}/_history/1")),
        (5, "Patient/7".to_owned()),
        (6, "http://other.example/Patient/7".to_owned()),
    ] {
        let subject = read(&server, &made[position]).await["subject"]["reference"].clone();
        assert_eq!(subject, json!(expected), "entry {position}");
    }
    assert_eq!(read(&server, &made[7]).await["encounter"]["reference"], made[6].as_str());
    let id = patient.replace("Patient/", "");
    for reference in made.iter().take(4) {
        assert_eq!(server.compartment_of(reference).await, id, "{reference}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn links_are_rewritten_in_every_place_that_r4_names_and_in_no_other() {
    let server = Server::start().await;
    let extension = |member: &str, text: &str| json!({"url": "http://x.example", member: text});
    let link = json!({"url": "http://x.example", "valueReference": {"reference": "urn:uuid:p"}});
    let document = json!({
        "resourceType": "DocumentReference", "status": "current",
        "text": {"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\"><a href=\"urn:uuid:p\">urn:uuid:p</a><img alt=\"é\" src='urn:uuid:p#x'/><a href=\"#y\"/></div>"},
        "contained": [{"resourceType": "Basic", "id": "c", "code": {"text": "urn:uuid:p"}, "subject": {"reference": "urn:uuid:p"}}],
        "subject": {"reference": "urn:uuid:p", "display": "urn:uuid:p", "identifier": {"system": "urn:uuid:p", "value": "urn:uuid:p"}},
        "_status": {"extension": [link]},
        "related": [{"reference": "#c"}],
        "extension": [
            extension("valueUri", "urn:uuid:p"), extension("valueUrl", "urn:uuid:p"), extension("valueUuid", "urn:uuid:p"),
            extension("valueOid", "urn:oid:1.2"), extension("valueCanonical", "urn:uuid:p"), extension("valueString", "urn:uuid:p"),
            extension("valueUri", "urn:uuid:none"), {"url": "http://x.example", "extension": [link]},
        ],
        "content": [{"attachment": {"url": "urn:oid:1.2", "title": "urn:oid:1.2"}}],
    });
    let answer = server
        .transact([
            post(document.clone()),
            post_as("urn:uuid:p", json!({"resourceType": "Patient", "_birthDate": {"extension": [link]}})),
            post_as("urn:oid:1.2", json!({"resourceType": "Binary", "contentType": "text/plain", "data": "aGk="})),
        ])
        .await
        .expect(200);
    let made = answer.made();
    let (patient, binary) = (made[1].as_str(), made[2].as_str());
    let mut expected = document;
    let narrative = expected["text"]["div"].as_str().unwrap();
    let narrative = narrative.replace("href=\"urn:uuid:p\"", &format!("href=\"{patient}\""));
    expected["text"]["div"] = narrative.replace("'urn:uuid:p#x'", &format!("'{patient}#x'")).into();
    for path in [
        "/contained/0/subject/reference",
        "/subject/reference",
        "/subject/identifier/system",
        "/_status/extension/0/valueReference/reference",
        "/extension/0/valueUri",
        "/extension/1/valueUrl",
        "/extension/2/valueUuid",
        "/extension/7/extension/0/valueReference/reference",
    ] {
        *expected.pointer_mut(path).unwrap() = patient.into();
    }
    for path in ["/extension/3/valueOid", "/content/0/attachment/url"] {
        *expected.pointer_mut(path).unwrap() = binary.into();
    }
    let mut stored = read(&server, &made[0]).await;
    for member in ["id", "meta"] {
        stored.as_object_mut().unwrap().remove(member);
    }
    assert_eq!(stored, expected);
    let born = read(&server, patient).await["_birthDate"]["extension"][0]["valueReference"]["reference"].clone();
    assert_eq!(born, patient);
}

#[tokio::test(flavor = "multi_thread")]
async fn references_to_what_is_not_in_the_bundle_stay_as_they_are() {
    let server = Server::start().await;
    for text in ["Patient/unknown", "http://elsewhere.example/fhir/Patient/1", "Patient/1/_history/2", "#c", "nonsense"]
    {
        let entries =
            [post(observation(text)), post_as("urn:uuid:p", json!({"resourceType": "Patient", "id": "mine"}))];
        let made = server.transact(entries).await.expect(200).made();
        assert_eq!(read(&server, &made[0]).await["subject"]["reference"], text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_urn_that_names_no_entry_is_refused_with_the_elements_path() {
    let server = Server::start().await;
    let basic = |reference: &str| json!({"resourceType": "Basic", "id": "b", "author": {"reference": reference}});
    let mut contained = observation("urn:uuid:p");
    contained["contained"] = json!([basic("#x"), basic("urn:uuid:nobody")]);
    let mut extended = observation("urn:uuid:p");
    extended["_status"] = json!({"extension": [{"url": "http://x", "valueReference": {"reference": "urn:oid:9.9"}}]});
    for (resource, place) in [
        (observation("urn:uuid:nobody"), "subject.reference"),
        (contained, "contained[1].author.reference"),
        (extended, "_status.extension[0].valueReference.reference"),
    ] {
        let entries = [post_as("urn:uuid:p", json!({"resourceType": "Patient"})), post(resource)];
        let refused = server.transact(entries).await.expect(400);
        assert_eq!(refused.expression(), format!("Bundle.entry[1].resource.{place}"));
    }
    assert_eq!(server.rows().await, Vec::<String>::new());
}

/// Makes three Patients and two Practitioners; `twice` is an identifier of two of them.
async fn identified(server: &Server) {
    let with_id = |mut resource: Value, id: &str| {
        resource["id"] = id.into();
        put(resource)
    };
    let without_system = json!({"resourceType": "Patient", "identifier": [{"value": "bare"}]});
    let strange =
        json!({"resourceType": "Patient", "identifier": [{"system": "http://x.example/#a&b", "value": "ä b+c|d"}]});
    let entries = [
        with_id(patient("p1"), "p1"),
        with_id(without_system, "p2"),
        with_id(strange, "p3"),
        with_id(practitioner("twice"), "d1"),
        with_id(practitioner("twice"), "d2"),
    ];
    server.transact(entries).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conditional_reference_becomes_what_its_search_finds_and_decides_the_compartment() {
    let server = Server::start().await;
    identified(&server).await;
    for (text, found) in [
        ("Patient?identifier=urn:test|p1", "p1"),
        ("Patient?identifier=urn%3Atest%7Cp1", "p1"),
        ("Patient?identifier=p1", "p1"),
        ("Patient?identifier=|bare", "p2"),
        ("Patient?identifier=bare", "p2"),
        ("Patient?identifier=http%3A%2F%2Fx.example%2F%23a%26b%7C%C3%A4%20b%2Bc%7Cd", "p3"),
        ("Patient?identifier=http://x.example/#a%26b|%C3%A4+b%2Bc|d", "p3"),
    ] {
        let mut told = observation(text);
        told["note"] = json!([{"text": text, "authorReference": {"reference": text}}]);
        let entries =
            [post(told), put(json!({"resourceType": "Observation", "id": "mine", "subject": {"reference": text}}))];
        let made = server.transact(entries).await.expect(200).made();
        assert!(made[0].starts_with(&format!("Observation/{found}.")), "{text}: {made:?}");
        let stored = read(&server, &made[0]).await;
        assert_eq!(stored["subject"]["reference"], format!("Patient/{found}"), "{text}");
        assert_eq!(stored["note"][0]["authorReference"]["reference"], format!("Patient/{found}"));
        assert_eq!(stored["note"][0]["text"], text, "only references are resolved");
        for reference in &made {
            assert_eq!(server.compartment_of(reference).await, found, "{text}: {reference}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conditional_reference_that_finds_none_or_several_fails_the_transaction_with_its_place() {
    let server = Server::start().await;
    identified(&server).await;
    let before = server.rows().await;
    for (text, status) in [
        ("Practitioner?identifier=urn:test|nobody", 412),
        ("Practitioner?identifier=urn:other|twice", 412),
        ("Practitioner?identifier=|twice", 412),
        ("Practitioner?identifier=urn:test|twice", 412),
        ("Practitioner?identifier=twice", 412),
        ("Patient?identifier=", 400),
        ("Practitioner?name=x", 412),
        ("Practitioner?identifier=a&name=x", 412),
        ("Encounter?identifier=urn:test|p1", 412),
        ("Practitioner?foo=x", 400),
        ("Practitioner?_sort=name", 400),
    ] {
        let mut seen = observation("Patient/p1");
        seen["performer"] = json!([{"reference": "Patient/p1"}, {"reference": text}]);
        let refused = server.transact([put(json!({"resourceType": "Patient", "id": "p9"})), post(seen)]).await;
        let refused = refused.expect(status);
        assert_eq!(refused.expression(), "Bundle.entry[1].resource.performer[1].reference", "{text}");
    }
    assert_eq!(server.rows().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn conditional_references_are_resolved_after_the_writes_of_their_bundle() {
    let server = Server::start().await;
    identified(&server).await;
    let asks = |text: &str| post(observation(text));
    // What the Bundle creates is found, and leads into the new patient's compartment.
    let answer = server.transact([asks("Patient?identifier=urn:test|new"), post(patient("new"))]).await;
    let made = answer.expect(200).made();
    let id = made[1].replace("Patient/", "");
    assert!(made[0].starts_with(&format!("Observation/{id}.")), "{made:?}");
    // What it creates beside an equal one makes two.
    server.transact([asks("Patient?identifier=urn:test|p1"), post(patient("p1"))]).await.expect(412);
    // What it deletes or changes is no longer found; what it changes into is.
    let p1 = "Patient?identifier=urn:test|p1";
    server.transact([asks(p1), entry("DELETE", "Patient/p1")]).await.expect(412);
    let mut changed = patient("changed");
    changed["id"] = "p1".into();
    server.transact([asks(p1), put(changed.clone())]).await.expect(412);
    let made = server.transact([asks("Patient?identifier=urn:test|changed"), put(changed)]).await.expect(200).made();
    assert!(made[0].starts_with("Observation/p1."), "{made:?}");
    let mut one_left = observation("Patient?identifier=bare");
    one_left["performer"] = json!([{"reference": "Practitioner?identifier=urn:test|twice"}]);
    let made = server.transact([post(one_left), entry("DELETE", "Practitioner/d1")]).await.expect(200).entries();
    let made = made[0]["response"]["location"].as_str().unwrap().to_owned();
    assert_eq!(read(&server, &made).await["performer"][0]["reference"], "Practitioner/d2");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identifier_that_was_changed_or_deleted_is_no_longer_found() {
    let server = Server::start().await;
    identified(&server).await;
    let finds = |text: &'static str, status: u16| {
        let server = &server;
        async move {
            server.transact([post(observation(text))]).await.expect(status);
        }
    };
    finds("Patient?identifier=urn:test|p1", 200).await;
    let mut changed = patient("q1");
    changed["id"] = "p1".into();
    server.put("Patient/p1", changed).await.expect(200);
    finds("Patient?identifier=urn:test|p1", 412).await;
    finds("Patient?identifier=urn:test|q1", 200).await;
    server.delete("Patient/p1").await.expect(204);
    finds("Patient?identifier=urn:test|q1", 412).await;
    let mut back = patient("q1");
    back["id"] = "p1".into();
    server.put("Patient/p1", back).await.expect(201);
    finds("Patient?identifier=urn:test|q1", 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_conditional_reference_leads_to_one_resource_however_often_it_stands() {
    let server = Server::start().await;
    identified(&server).await;
    // Five hundred references to two patients: each leads to the right one.
    let texts = ["Patient?identifier=urn:test|p1", "Patient?identifier=bare"];
    let entries = (0..500).map(|n| post(observation(texts[n % 2])));
    let made = server.transact(entries).await.expect(200).made();
    for (n, reference) in made.iter().enumerate() {
        assert!(reference.starts_with(["Observation/p1.", "Observation/p2."][n % 2]), "{n}: {reference}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_is_stored_keeps_its_own_references() {
    let server = Server::start().await;
    let section = json!({"resourceType": "Composition", "subject": {"reference": "urn:uuid:p"}, "author": [{"reference": "urn:uuid:inner"}]});
    let document = json!({"resourceType": "Bundle", "type": "document", "entry": [
        {"fullUrl": "urn:uuid:c", "resource": section},
        {"fullUrl": "urn:uuid:p", "resource": {"resourceType": "Patient"}},
    ]});
    let entries = [post_as("urn:uuid:p", json!({"resourceType": "Patient"})), post(document.clone())];
    let made = server.transact(entries).await.expect(200).made();
    assert_eq!(read(&server, &made[1]).await["entry"], document["entry"]);
}
