//! Random resources about a course of treatment.

use super::random::Random;
use super::values::{
    FREQUENT, LOINC, STATUSES, TEXTS, coding, concept, date, date_time, identifier, instant, period, quantity, range,
};
use super::world::{put_some, reference, reference_to};
use serde_json::{Value, json};

pub fn encounter(random: &mut Random) -> Value {
    let mut encounter = json!({"resourceType": "Encounter", "status": random.pick(STATUSES), "class": coding(random)});
    put_some(&mut encounter, "subject", random.maybe(90, subject));
    put_some(&mut encounter, "period", random.maybe(85, period));
    let participant =
        |random: &mut Random| json!({"individual": reference(random, &["Practitioner", "RelatedPerson"])});
    put_some(&mut encounter, "participant", random.some(2, participant));
    let place = |random: &mut Random| json!({"location": reference_to(random, "Location"), "period": period(random)});
    put_some(&mut encounter, "location", random.some(2, place));
    put_some(&mut encounter, "serviceProvider", random.maybe(60, |random| reference_to(random, "Organization")));
    put_some(&mut encounter, "partOf", random.maybe(20, |random| reference_to(random, "Encounter")));
    put_some(&mut encounter, "type", random.some(2, concept));
    put_some(&mut encounter, "length", random.maybe(40, quantity));
    put_some(&mut encounter, "identifier", random.some(1, identifier));
    encounter
}

/// Mostly a patient.
fn subject(random: &mut Random) -> Value {
    reference(random, &["Patient", "Patient", "Patient", "Patient", "Patient", "Patient", "Patient", "Group"])
}

/// Ten in eleven are about the code that is frequent.
pub fn observation(random: &mut Random) -> Value {
    let mut observation = json!({"resourceType": "Observation", "status": random.pick(STATUSES)});
    observation["code"] = concept(random);
    if random.chance(92) {
        let mut codings = vec![json!({"system": LOINC, "code": FREQUENT, "display": "Heart rate"})];
        codings.extend(random.maybe(20, coding));
        codings.extend(random.maybe(5, |_| json!({"system": "urn:local", "code": FREQUENT})));
        observation["code"] = json!({"coding": codings});
    }
    put_some(&mut observation, "subject", random.maybe(92, subject_of_observation));
    put_some(&mut observation, "encounter", random.maybe(40, |random| reference_to(random, "Encounter")));
    let performer =
        |random: &mut Random| reference(random, &["Practitioner", "Practitioner", "Organization", "Patient"]);
    put_some(&mut observation, "performer", random.some(2, performer));
    let member = |random: &mut Random| reference(random, &["Observation", "MolecularSequence"]);
    put_some(&mut observation, "hasMember", random.maybe(6, |random| random.some(2, member)).unwrap_or_default());
    put_some(&mut observation, "derivedFrom", random.maybe(6, |random| random.some(2, member)).unwrap_or_default());
    put_some(&mut observation, "category", random.some(1, concept));
    effective(random, &mut observation);
    value(random, &mut observation);
    let component = |random: &mut Random| {
        let mut component = json!({"code": concept(random)});
        value(random, &mut component);
        component
    };
    put_some(&mut observation, "component", random.maybe(15, |random| random.some(3, component)).unwrap_or_default());
    put_some(&mut observation, "identifier", random.maybe(5, |random| json!([identifier(random)])));
    observation
}

fn subject_of_observation(random: &mut Random) -> Value {
    match random.below(12) {
        0 => reference(random, &["Group", "Device", "Location"]),
        _ => reference_to(random, "Patient"),
    }
}

fn effective(random: &mut Random, observation: &mut Value) {
    match random.below(10) {
        0 => {}
        1 | 2 => observation["effectivePeriod"] = period(random),
        3 => observation["effectiveInstant"] = json!(instant(random)),
        4 => observation["effectiveTiming"] = json!({"event": [date_time(random), date_time(random)]}),
        _ => observation["effectiveDateTime"] = json!(date_time(random)),
    }
}

fn value(random: &mut Random, of: &mut Value) {
    match random.below(12) {
        0 => of["valueCodeableConcept"] = concept(random),
        1 => of["valueString"] = json!(random.pick(TEXTS)),
        2 => of["valueDateTime"] = json!(date_time(random)),
        3 => of["valuePeriod"] = period(random),
        4 => of["dataAbsentReason"] = concept(random),
        5 => {}
        _ => of["valueQuantity"] = quantity(random),
    }
}

pub fn condition(random: &mut Random) -> Value {
    let mut condition = json!({"resourceType": "Condition", "subject": subject(random)});
    put_some(&mut condition, "code", random.maybe(90, concept));
    put_some(&mut condition, "encounter", random.maybe(50, |random| reference_to(random, "Encounter")));
    put_some(&mut condition, "clinicalStatus", random.maybe(70, concept));
    put_some(&mut condition, "asserter", random.maybe(40, |random| reference(random, &["Practitioner", "Patient"])));
    put_some(&mut condition, "recordedDate", random.maybe(50, date_time));
    let evidence = |random: &mut Random| json!({"code": [concept(random)], "detail": [reference(random, &["Observation", "Condition"])]});
    put_some(&mut condition, "evidence", random.some(1, evidence));
    match random.below(5) {
        0 => condition["onsetDateTime"] = json!(date_time(random)),
        1 => condition["onsetPeriod"] = period(random),
        2 => condition["onsetAge"] = quantity(random),
        3 => condition["onsetRange"] = range(random),
        _ => condition["onsetString"] = json!(random.pick(TEXTS)),
    }
    match random.below(4) {
        0 => condition["abatementDateTime"] = json!(date(random)),
        1 => condition["abatementPeriod"] = period(random),
        _ => {}
    }
    condition
}

pub fn medication_request(random: &mut Random) -> Value {
    let mut request = json!({"resourceType": "MedicationRequest", "status": random.pick(STATUSES), "intent": "order"});
    request["subject"] = subject(random);
    request["medicationCodeableConcept"] = concept(random);
    put_some(&mut request, "authoredOn", random.maybe(80, date_time));
    put_some(&mut request, "encounter", random.maybe(50, |random| reference_to(random, "Encounter")));
    let requester = |random: &mut Random| reference(random, &["Practitioner", "Organization", "Patient"]);
    put_some(&mut request, "requester", random.maybe(70, requester));
    let timing = |random: &mut Random| json!([{"timing": {"event": [date_time(random), date_time(random)]}}]);
    put_some(&mut request, "dosageInstruction", random.maybe(50, timing));
    request
}

pub fn diagnostic_report(random: &mut Random) -> Value {
    let mut report =
        json!({"resourceType": "DiagnosticReport", "status": random.pick(STATUSES), "code": concept(random)});
    put_some(&mut report, "subject", random.maybe(90, subject));
    put_some(&mut report, "result", random.some(3, |random| reference_to(random, "Observation")));
    put_some(&mut report, "encounter", random.maybe(50, |random| reference_to(random, "Encounter")));
    put_some(&mut report, "issued", random.maybe(60, instant));
    put_some(&mut report, "performer", random.some(2, |random| reference(random, &["Practitioner", "Organization"])));
    put_some(&mut report, "conclusionCode", random.some(2, concept));
    effective(random, &mut report);
    report
}
