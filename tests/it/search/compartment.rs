//! Searches within a compartment, of one type and of all. <https://hl7.org/fhir/R4/compartmentdefinition.html>

use super::{all_find, all_ignored, all_refused, holding, ids, resource, store};
use crate::support::Server;
use serde_json::{Value, json};

fn reference(to: &str) -> Value {
    json!({"reference": to})
}

async fn ward() -> Server {
    let observation = |id: &str, members: Value| {
        let mut whole = resource("Observation", id, json!({"status": "final", "code": {"coding": [{"code": id}]}}));
        whole.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        whole
    };
    let encounter = |id: &str, of: &str, by: &str| {
        resource(
            "Encounter",
            id,
            json!({"status": "finished", "class": {"code": "AMB"}, "subject": reference(of),
            "participant": [{"individual": reference(by)}]}),
        )
    };
    let server = holding([
        resource("Patient", "x", json!({"name": [{"family": "X"}]})),
        resource(
            "Patient",
            "y",
            json!({"name": [{"family": "Y"}], "link": [{"other": reference("Patient/x"), "type": "seealso"}]}),
        ),
        resource("Practitioner", "d", json!({})),
        resource("Device", "dev", json!({"patient": reference("Patient/x")})),
        resource("RelatedPerson", "mother", json!({"patient": reference("Patient/x")})),
        encounter("visit", "Patient/x", "Practitioner/d"),
        encounter("call", "Patient/y", "RelatedPerson/mother"),
    ])
    .await;
    let appointment = json!({"status": "booked", "participant": [{"actor": reference("Patient/x"), "status": "accepted"},
        {"actor": reference("Patient/y"), "status": "accepted"}, {"actor": reference("Practitioner/d"), "status": "accepted"}]});
    store(
        &server,
        [
            observation(
                "subject",
                json!({"subject": reference("Patient/x"), "encounter": reference("Encounter/visit")}),
            ),
            observation("performer", json!({"subject": reference("Patient/y"), "performer": [reference("Patient/x")]})),
            observation(
                "doctor",
                json!({"subject": reference("Patient/y"), "performer": [reference("Practitioner/d")]}),
            ),
            observation(
                "mother",
                json!({"subject": reference("Patient/y"), "performer": [reference("RelatedPerson/mother")]}),
            ),
            observation("device", json!({"subject": reference("Patient/y"), "device": reference("Device/dev")})),
            observation("alone", json!({})),
            resource("Appointment", "both", appointment),
            resource("Medication", "outside", json!({})),
        ],
    )
    .await;
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn each_compartment_holds_what_its_definition_names() {
    let server = ward().await;
    let rows = [
        ("Patient/x/Observation", "performer subject"),
        ("Patient/y/Observation", "device doctor mother performer"),
        ("Patient/x/Observation?code=subject", "subject"),
        ("Patient/x/Observation?code:not=subject", "performer"),
        ("Patient/x/Observation?encounter=visit", "subject"),
        ("Patient/x/Encounter", "visit"),
        ("Patient/x/Appointment", "both"),
        ("Patient/y/Appointment", "both"),
        ("Patient/x/Patient", "x y"),
        ("Patient/x/*", "both mother performer subject visit x y"),
        ("Patient/x/*?_type=Observation,Encounter", "performer subject visit"),
        ("Patient/x/*?_id=visit,outside", "visit"),
        ("Patient/x/*?_lastUpdated=lt2010", ""),
        ("Patient/nobody/*", ""),
        ("Patient/nobody/Observation", ""),
        ("Encounter/visit/Observation", "subject"),
        ("Encounter/visit/*", "subject visit"),
        ("Practitioner/d/Observation", "doctor"),
        ("Practitioner/d/*", "both d doctor visit"),
        ("RelatedPerson/mother/Observation", "mother"),
        ("RelatedPerson/mother/*", "call mother mother"),
        ("Device/dev/Observation", "device"),
        ("Device/dev/*", "dev device"),
        ("Patient/x/Observation?subject.name=y", "performer"),
        ("Patient/x/Encounter?_has:Observation:encounter:code=subject", "visit"),
    ];
    all_find(&server, &rows).await;
    for path in ["Patient/x/Medication", "Observation/subject/*", "Patient/x/Foo", "Organization/o/Patient"] {
        server.get(path).await.expect(404);
    }
    all_refused(&server, &[("Patient/x/Observation?date=soon", "date", "'soon'")]).await;
    all_ignored(&server, &[("Patient/x/Observation?foo=1", "foo", "not a search parameter")]).await;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let posted = server.send("POST", "Patient/x/Observation/_search", &form, "code=subject").await.expect(200);
    assert_eq!(ids(&posted), "subject");
}
