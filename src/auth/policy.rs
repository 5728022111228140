//! The one table of rights: who may do what with which types, and which resources of them. What is not in it is denied.

use super::membership::can_be_about_a_patient;
use super::role::{Duty, Role};
use super::sight::Sight;
use super::types::{Group, group_of};
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::Id;

/// What is done to resources, in SMART's letters. <https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Permission {
    Create,
    /// Read, vread, the history of one resource.
    Read,
    /// Update and patch.
    Update,
    Delete,
    /// Search, and the history of a type or of the system.
    Search,
}

impl Permission {
    /// In the order in which scopes write them.
    pub const ALL: [Permission; 5] =
        [Permission::Create, Permission::Read, Permission::Update, Permission::Delete, Permission::Search];

    pub fn letter(self) -> char {
        match self {
            Permission::Create => 'c',
            Permission::Read => 'r',
            Permission::Update => 'u',
            Permission::Delete => 'd',
            Permission::Search => 's',
        }
    }
}

/// Whom a row of the table is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Admin,
    /// An admin who gave a reason: the reason is on record, and the patient sees it.
    BreakGlass,
    /// A practitioner of whom no duty is known.
    Practitioner,
    Duty(Duty),
    Patient,
    Auditor,
}

impl Who {
    pub const ALL: [Who; 9] = [
        Who::Admin,
        Who::BreakGlass,
        Who::Practitioner,
        Who::Duty(Duty::Doctor),
        Who::Duty(Duty::Nurse),
        Who::Duty(Duty::Pharmacist),
        Who::Duty(Duty::Receptionist),
        Who::Patient,
        Who::Auditor,
    ];

    /// All that one account is at once: the duties of a practitioner add up. Of whom none is known (`None`), the role
    /// alone decides; who had duties that have all ended may nothing.
    pub fn of(role: Role, duties: Option<&[Duty]>, has_reason: bool) -> Vec<Who> {
        match role {
            Role::Admin if has_reason => vec![Who::Admin, Who::BreakGlass],
            Role::Admin => vec![Who::Admin],
            Role::Practitioner => match duties {
                Some(duties) => duties.iter().copied().map(Who::Duty).collect(),
                None => vec![Who::Practitioner],
            },
            Role::Patient => vec![Who::Patient],
            Role::Auditor => vec![Who::Auditor],
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Who::Admin => "admin",
            Who::BreakGlass => "admin with a reason",
            Who::Practitioner => "practitioner",
            Who::Duty(duty) => duty.as_str(),
            Who::Patient => "patient",
            Who::Auditor => "auditor",
        }
    }
}

/// Which types a row is about.
#[derive(Debug, Clone, Copy)]
pub enum Types {
    All(Group),
    Named(&'static [&'static str]),
}

impl Types {
    pub fn has(self, resource_type: ResourceType) -> bool {
        match self {
            Types::All(group) => group_of(resource_type) == Some(group),
            Types::Named(names) => names.contains(&resource_type.as_str()),
        }
    }
}

/// Which resources of its types a row opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    All,
    /// What is about the patient.
    Own,
    /// What is about the patient and is found by this search, where `{patient}` stands for the patient's id.
    OwnWhere(&'static str),
    /// What is referred to by something that is about the patient.
    ReferredTo,
}

/// One row.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    pub who: Who,
    pub types: Types,
    /// Letters of [`Permission`], in their order.
    pub may: &'static str,
    pub seen: Seen,
}

const fn rule(who: Who, types: Types, may: &'static str, seen: Seen) -> Rule {
    Rule { who, types, may, seen }
}

use Seen::{All, Own, OwnWhere, ReferredTo};
use Types::{All as Every, Named};

#[rustfmt::skip] // As many to a line as fit.
const NURSE_WRITES: &[&str] = &[
    "AllergyIntolerance", "BodyStructure", "CarePlan", "CareTeam", "Communication", "Condition", "DeviceUseStatement",
    "Encounter", "Flag", "Goal", "Immunization", "List", "MedicationAdministration", "MedicationStatement",
    "NutritionOrder", "Observation", "Procedure", "QuestionnaireResponse", "Specimen", "Task",
];
#[rustfmt::skip]
const PHARMACIST_READS: &[&str] = &[
    "AllergyIntolerance", "CarePlan", "Condition", "Coverage", "DetectedIssue", "Encounter", "Immunization",
    "MedicationAdministration", "MedicationDispense", "MedicationRequest", "MedicationStatement", "Observation",
    "Patient", "Provenance", "RelatedPerson", "RequestGroup", "Task",
];
const PHARMACIST_WRITES: &[&str] =
    &["DetectedIssue", "MedicationDispense", "MedicationStatement", "SupplyDelivery", "SupplyRequest", "Task"];
#[rustfmt::skip]
const RECEPTION: &[&str] =
    &["Account", "Appointment", "AppointmentResponse", "Coverage", "Encounter", "EpisodeOfCare", "Patient", "RelatedPerson"];

