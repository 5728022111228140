//! Random resources that are not about a course of treatment: people, places, groups, definitions.

use super::random::Random;
use super::values::{STATUSES, TEXTS};
use super::values::{
    URIS, address, coding, concept, date, date_time, decimal, identifier, instant, name, quantity, range, telecom,
};
use super::world::{PATIENTS, put_some, reference, reference_to};
use serde_json::{Value, json};

pub fn patient(random: &mut Random) -> Value {
    let mut patient = json!({"resourceType": "Patient"});
    put_some(&mut patient, "name", random.some(3, name));
    put_some(&mut patient, "identifier", random.some(2, identifier));
    put_some(&mut patient, "address", random.some(2, address));
    put_some(&mut patient, "telecom", random.some(2, telecom));
    let to = |random: &mut Random| reference(random, &["Practitioner", "Organization"]);
    put_some(&mut patient, "generalPractitioner", random.some(2, to));
    put_some(&mut patient, "birthDate", random.maybe(90, date));
    put_some(&mut patient, "active", random.maybe(70, |random| random.chance(60)));
    put_some(&mut patient, "gender", random.maybe(80, |random| *random.pick(&["male", "female", "other"])));
    put_some(&mut patient, "managingOrganization", random.maybe(50, |random| reference_to(random, "Organization")));
    let link =
        |random: &mut Random| json!([{"other": reference(random, &["Patient", "RelatedPerson"]), "type": "seealso"}]);
    put_some(&mut patient, "link", random.maybe(15, link));
    match random.below(6) {
        0 => patient["deceasedBoolean"] = json!(random.chance(50)),
        1 => patient["deceasedDateTime"] = json!(date_time(random)),
        _ => {}
    }
    let language = |random: &mut Random| json!([{"language": concept(random)}]);
    put_some(&mut patient, "communication", random.maybe(20, language));
    patient
}

pub fn related_person(random: &mut Random) -> Value {
    let mut person = json!({"resourceType": "RelatedPerson", "patient": reference_to(random, "Patient")});
    put_some(&mut person, "name", random.some(2, name));
    put_some(&mut person, "relationship", random.some(2, concept));
    put_some(&mut person, "birthDate", random.maybe(50, date));
    person
}

pub fn practitioner(random: &mut Random) -> Value {
    let mut practitioner = json!({"resourceType": "Practitioner"});
    put_some(&mut practitioner, "name", random.some(2, name));
    put_some(&mut practitioner, "identifier", random.some(2, identifier));
    put_some(&mut practitioner, "active", random.maybe(60, |random| random.chance(50)));
    practitioner
}

/// One in two is part of another.
pub fn organization(random: &mut Random) -> Value {
    let mut organization = json!({"resourceType": "Organization"});
    put_some(&mut organization, "name", random.maybe(90, |random| *random.pick(TEXTS)));
    put_some(&mut organization, "alias", random.some(2, |random| *random.pick(TEXTS)));
    put_some(&mut organization, "type", random.some(2, concept));
    put_some(&mut organization, "identifier", random.some(2, identifier));
    put_some(&mut organization, "active", random.maybe(60, |random| random.chance(50)));
    put_some(&mut organization, "partOf", random.maybe(60, |random| reference_to(random, "Organization")));
    put_some(&mut organization, "address", random.some(1, address));
    organization
}

pub fn location(random: &mut Random) -> Value {
    let mut location = json!({"resourceType": "Location"});
    put_some(&mut location, "name", random.maybe(80, |random| *random.pick(TEXTS)));
    put_some(&mut location, "type", random.some(2, concept));
    put_some(&mut location, "address", random.maybe(50, address));
    put_some(&mut location, "partOf", random.maybe(40, |random| reference_to(random, "Location")));
    put_some(&mut location, "managingOrganization", random.maybe(50, |random| reference_to(random, "Organization")));
    put_some(&mut location, "position", random.maybe(80, position));
    location
}

/// Around Bonn, near a pole, or at the other end of the world.
fn position(random: &mut Random) -> Value {
    let tenth = |random: &mut Random| f64::from(u32::try_from(random.below(20)).unwrap()) / 10.0;
    let (latitude, longitude) = *random.pick(&[(50.0, 7.0), (50.0, 7.0), (88.0, 179.0), (-1.0, -180.0)]);
    json!({"latitude": latitude + tenth(random), "longitude": if longitude > 8.0 { 179.9 } else { longitude + tenth(random) }})
}

