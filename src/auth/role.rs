//! Who may do what is said of these: the four roles, and what a practitioner does in the hospital.

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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

#[cfg(test)]
mod tests {
    use super::*;

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
