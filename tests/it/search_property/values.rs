//! The values that resources have and questions ask for: so few of each kind that many meet.

use super::random::Random;
use serde_json::{Value, json};

pub const UCUM: &str = "http://unitsofmeasure.org";
pub const LOINC: &str = "http://loinc.org";

/// More than 1,500 Observations have it.
pub const FREQUENT: &str = "8867-4";

pub const TEXTS: &[&str] = &[
    "Pérez",
    "PEREZ",
    "perez",
    "Pérez García",
    "Müller",
    "Mueller",
    "muller",
    "Strauß",
    "Strauss",
    "O'Neill",
    "Łukasz",
    "Ødegård",
    "de la Cruz",
    "García  López",
    "Ng",
    "N",
    "Нуреев",
    "A,B",
    r"back\slash",
    "p%r_z",
    "山田",
    "Wolfeschlegelsteinhausenbergerdorffwelchevoralternwarengewissenhaftschafers",
    "Wolfeschlegelsteinhausenbergerdorffwelchevoralternwarengewissenhafteschaeferswessenschafe",
];

/// System, code, display. Some differ by their system only, some by their case.
pub const CODES: &[(Option<&str>, &str, &str)] = &[
    (Some(LOINC), "8480-6", "Systolic blood pressure"),
    (Some(LOINC), "8462-4", "Diastolic blood pressure"),
    (Some(LOINC), "29463-7", "Body weight"),
    (Some(LOINC), "8310-5", "Body temperature"),
    (Some("http://snomed.info/sct"), "38341003", "Hypertensive disorder"),
    (Some("http://snomed.info/sct"), "44054006", "Diabetes mellitus type 2"),
    (Some("urn:local"), "HR", "Herzfrequenz"),
    (Some("urn:local"), "hr", "Heart rate"),
    (Some("urn:other"), "HR", "Human resources"),
    (None, "hr", "HR without a system"),
    (None, "a|b", "Bar"),
    (Some(LOINC), "BW", "Body weight"),
    (None, "BW", "Body weight"),
];

pub const STATUSES: &[&str] = &["final", "preliminary", "active", "finished", "planned", "booked", "draft"];

/// System, value.
pub const IDENTIFIERS: &[(Option<&str>, &str)] = &[
    (Some("urn:mrn"), "1"),
    (Some("urn:mrn"), "2"),
    (Some("urn:mrn"), "Ab3"),
    (Some("urn:mrn"), "ab3"),
    (Some("urn:ssn"), "1"),
    (Some("urn:ssn"), "999"),
    (None, "1"),
    (None, "Ab3"),
];

/// System, code; the last has no code.
pub const UNITS: &[(Option<&str>, Option<&str>)] = &[
    (Some(UCUM), Some("mg")),
    (Some(UCUM), Some("g")),
    (Some(UCUM), Some("ug")),
    (Some(UCUM), Some("kg")),
    (Some(UCUM), Some("mm[Hg]")),
    (Some(UCUM), Some("cm[Hg]")),
    (Some(UCUM), Some("Cel")),
    (Some(UCUM), Some("[degF]")),
    (Some(UCUM), Some("/min")),
    (Some(UCUM), Some("[pH]")),
    (Some("http://example.org/units"), Some("TAB")),
    (Some("http://example.org/units"), Some("mg")),
    (None, Some("mg")),
    (None, None),
];

pub const NUMBERS: &[&str] = &["0.001", "1", "1.0", "1000", "5.4", "5.40", "5400", "37", "98.6", "100", "-3"];

pub const URIS: &[&str] = &[
    "http://acme.org/fhir/ValueSet/1",
    "http://acme.org/fhir/ValueSet/2",
    "http://acme.org/fhir/ValueSet",
    "http://acme.org/fhir",
    "http://acme.org/fhirs/x",
    "http://acme.org/fhir/ValueSet/1/deep",
    "http://ACME.org/fhir",
    "urn:oid:1.2.3",
    "urn:oid:1.2.3.4",
];

/// A date of year, month or day.
pub fn date(random: &mut Random) -> String {
    let year = 2018 + random.below(6);
    // Side by side, so that what ends meets what begins.
    let month = random.pick(&["01", "02", "03", "12"]);
    let day = random.pick(&["01", "02", "03", "28"]);
    match random.below(6) {
        0 => year.to_string(),
        1 => format!("{year}-{month}"),
        _ => format!("{year}-{month}-{day}"),
    }
}