/// The policy.
#[rustfmt::skip] // A row a line.
pub const TABLE: &[Rule] = &[
    rule(Who::Admin,                     Every(Group::Definitions), "cruds", All),
    rule(Who::Admin,                     Every(Group::Directory),   "cruds", All),
    rule(Who::Admin,                     Every(Group::Products),    "cruds", All),
    rule(Who::Admin,                     Every(Group::Messages),    "cruds", All),
    rule(Who::BreakGlass,                Every(Group::Clinical),    "rs",    All),
    rule(Who::BreakGlass,                Every(Group::Booking),     "rs",    All),

    rule(Who::Practitioner,              Every(Group::Clinical),    "cruds", All),
    rule(Who::Practitioner,              Every(Group::Booking),     "cruds", All),
    rule(Who::Practitioner,              Every(Group::Definitions), "rs",    All),
    rule(Who::Practitioner,              Every(Group::Directory),   "rs",    All),
    rule(Who::Practitioner,              Every(Group::Products),    "rs",    All),
    rule(Who::Practitioner,              Every(Group::Messages),    "crs",   All),

    rule(Who::Duty(Duty::Doctor),        Every(Group::Clinical),    "cruds", All),
    rule(Who::Duty(Duty::Doctor),        Every(Group::Booking),     "cruds", All),
    rule(Who::Duty(Duty::Doctor),        Every(Group::Definitions), "rs",    All),
    rule(Who::Duty(Duty::Doctor),        Every(Group::Directory),   "rs",    All),
    rule(Who::Duty(Duty::Doctor),        Every(Group::Products),    "rs",    All),
    rule(Who::Duty(Duty::Doctor),        Every(Group::Messages),    "crs",   All),

    rule(Who::Duty(Duty::Nurse),         Every(Group::Clinical),    "rs",    All),
    rule(Who::Duty(Duty::Nurse),         Named(NURSE_WRITES),       "cu",    All),
    rule(Who::Duty(Duty::Nurse),         Every(Group::Booking),     "rs",    All),
    rule(Who::Duty(Duty::Nurse),         Every(Group::Definitions), "rs",    All),
    rule(Who::Duty(Duty::Nurse),         Every(Group::Directory),   "rs",    All),
    rule(Who::Duty(Duty::Nurse),         Every(Group::Products),    "rs",    All),

    rule(Who::Duty(Duty::Pharmacist),    Named(PHARMACIST_READS),   "rs",    All),
    rule(Who::Duty(Duty::Pharmacist),    Named(PHARMACIST_WRITES),  "crus",  All),
    rule(Who::Duty(Duty::Pharmacist),    Every(Group::Definitions), "rs",    All),
    rule(Who::Duty(Duty::Pharmacist),    Every(Group::Directory),   "rs",    All),
    rule(Who::Duty(Duty::Pharmacist),    Every(Group::Products),    "crus",  All),

    rule(Who::Duty(Duty::Receptionist),  Named(RECEPTION),          "crus",  All),
    rule(Who::Duty(Duty::Receptionist),  Every(Group::Booking),     "cruds", All),
    rule(Who::Duty(Duty::Receptionist),  Every(Group::Definitions), "rs",    All),
    rule(Who::Duty(Duty::Receptionist),  Every(Group::Directory),   "rs",    All),

    rule(Who::Patient,                   Every(Group::Clinical),    "rs",    Own),
    rule(Who::Patient,                   Every(Group::Directory),   "rs",    ReferredTo),
    rule(Who::Patient,                   Every(Group::Products),    "rs",    ReferredTo),
    rule(Who::Patient,                   Every(Group::Definitions), "rs",    All),
    rule(Who::Patient,                   Named(&["Slot"]),          "rs",    All),
    rule(Who::Patient,                   Named(&["QuestionnaireResponse"]), "cu", OwnWhere("author=Patient/{patient}")),
    rule(Who::Patient,                   Named(&["Observation"]),   "cu",    OwnWhere("performer=Patient/{patient}")),
    rule(Who::Patient,                   Named(&["Appointment"]),   "cu",    OwnWhere("status=proposed,pending,cancelled")),

    rule(Who::Auditor,                   Every(Group::Audit),       "rs",    All),
];

/// The rows that say something of this for someone who is all of these.
pub fn rules(who: &[Who], permission: Permission, resource_type: ResourceType) -> impl Iterator<Item = &'static Rule> {
    let applies = move |rule: &&Rule| {
        who.contains(&rule.who) && rule.may.contains(permission.letter()) && rule.types.has(resource_type)
    };
    TABLE.iter().filter(applies)
}

