//! Every road that leads to a resource: each is a request of the patient who looks.

use super::desk::Ask;
use super::world::{OTHER, OWN, id_of};
use brasa::fhir::definitions::{ResourceType, patient_compartment_paths};
use brasa::search::registry::{ParameterKind, Registry};
use serde_json::json;

fn ids(resource_type: ResourceType) -> Vec<String> {
    let numbers = 0..patient_compartment_paths(resource_type).len();
    let mut ids: Vec<String> = numbers.map(|number| id_of(resource_type, OTHER, number)).collect();
    if resource_type == ResourceType::PATIENT {
        ids = vec![OTHER.to_owned()];
    }
    ids
}

/// Ids beside the generated ones.
const SNARES: &[(&str, &str)] = &[
    ("Observation", "measured"),
    ("Composition", "written"),
    ("List", "planted"),
    ("Group", "both"),
    ("RelatedPerson", "relative"),
    ("Coverage", "family"),
    ("Practitioner", "secret"),
    ("AuditEvent", "opened"),
    ("Task", "errand"),
    ("Encounter", "visit-other"),
];

/// Roads that somebody thought of.
const CHOSEN: &[&str] = &[
    "?_type=Observation,Condition,Encounter",
    "?_summary=count",
    "?_tag=urn:record|other",
    "?_tag=urn:record|own&_count=500",
    "_history",
    "Patient/other/*",
    "Patient/own/*?_count=500",
    "Patient?family=Zarzaparrilla",
    "Patient?identifier=urn:mrn|other",
    "Patient?identifier=other&_summary=count",
    "Patient?birthdate=1970-01-01&_sort=family",
    "Patient?_sort=-_lastUpdated&_total=accurate",
    "Patient?_filter=family eq \"Zarzaparrilla\"",
    "Patient?general-practitioner=Practitioner/shared",
    "Patient?general-practitioner:Practitioner.family=Soto&_total=accurate",
    "Patient?_has:Observation:performer:subject=Patient/other",
    "Patient?_has:Observation:performer:code:text=zarza",
    "Patient?_has:Coverage:policy-holder:beneficiary=Patient/other",
    "Patient?_has:Group:member:type=person",
    "Patient?_has:List:source:title=Zarzaparrilla",
    "Patient?_id=own&_revinclude=*",
    "Patient?_id=own&_revinclude:iterate=*&_include:iterate=*",
    "Patient?_id=own,other&_revinclude=Observation:performer",
    "Practitioner?_revinclude=*",
    "Practitioner?_id=shared&_revinclude=Encounter:participant&_include:iterate=Encounter:participant",
    "Practitioner?_has:Encounter:participant:subject=Patient/other",
    "Practitioner?_has:Encounter:participant:_has:Observation:encounter:status=final",
    "Organization?_has:Patient:organization:family=Zarzaparrilla",
    "Organization?_revinclude=Patient:organization&_revinclude:iterate=*",
    "Encounter?participant=Practitioner/shared&_total=accurate",
    "Encounter?participant=Practitioner/secret",
    "Encounter?_id=visit-own&_include=Encounter:part-of",
    "Encounter?_id=visit-own&_include=*&_include:iterate=*",
    "Encounter?part-of:Encounter.participant=Practitioner/secret",
    "Encounter?part-of:Encounter.status=finished&_total=accurate",
    "Encounter?_has:Encounter:part-of:status=finished",
    "Observation?performer=Patient/own&_total=accurate",
    "Observation?performer:Patient.family=Ojeda",
    "Observation?subject:Patient.family=Zarzaparrilla",
    "Observation?_list=planted",
    "Observation?_sort=-date&_count=1",
    "AuditEvent?entity=Patient/own",
    "Patient/$everything",
    "Patient/own/$everything",
    "Patient/own/$everything?_type=Practitioner",
    "Patient/other/$everything",
    "Encounter/visit-own/$everything",
    "Encounter/visit-other/$everything",
    "Patient/$summary",
    "Patient/own/$summary",
    "Patient/other/$summary",
    "Observation/$lastn?patient=other&category=vital-signs",
    "Observation/$lastn?subject=Patient/other&code:text=zarza&max=9",
    "Observation/$lastn?patient=own,other&combo-code:missing=false&max=99",
    "Observation/$lastn?patient=own&category:missing=true&max=99&_include=*&_revinclude=*",
    "Observation/$lastn?subject:Patient.family=Zarzaparrilla&category:missing=true",
    "Observation/$stats?subject=Patient/other&code=weight&statistic=count,total-count&include=true",
    "Observation/$stats?subject=Patient/own&code=weight&statistic=count,total-count&include=true",
    "Composition/written/$document",
    "Composition/tempting/$document",
    "Composition/$document?id=written",
    "Composition/composition-other-0/$document",
    "Composition/composition-own-0/$document",
];