/// A date of any precision; with an offset, too.
pub fn date_time(random: &mut Random) -> String {
    let date = date(random);
    if date.len() < 10 || random.chance(40) {
        return date;
    }
    let time = random.pick(&["00:00:00", "10:30:00", "23:59:59", "23:59:59.999", "10:30:00.500"]);
    let zone = random.pick(&["Z", "Z", "+02:00", "-05:00"]);
    format!("{date}T{time}{zone}")
}

/// A time to the second at least.
pub fn instant(random: &mut Random) -> String {
    loop {
        let time = date_time(random);
        if time.len() > 10 {
            return time;
        }
    }
}

/// A Period that may be open at either end, and may be long.
pub fn period(random: &mut Random) -> Value {
    let mut ends = [date_time(random), date_time(random)];
    ends.sort();
    match random.below(5) {
        0 => json!({"start": ends[0]}),
        1 => json!({"end": ends[1]}),
        2 => json!({"start": ends[0], "end": format!("{}T23:00:00Z", ends[0].get(..10).unwrap_or("2018-01-01"))}),
        _ => json!({"start": ends[0], "end": ends[1]}),
    }
}

pub fn coding(random: &mut Random) -> Value {
    let (system, code, display) = random.pick(CODES);
    let mut coding = json!({"code": code});
    if let Some(system) = system {
        coding["system"] = json!(system);
    }
    match random.below(10) {
        0 => coding = json!({"system": "urn:local", "display": display}),
        1..=4 => coding["display"] = json!(display),
        _ => {}
    }
    coding
}

pub fn concept(random: &mut Random) -> Value {
    match random.below(12) {
        0 => json!({"text": random.pick(TEXTS)}),
        1 => json!({"text": random.pick(TEXTS), "coding": [coding(random), coding(random), coding(random)]}),
        2..=4 => json!({"coding": [coding(random), coding(random)]}),
        _ => json!({"coding": [coding(random)]}),
    }
}

pub fn identifier(random: &mut Random) -> Value {
    let (system, value) = random.pick(IDENTIFIERS);
    let mut identifier = json!({"value": value});
    if let Some(system) = system {
        identifier["system"] = json!(system);
    }
    if random.chance(30) {
        identifier["type"] = concept(random);
    }
    if random.chance(5) {
        identifier = json!({"system": "urn:mrn"});
    }
    identifier
}

/// Digits as JSON's number.
fn number(digits: &str) -> Value {
    serde_json::from_str(digits).unwrap()
}

pub fn decimal(random: &mut Random) -> Value {
    number(random.pick::<&str>(NUMBERS))
}

pub fn quantity(random: &mut Random) -> Value {
    let (system, code) = random.pick(UNITS);
    let mut quantity = json!({"value": decimal(random)});
    if let Some(system) = system {
        quantity["system"] = json!(system);
    }
    if let Some(code) = code {
        quantity["code"] = json!(code);
        quantity["unit"] = json!(random.pick(&["mg", "in words", "mmHg"]));
    }
    if random.chance(10) {
        quantity["comparator"] = json!(random.pick(&["<", "<=", ">", ">="]));
    }
    quantity
}

pub fn range(random: &mut Random) -> Value {
    let (system, code) = random.pick(&UNITS[..4]);
    let end = |random: &mut Random| json!({"value": decimal(random), "system": system, "code": code});
    match random.below(4) {
        0 => json!({"low": end(random)}),
        1 => json!({"high": end(random)}),
        _ => json!({"low": end(random), "high": end(random)}),
    }
}

pub fn name(random: &mut Random) -> Value {
    let mut name = json!({"family": random.pick(TEXTS)});
    let given = random.some(3, |random| *random.pick(TEXTS));
    if !given.is_empty() {
        name["given"] = json!(given);
    }
    if random.chance(20) {
        name["text"] = json!(random.pick(TEXTS));
    }
    name
}

pub fn address(random: &mut Random) -> Value {
    let mut address = json!({"city": random.pick(TEXTS), "line": [random.pick(TEXTS), "Main St. 1"]});
    if random.chance(50) {
        address["use"] = json!(random.pick(&["home", "work"]));
        address["postalCode"] = json!(random.pick(&["53111", "5311", "10115"]));
    }
    address
}

pub fn telecom(random: &mut Random) -> Value {
    json!({"system": random.pick(&["phone", "email"]), "value": random.pick(&["555", "Jim@acme.org", "jim@acme.org"])})
}