/// Which resources of a type may be used so by someone who is all of these. `patient`: whose record it is, for a patient;
/// without one, a patient sees nothing.
pub fn sight(who: &[Who], patient: Option<&Id>, permission: Permission, resource_type: ResourceType) -> Sight {
    let mut sights = Vec::new();
    for rule in rules(who, permission, resource_type) {
        let own = |patient: &Id| can_be_about_a_patient(resource_type).then(|| Sight::About(patient.clone()));
        let seen = match (rule.seen, patient) {
            (Seen::All, _) => Some(Sight::All),
            (_, None) => None,
            (Seen::Own, Some(patient)) => own(patient),
            (Seen::OwnWhere(search), Some(patient)) => own(patient)
                .map(|own| Sight::Each(vec![own, Sight::Found(search.replace("{patient}", patient.as_str()))])),
            (Seen::ReferredTo, Some(patient)) => Some(Sight::ReferredToBy(patient.clone())),
        };
        sights.extend(seen);
    }
    Sight::any(sights)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(who: Who, permission: Permission, name: &str) -> Sight {
        let patient = Id::parse("p").unwrap();
        sight(&[who], Some(&patient), permission, ResourceType::parse(name).unwrap())
    }

    #[test]
    fn every_row_names_types_of_r4_and_permissions_in_their_order() {
        for rule in TABLE {
            if let Types::Named(names) = rule.types {
                assert!(names.is_sorted(), "{names:?}");
                assert!(names.iter().all(|name| ResourceType::parse(name).is_some()), "{names:?}");
            }
            let ordered: String =
                Permission::ALL.iter().map(|one| one.letter()).filter(|letter| rule.may.contains(*letter)).collect();
            assert_eq!(ordered, rule.may);
            // What a patient may is always bound to the patient, but for what is about nobody.
            let is_shared = matches!(rule.types, Every(Group::Definitions) | Named(["Slot"]));
            assert!(rule.who != Who::Patient || rule.seen != All || is_shared, "{rule:?}");
        }
    }

    #[test]
    fn nobody_but_the_auditor_sees_audit_events_and_the_auditor_nothing_else() {
        for who in Who::ALL {
            for permission in Permission::ALL {
                for resource_type in ResourceType::all() {
                    let seen = sight(&[who], Some(&Id::parse("p").unwrap()), permission, resource_type);
                    let is_audit = resource_type == ResourceType::AUDIT_EVENT;
                    if is_audit != (who == Who::Auditor) {
                        assert_eq!(seen, Sight::None, "{who:?} {permission:?} {resource_type}");
                    }
                }
            }
        }
    }

    #[test]
    fn an_admin_sees_clinical_data_with_a_reason_only_and_changes_none() {
        assert_eq!(of(Who::Admin, Permission::Read, "Observation"), Sight::None);
        assert_eq!(of(Who::BreakGlass, Permission::Read, "Observation"), Sight::All);
        assert_eq!(of(Who::BreakGlass, Permission::Update, "Observation"), Sight::None);
        assert_eq!(Who::of(Role::Admin, None, false), [Who::Admin]);
    }

    #[test]
    fn a_patient_without_a_record_and_an_account_without_a_role_see_nothing_of_anybody() {
        for resource_type in ResourceType::all() {
            assert_eq!(sight(&[], None, Permission::Read, resource_type), Sight::None);
            let seen = sight(&[Who::Patient], None, Permission::Read, resource_type);
            let is_shared = group_of(resource_type) == Some(Group::Definitions) || resource_type == ResourceType::SLOT;
            assert_eq!(seen, if is_shared { Sight::All } else { Sight::None }, "{resource_type}");
        }
    }

    #[test]
    fn a_patient_sees_what_is_about_the_patient_and_writes_what_the_patient_says() {
        let own = Sight::About(Id::parse("p").unwrap());
        assert_eq!(of(Who::Patient, Permission::Search, "Observation"), own);
        assert_eq!(of(Who::Patient, Permission::Search, "Patient"), own);
        assert_eq!(of(Who::Patient, Permission::Read, "Group"), Sight::None);
        assert_eq!(
            of(Who::Patient, Permission::Create, "Observation"),
            Sight::Each(vec![own, Sight::Found("performer=Patient/p".to_owned())])
        );
        assert_eq!(of(Who::Patient, Permission::Create, "MedicationRequest"), Sight::None);
        assert_eq!(of(Who::Patient, Permission::Delete, "Observation"), Sight::None);
    }

    #[test]
    fn duties_add_up_and_a_practitioner_of_no_known_duty_has_the_roles_rights() {
        let both = Who::of(Role::Practitioner, Some(&[Duty::Nurse, Duty::Pharmacist]), false);
        let may = |who: &[Who], permission, name: &str| {
            sight(who, None, permission, ResourceType::parse(name).unwrap()) == Sight::All
        };
        assert!(may(&both, Permission::Create, "MedicationDispense"));
        assert!(may(&both, Permission::Create, "Observation"));
        assert!(!may(&both, Permission::Create, "MedicationRequest"));
        assert!(!may(&[Who::Duty(Duty::Receptionist)], Permission::Read, "Observation"));
        assert!(may(&Who::of(Role::Practitioner, None, false), Permission::Create, "MedicationRequest"));
        assert!(!may(&Who::of(Role::Practitioner, Some(&[]), false), Permission::Read, "MedicationRequest"));
    }
}
