//! Who may do what is said of these: the four roles, and what a practitioner does in the hospital.

use crate::fhir::instant::Interval;
use crate::fhir::json::{Json, Object};
use chrono::{DateTime, Utc};

/// What an account is for. One account has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    Admin,
    Practitioner,
    Patient,
    Auditor,
}

impl Role {
    pub const ALL: [Role; 4] = [Role::Admin, Role::Practitioner, Role::Patient, Role::Auditor];

    /// An unknown word is no role: whoever has it may do nothing.
    pub fn parse(word: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.as_str() == word)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Role::Admin => "admin",
            Role::Practitioner => "practitioner",
            Role::Patient => "patient",
            Role::Auditor => "auditor",
        }
    }
}

/// What a practitioner does, by `PractitionerRole.code`: it narrows what the role may.
/// <https://hl7.org/fhir/R4/valueset-practitioner-role.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Duty {
    Doctor,
    Nurse,
    Pharmacist,
    Receptionist,
}

const PRACTITIONER_ROLE: &str = "http://terminology.hl7.org/CodeSystem/practitioner-role";
const SNOMED: &str = "http://snomed.info/sct";

/// The codes that are understood, each with its system.
const CODES: &[(&str, &str, Duty)] = &[
    (PRACTITIONER_ROLE, "doctor", Duty::Doctor),
    (PRACTITIONER_ROLE, "nurse", Duty::Nurse),
    (PRACTITIONER_ROLE, "pharmacist", Duty::Pharmacist),
    // HL7's list has no receptionist; its system may be extended by a hospital's own codes.
    (PRACTITIONER_ROLE, "receptionist", Duty::Receptionist),
    (SNOMED, "309343006", Duty::Doctor),
    (SNOMED, "106292003", Duty::Nurse),
    (SNOMED, "46255001", Duty::Pharmacist),
    (SNOMED, "159561009", Duty::Receptionist),
];

impl Duty {
    pub const ALL: [Duty; 4] = [Duty::Doctor, Duty::Nurse, Duty::Pharmacist, Duty::Receptionist];

    /// The duty that a coding stands for; `None`: one that says nothing about rights.
    pub fn of_coding(system: &str, code: &str) -> Option<Duty> {
        CODES.iter().find(|(of, word, _)| *of == system && *word == code).map(|(_, _, duty)| *duty)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Duty::Doctor => "doctor",
            Duty::Nurse => "nurse",
            Duty::Pharmacist => "pharmacist",
            Duty::Receptionist => "receptionist",
        }
    }
}

/// What a PractitionerRole says of duties: those that it names, and whether it is in force. A period that cannot be read
/// is not in force.
pub fn duties_of(practitioner_role: &Object, now: DateTime<Utc>) -> (Vec<Duty>, bool) {
    let list = |of: &Object, name: &str| of.get(name).map(Json::items).unwrap_or_default().to_vec();
    let codings = list(practitioner_role, "code")
        .iter()
        .filter_map(Json::as_object)
        .flat_map(|code| list(code, "coding"))
        .collect::<Vec<_>>();
    let duty = |coding: &Json| {
        let coding = coding.as_object()?;
        Duty::of_coding(coding.get_str("system")?, coding.get_str("code")?)
    };
    let is_active = practitioner_role.get("active") != Some(&Json::Bool(false));
    let covers = match practitioner_role.get("period").map(Json::as_object) {
        None => true,
        Some(None) => false,
        Some(Some(period)) => {
            let has_begun =
                period.get_str("start").is_none_or(|text| Interval::parse(text).is_ok_and(|at| at.start <= now));
            let goes_on = period.get_str("end").is_none_or(|text| Interval::parse(text).is_ok_and(|at| now < at.end));
            has_begun && goes_on
        }
    };
    (codings.iter().filter_map(duty).collect(), is_active && covers)
}

/// The duties of a practitioner, by all PractitionerRoles that are there: what [`Access::duties`] is.
///
/// [`Access::duties`]: super::access::Access::duties
pub fn duties_in_force(practitioner_roles: &[Object], now: DateTime<Utc>) -> Option<Vec<Duty>> {
    let told: Vec<(Vec<Duty>, bool)> = practitioner_roles.iter().map(|one| duties_of(one, now)).collect();
    if told.iter().all(|(duties, _)| duties.is_empty()) {
        return None;
    }
    let mut in_force: Vec<Duty> =
        told.into_iter().filter(|(_, in_force)| *in_force).flat_map(|(duties, _)| duties).collect();
    in_force.sort_unstable();
    in_force.dedup();
    Some(in_force)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::json::parse;

    #[test]
    fn duties_are_those_of_the_roles_in_force_and_do_not_widen_when_they_end() {
        let now = DateTime::parse_from_rfc3339("2026-11-29T12:00:00Z").unwrap().to_utc();
        let role = |code: &str, more: &str| {
            let text = format!(
                r#"{{"resourceType":"PractitionerRole","code":[{{"coding":[{{"system":"{PRACTITIONER_ROLE}","code":"{code}"}}]}}]{more}}}"#
            );
            parse(text.as_bytes(), 20).unwrap().as_object().unwrap().clone()
        };
        let duties = |roles: &[Object]| duties_in_force(roles, now);
        assert_eq!(duties(&[]), None);
        assert_eq!(duties(&[role("teacher", "")]), None);
        assert_eq!(
            duties(&[role("nurse", ""), role("doctor", ",\"active\":true"), role("nurse", "")]),
            Some(vec![Duty::Doctor, Duty::Nurse])
        );
        for ended in [
            ",\"active\":false",
            r#","period":{"end":"2026-11-28"}"#,
            r#","period":{"start":"2026-12"}"#,
            r#","period":{"end":"soon"}"#,
            r#","period":[]"#,
        ] {
            assert_eq!(duties(&[role("receptionist", ended)]), Some(vec![]), "{ended}");
        }
        for lasting in
            [r#","period":{"start":"2020","end":"2026-11"}"#, r#","period":{"end":"2026-11-29"}"#, r#","period":{}"#]
        {
            assert_eq!(duties(&[role("receptionist", lasting)]), Some(vec![Duty::Receptionist]), "{lasting}");
        }
    }

    #[test]
    fn every_role_and_duty_has_a_word_of_its_own_and_an_unknown_one_is_none() {
        for role in Role::ALL {
            assert_eq!(Role::parse(role.as_str()), Some(role));
        }
        for word in ["", "Admin", "root", "practitioner ", "superuser"] {
            assert_eq!(Role::parse(word), None, "{word}");
        }
        for duty in Duty::ALL {
            assert_eq!(Duty::of_coding(PRACTITIONER_ROLE, duty.as_str()), Some(duty));
            assert_eq!(Duty::of_coding("", duty.as_str()), None, "a code says nothing without its system");
        }
    }
}
