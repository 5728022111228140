//! What the benchmark sends: resources of Synthea's shape, and the requests around them.

use std::fmt::Write;

/// Patients that are there before anything is measured.
pub const PATIENTS: u32 = 1000;
/// Observations of each of them.
pub const OBSERVATIONS: u32 = 10;
/// Resources of one imported Bundle: a patient, encounters, observations.
pub const BUNDLE_RESOURCES: u32 = 224;
const BUNDLE_ENCOUNTERS: u32 = 20;
/// How the ids of those patients begin; with the seven digits after it an id is as long as the server's own.
pub const PATIENT_HEAD: &str = "bench0000";
const PATIENT_FIRST: u32 = 1_000_000;

/// What is measured, in the order of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Row {
    Create,
    Read,
    Update,
    Vread,
    Import,
}

impl Row {
    pub const ALL: [Row; 5] = [Row::Create, Row::Read, Row::Update, Row::Vread, Row::Import];

    pub fn title(self) -> &'static str {
        match self {
            Row::Create => "create",
            Row::Read => "read",
            Row::Update => "update",
            Row::Vread => "vread",
            Row::Import => "transaction (resources)",
        }
    }

    /// What one request counts as.
    pub fn resources(self) -> u32 {
        if self == Row::Import { BUNDLE_RESOURCES } else { 1 }
    }

    pub fn status(self) -> u16 {
        if self == Row::Create { 201 } else { 200 }
    }
}

pub fn patient_id(number: u32) -> String {
    format!("{PATIENT_HEAD}{}", PATIENT_FIRST + number % PATIENTS)
}

fn observation_id(patient: &str, number: u32) -> String {
    format!("{patient}.{:013}", number % OBSERVATIONS)
}

/// Writes whole requests, one after the other, into the same buffer.
pub struct Requests {
    host: String,
    prefix: String,
    bundle: String,
}

impl Requests {
    /// `prefix`: the path of the FHIR endpoint.
    pub fn new(host: &str, prefix: &str) -> Requests {
        Requests { host: host.to_owned(), prefix: prefix.to_owned(), bundle: import_bundle() }
    }

    pub fn write(&self, row: Row, out: &mut String) {
        let patient = patient_id(rand::random_range(0..PATIENTS));
        let number = rand::random_range(0..OBSERVATIONS);
        let id = observation_id(&patient, number);
        let subject = format!("Patient/{patient}");
        let value = rand::random_range(600..1900);
        match row {
            Row::Create => self.send("POST", "/Observation", &observation(None, &subject, value, value), out),
            Row::Read => self.send("GET", &format!("/Observation/{id}"), "", out),
            Row::Vread => self.send("GET", &format!("/Observation/{id}/_history/1"), "", out),
            Row::Update => {
                self.send("PUT", &format!("/Observation/{id}"), &observation(Some(&id), &subject, value, number), out);
            }
            Row::Import => {
                let fresh = format!("{:012}", rand::random_range(0..1_000_000_000_000_u64));
                self.send("", "", &self.bundle.replace(IDENTIFIER_SLOT, &fresh), out);
            }
        }
    }

    /// Puts a patient of those that are there beforehand, with the observations.
    pub fn write_patient(&self, number: u32, out: &mut String) {
        let patient = patient_id(number);
        let mut entries = vec![put(&format!("Patient/{patient}"), &patient_json(Some(&patient), &patient))];
        for number in 0..OBSERVATIONS {
            let id = observation_id(&patient, number);
            let json = observation(Some(&id), &format!("Patient/{patient}"), 600 + number, number);
            entries.push(put(&format!("Observation/{id}"), &json));
        }
        self.send("", "", &transaction(&entries), out);
    }

    /// Asks for an address relative to the base.
    pub fn write_get(&self, path: &str, out: &mut String) {
        self.send("GET", &format!("/{path}"), "", out);
    }

    /// An empty method posts a Bundle to the endpoint itself.
    fn send(&self, method: &str, path: &str, body: &str, out: &mut String) {
        let (method, path) = if method.is_empty() { ("POST", "") } else { (method, path) };
        out.clear();
        let Requests { host, prefix, .. } = self;
        // Writing into a String cannot fail.
        let _ = write!(out, "{method} {prefix}{path} HTTP/1.1\r\nHost: {host}\r\nAccept: application/fhir+json\r\n");
        if !body.is_empty() {
            let _ = write!(out, "Content-Type: application/fhir+json\r\nContent-Length: {}\r\n", body.len());
        }
        let _ = write!(out, "\r\n{body}");
    }
}

/// Stands in the Bundle where each import has another number.
const IDENTIFIER_SLOT: &str = "@identifier@";