/// In the compartments of all its members.
pub fn group(random: &mut Random) -> Value {
    let mut group = json!({"resourceType": "Group", "type": "person", "actual": true});
    let member = |random: &mut Random| json!({"entity": reference(random, &["Patient", "Practitioner", "Device"])});
    put_some(&mut group, "member", random.some(3, member));
    put_some(&mut group, "code", random.maybe(50, concept));
    put_some(&mut group, "identifier", random.some(1, identifier));
    let trait_of = |random: &mut Random| json!({"code": concept(random), "valueCodeableConcept": concept(random), "exclude": random.chance(50)});
    put_some(&mut group, "characteristic", random.some(2, trait_of));
    group
}

pub fn device(random: &mut Random) -> Value {
    let mut device = json!({"resourceType": "Device", "deviceName": [{"name": random.pick(TEXTS), "type": "other"}]});
    put_some(&mut device, "patient", random.maybe(50, |random| reference_to(random, "Patient")));
    put_some(&mut device, "type", random.maybe(50, concept));
    put_some(&mut device, "identifier", random.some(2, identifier));
    put_some(&mut device, "url", random.maybe(50, |random| *random.pick(URIS)));
    put_some(&mut device, "status", random.maybe(50, |random| *random.pick(STATUSES)));
    device
}

pub fn value_set(random: &mut Random) -> Value {
    let mut set = json!({"resourceType": "ValueSet", "status": random.pick(STATUSES)});
    put_some(&mut set, "url", random.maybe(90, |random| *random.pick(URIS)));
    put_some(&mut set, "version", random.maybe(60, |random| *random.pick(&["1", "1.0", "2.0"])));
    put_some(&mut set, "name", random.maybe(80, |random| *random.pick(TEXTS)));
    put_some(&mut set, "title", random.maybe(50, |random| *random.pick(TEXTS)));
    put_some(&mut set, "date", random.maybe(80, date_time));
    put_some(&mut set, "jurisdiction", random.some(2, concept));
    let use_context = |random: &mut Random| {
        let mut context = json!({"code": coding(random)});
        match random.below(3) {
            0 => context["valueQuantity"] = quantity(random),
            1 => context["valueRange"] = range(random),
            _ => context["valueCodeableConcept"] = concept(random),
        }
        context
    };
    put_some(&mut set, "useContext", random.some(2, use_context));
    set
}

/// Two patients and more.
pub fn appointment(random: &mut Random) -> Value {
    let actor = |random: &mut Random, kinds: &[&str]| json!({"actor": reference(random, kinds), "status": random.pick(&["accepted", "declined"])});
    let mut participants = vec![actor(random, &["Patient"]), actor(random, &["Patient"])];
    participants[1]["actor"]["reference"] = json!(format!("Patient/{}", 1 + random.below(PATIENTS)));
    participants.extend(random.some(2, |random| actor(random, &["Practitioner", "Location"])));
    let mut appointment =
        json!({"resourceType": "Appointment", "status": random.pick(STATUSES), "participant": participants});
    put_some(&mut appointment, "start", random.maybe(80, instant));
    put_some(&mut appointment, "serviceType", random.some(2, concept));
    put_some(&mut appointment, "identifier", random.some(1, identifier));
    appointment
}

/// Two numbers beside a code: `chromosome-window-coordinate`.
pub fn molecular_sequence(random: &mut Random) -> Value {
    let mut sequence = json!({"resourceType": "MolecularSequence", "coordinateSystem": 0, "type": "dna"});
    put_some(&mut sequence, "patient", random.maybe(70, |random| reference_to(random, "Patient")));
    let start = 100 * random.below(4);
    sequence["referenceSeq"] = json!({"chromosome": concept(random), "windowStart": start, "windowEnd": start + 100});
    let variant = |random: &mut Random| json!({"start": 100 * random.below(3), "end": 300});
    put_some(&mut sequence, "variant", random.some(2, variant));
    sequence
}

pub fn risk_assessment(random: &mut Random) -> Value {
    let mut risk = json!({"resourceType": "RiskAssessment", "status": random.pick(STATUSES)});
    risk["subject"] = reference(random, &["Patient", "Group"]);
    let prediction = |random: &mut Random| match random.below(3) {
        0 => json!({"probabilityRange": range(random), "qualitativeRisk": concept(random)}),
        _ => json!({"probabilityDecimal": decimal(random)}),
    };
    put_some(&mut risk, "prediction", random.some(3, prediction));
    match random.below(3) {
        0 => risk["occurrenceDateTime"] = json!(date_time(random)),
        1 => risk["occurrencePeriod"] = super::values::period(random),
        _ => {}
    }
    put_some(&mut risk, "encounter", random.maybe(50, |random| reference_to(random, "Encounter")));
    risk
}