pub fn of_reading() -> Vec<Ask> {
    let mut paths: Vec<String> = CHOSEN.iter().map(|path| (*path).to_owned()).collect();
    for (name, id) in SNARES {
        paths.extend([format!("{name}/{id}"), format!("{name}/{id}/_history/1"), format!("{name}?_id={id}")]);
    }
    let registry = Registry::standard();
    for of in ResourceType::all() {
        paths.extend([
            format!("{of}?_count=200"),
            format!("{of}?_summary=count"),
            format!("{of}/_history"),
            format!("Patient/other/{of}"),
            format!("{of}?_tag=urn:record|other&_total=accurate"),
            format!("{of}?_total=estimate&_count=1&_sort=-_lastUpdated"),
            format!("{of}?_include=*&_revinclude=*&_count=50"),
            format!("Patient?_id=own&_revinclude={of}:*"),
        ]);
        for id in ids(of) {
            paths.extend([
                format!("{of}/{id}"),
                format!("{of}/{id}/_history"),
                format!("{of}/{id}/_history/1"),
                format!("{of}/{id}/$meta"),
                format!("{of}/{id}/_history/1/$meta"),
                format!("{of}?_id={id}"),
            ]);
        }
        let references = registry.parameters(of).filter(|one| one.kind == ParameterKind::Reference);
        let to_patients = references.filter(|one| one.targets.contains(&ResourceType::PATIENT));
        for parameter in to_patients {
            let code = &parameter.code;
            paths.extend([
                format!("{of}?{code}=Patient/other&_total=accurate"),
                format!("{of}?{code}:Patient.family=Zarzaparrilla"),
                format!("{of}?{code}:Patient.general-practitioner=Practitioner/shared&_summary=count"),
                format!("Patient?_has:{of}:{code}:_tag=urn:record|other"),
            ]);
        }
    }
    paths.into_iter().map(Ask::get).collect()
}

/// Changes that must all be refused, and leave nothing.
pub fn of_writing() -> Vec<Ask> {
    let mut asks = Vec::new();
    let mut on = |name: &str, id: &str| {
        let path = format!("{name}/{id}");
        let body = json!({"resourceType": name, "id": id, "meta": {"tag": [{"code": "taken"}]}});
        let patch = json!([{"op": "add", "path": "/language", "value": "es"}]);
        asks.push(Ask::with("PUT", path.clone(), body.clone()));
        asks.push(Ask::with("PATCH", path.clone(), patch));
        asks.push(Ask::delete(path.clone()));
        asks.push(Ask::delete(format!("{name}?_id={id}")));
        let labels = json!({"name": "meta", "valueMeta": {"tag": [{"code": "taken"}]}});
        let labels = json!({"resourceType": "Parameters", "parameter": [labels]});
        if name != "AuditEvent" {
            asks.push(Ask::with("POST", format!("{path}/$meta-add"), labels.clone()));
            asks.push(Ask::with("POST", format!("{path}/$meta-delete"), labels));
        }
        let all = json!({"name": "expungeEverything", "valueBoolean": true});
        let all = json!({"resourceType": "Parameters", "parameter": [all]});
        if name != "AuditEvent" {
            asks.push(Ask::with("POST", format!("{path}/$expunge"), all));
        }
        let entry = json!({"resource": body, "request": {"method": "PUT", "url": path}});
        asks.push(Ask::with("POST", "", json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry]})));
    };
    for of in ResourceType::all() {
        ids(of).iter().for_each(|id| on(of.as_str(), id));
    }
    SNARES.iter().for_each(|(name, id)| on(name, id));
    // Under an id that nobody has, a patient makes nothing either: the answer would tell it from one that is taken.
    on("Observation", "free");
    on("QuestionnaireResponse", "free");
    let reported = json!({"resourceType": "Observation", "status": "final", "code": {"text": "x"},
        "subject": {"reference": "Patient/other"}, "performer": [{"reference": format!("Patient/{OWN}")}]});
    asks.push(Ask::with("POST", "Observation", reported.clone()));
    let entry = json!({"resource": reported, "request": {"method": "POST", "url": "Observation"}});
    asks.push(Ask::with("POST", "", json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry]})));
    asks
}