fn member_id(id: Option<&str>) -> String {
    id.map(|id| format!(r#""id":"{id}","#)).unwrap_or_default()
}

/// Some 850 bytes, a blood pressure as Synthea writes it. `value`: tenths. `day`: any number; an update keeps it, since a
/// new date is written into every entry of the index.
fn observation(id: Option<&str>, subject: &str, value: u32, day: u32) -> String {
    let id = member_id(id);
    let (systolic, diastolic, day) = (value, value * 2 / 3, day % 28 + 1);
    format!(
        r#"{{"resourceType":"Observation",{id}"status":"final","category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs"}}]}}],"code":{{"coding":[{{"system":"http://loinc.org","code":"85354-9","display":"Blood pressure panel with all children optional"}}]}},"subject":{{"reference":"{subject}"}},"effectiveDateTime":"2022-05-{day:02}T23:49:51.306732+00:00","component":[{{"code":{{"coding":[{{"system":"http://loinc.org","code":"8480-6","display":"Systolic blood pressure"}}]}},"valueQuantity":{{"value":{}.{},"unit":"mm[Hg]","system":"http://unitsofmeasure.org","code":"mm[Hg]"}}}},{{"code":{{"coding":[{{"system":"http://loinc.org","code":"8462-4","display":"Diastolic blood pressure"}}]}},"valueQuantity":{{"value":{}.{},"unit":"mm[Hg]","system":"http://unitsofmeasure.org","code":"mm[Hg]"}}}}]}}"#,
        systolic / 10,
        systolic % 10,
        diastolic / 10,
        diastolic % 10,
    )
}

fn encounter(subject: &str, number: u32) -> String {
    let day = number % 28 + 1;
    format!(
        r#"{{"resourceType":"Encounter","status":"finished","class":{{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"AMB","display":"ambulatory"}},"type":[{{"coding":[{{"system":"http://snomed.info/sct","code":"162673000","display":"General examination of patient (procedure)"}}]}}],"subject":{{"reference":"{subject}","display":"Tristan Batz"}},"period":{{"start":"2022-05-{day:02}T23:49:51.306732+00:00","end":"2022-05-{day:02}T23:59:51.306732+00:00"}},"reasonCode":[{{"text":"Medication_Review_Due"}}],"participant":[{{"type":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"PPRF","display":"primary performer"}}]}}]}}]}}"#
    )
}

/// A patient with four identifiers, each of which the server keeps a row for.
fn patient_json(id: Option<&str>, identifier: &str) -> String {
    let id = member_id(id);
    let of_type = |code: &str, display: &str, system: &str| {
        format!(
            r#"{{"type":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"{code}","display":"{display}"}}]}},"system":"{system}","value":"{code}-{identifier}"}}"#
        )
    };
    let identifiers = [
        format!(r#"{{"system":"https://github.com/synthetichealth/synthea","value":"{identifier}"}}"#),
        of_type("MR", "Medical Record Number", "http://hospital.smarthealthit.org"),
        of_type("SS", "Social Security Number", "http://hl7.org/fhir/sid/us-ssn"),
        of_type("DL", "Driver's license number", "urn:oid:2.16.840.1.113883.4.3.25"),
    ];
    format!(
        r#"{{"resourceType":"Patient",{id}"identifier":[{}],"active":true,"name":[{{"use":"official","family":"Batz","given":["Tristan"],"prefix":["Mr."]}}],"gender":"male","birthDate":"2002-04-04","address":[{{"use":"home","city":"Boston","state":"Massachusetts","postalCode":"00000","country":"US","line":["7029 Corwin Meadow"]}}],"telecom":[{{"system":"phone","value":"555-564-1541","use":"home"}}],"communication":[{{"language":{{"coding":[{{"system":"urn:ietf:bcp:47","code":"en-US","display":"English (United States)"}}]}}}}]}}"#,
        identifiers.join(",")
    )
}

fn put(url: &str, resource: &str) -> String {
    format!(r#"{{"resource":{resource},"request":{{"method":"PUT","url":"{url}"}}}}"#)
}

fn post(number: u32, resource_type: &str, resource: &str) -> String {
    let urn = urn(number);
    format!(r#"{{"fullUrl":"{urn}","resource":{resource},"request":{{"method":"POST","url":"{resource_type}"}}}}"#)
}

fn urn(number: u32) -> String {
    format!("urn:uuid:df15bbd1-6ff4-42bc-94cc-{number:012}")
}

fn transaction(entries: &[String]) -> String {
    format!(r#"{{"resourceType":"Bundle","type":"transaction","entry":[{}]}}"#, entries.join(","))
}

fn import_bundle() -> String {
    let subject = urn(0);
    let mut entries = vec![post(0, "Patient", &patient_json(None, IDENTIFIER_SLOT))];
    for number in 1..=BUNDLE_ENCOUNTERS {
        entries.push(post(number, "Encounter", &encounter(&subject, number)));
    }
    for number in BUNDLE_ENCOUNTERS + 1..BUNDLE_RESOURCES {
        entries.push(post(number, "Observation", &observation(None, &subject, 600 + number, number)));
    }
    transaction(&entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_json_of_the_promised_size_and_ids_are_as_long_as_the_servers_own() {
        let json = observation(None, "Patient/bench00001000000", 1234, 1);
        assert!((800..950).contains(&json.len()), "{}", json.len());
        let bundle: serde_json::Value = serde_json::from_str(&import_bundle()).unwrap();
        assert_eq!(bundle["entry"].as_array().unwrap().len(), usize::try_from(BUNDLE_RESOURCES).unwrap());
        assert_eq!(patient_id(999).len(), 16);
        assert_eq!(observation_id(&patient_id(7), 3), "bench00001000007.0000000000003");
    }
}
