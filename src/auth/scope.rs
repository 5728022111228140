//! SMART's scopes, version 1 and 2: what a client may do of what the account behind it may.
//! <https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html>

use super::membership::can_be_about_a_patient;
use super::policy::Permission;
use super::sight::Sight;
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::Id;
use std::fmt;

/// On whose behalf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// One patient's record: the one in the token's launch context.
    Patient,
    /// What the account may see.
    User,
    /// A backend service.
    System,
}

/// A scope about resources: `patient/Observation.rs?category=laboratory`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceScope {
    pub level: Level,
    /// `None`: every type.
    pub resource_type: Option<ResourceType>,
    pub may: Vec<Permission>,
    /// The search that each resource must be found by.
    pub query: Option<String>,
}

impl ResourceScope {
    /// `None`: this is no scope about resources, or not one that is understood, and so gives no right.
    pub fn parse(text: &str) -> Option<ResourceScope> {
        let (text, query) = match text.split_once('?') {
            Some((text, query)) => (text, Some(query.to_owned()).filter(|query| !query.is_empty())),
            None => (text, None),
        };
        let (level, rest) = text.split_once('/')?;
        let (name, letters) = rest.split_once('.')?;
        let level = match level {
            "patient" => Level::Patient,
            "user" => Level::User,
            "system" => Level::System,
            _ => return None,
        };
        let resource_type = match name {
            "*" => None,
            name => Some(ResourceType::parse(name)?),
        };
        // A search is of one type; for all of them there is none that each would understand.
        if resource_type.is_none() && query.is_some() {
            return None;
        }
        Some(ResourceScope { level, resource_type, may: permissions(letters)?, query })
    }

    /// What both allow; `None`: nothing that one scope could say. Of two different searches there is none.
    pub fn common_with(&self, other: &ResourceScope) -> Option<ResourceScope> {
        let resource_type = match (self.resource_type, other.resource_type) {
            (Some(one), Some(two)) if one != two => return None,
            (one, two) => one.or(two),
        };
        let query = match (&self.query, &other.query) {
            (Some(one), Some(two)) if one != two => return None,
            (one, two) => one.clone().or_else(|| two.clone()),
        };
        let may: Vec<Permission> = self.may.iter().copied().filter(|one| other.may.contains(one)).collect();
        let is_one = self.level == other.level && !may.is_empty();
        is_one.then_some(ResourceScope { level: self.level, resource_type, may, query })
    }
}

/// As version 2 writes it.
impl fmt::Display for ResourceScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Patient => "patient",
            Level::User => "user",
            Level::System => "system",
        };
        let letters: String = self.may.iter().map(|one| one.letter()).collect();
        write!(f, "{level}/{}.{letters}", self.resource_type.map_or("*", ResourceType::as_str))?;
        self.query.as_ref().map_or(Ok(()), |query| write!(f, "?{query}"))
    }
}

/// Version 1 has words, version 2 letters, each at most once and in the order of `cruds`.
fn permissions(letters: &str) -> Option<Vec<Permission>> {
    let letters = match letters {
        "read" => "rs",
        "write" => "cud",
        "*" => "cruds",
        letters => letters,
    };
    let may: Vec<Permission> = Permission::ALL.into_iter().filter(|one| letters.contains(one.letter())).collect();
    let ordered: String = may.iter().map(|one| one.letter()).collect();
    (!may.is_empty() && ordered == letters).then_some(may)
}

/// All scopes of a token.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scopes {
    resources: Vec<ResourceScope>,
}

impl Scopes {
    /// Whether a text has a word about resources, understood or not: then nothing else is allowed.
    pub fn are_meant(text: &str) -> bool {
        let levels = ["patient/", "user/", "system/"];
        text.split(' ').any(|word| levels.iter().any(|level| word.starts_with(level)))
    }

    /// Words that are not about resources (`openid`, `launch`) and words that are not understood give no right here.
    pub fn parse(text: &str) -> Scopes {
        Scopes { resources: text.split(' ').filter_map(ResourceScope::parse).collect() }
    }

    /// Which resources of a type the client may use so. `patient`: the one in the token's context.
    pub fn sight(&self, patient: Option<&Id>, permission: Permission, resource_type: ResourceType) -> Sight {
        let applies = |scope: &&ResourceScope| {
            scope.resource_type.is_none_or(|of| of == resource_type) && scope.may.contains(&permission)
        };
        let of = |scope: &ResourceScope| {
            let level = match (scope.level, patient) {
                (Level::User | Level::System, _) => Sight::All,
                // Whom a patient's scope is about must be known.
                (Level::Patient, None) => return Sight::None,
                (Level::Patient, Some(patient)) if can_be_about_a_patient(resource_type) => {
                    Sight::About(patient.clone())
                }
                // What is about nobody, such as the practitioners: as far as the account sees them.
                (Level::Patient, Some(_)) => Sight::All,
            };
            Sight::each(vec![level, scope.query.clone().map_or(Sight::All, Sight::Found)])
        };
        Sight::any(self.resources.iter().filter(applies).map(of).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::Permission::{Create, Delete, Read, Search, Update};
    use super::*;

    fn sight(scopes: &str, permission: Permission, name: &str) -> Sight {
        let patient = Id::parse("p").unwrap();
        Scopes::parse(scopes).sight(Some(&patient), permission, ResourceType::parse(name).unwrap())
    }

    #[test]
    fn the_words_of_version_1_and_the_letters_of_version_2_say_what_may_be_done() {
        for (text, may) in [
            ("user/Observation.read", vec![Read, Search]),
            ("user/Observation.write", vec![Create, Update, Delete]),
            ("system/*.*", vec![Create, Read, Update, Delete, Search]),
            ("patient/Observation.rs", vec![Read, Search]),
            ("patient/Observation.cruds", vec![Create, Read, Update, Delete, Search]),
        ] {
            assert_eq!(ResourceScope::parse(text).map(|scope| scope.may), Some(may), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_scope_gives_no_right() {
        for text in [
            "user/Observation.sr",
            "user/Observation.rr",
            "user/Observation.",
            "user/Observation",
            "user/Observation.all",
            "user/observation.r",
            "user/Nothing.r",
            "nobody/Observation.r",
            "Observation.r",
            "openid",
            "launch/patient",
            "system/*.rs?status=final",
            "",
        ] {
            assert_eq!(ResourceScope::parse(text), None, "{text}");
        }
        assert_eq!(sight("openid user/observation.r nobody/*.*", Read, "Observation"), Sight::None);
    }

    #[test]
    fn a_patients_scope_is_bound_to_the_patient_of_the_token() {
        let own = Sight::About(Id::parse("p").unwrap());
        assert_eq!(sight("patient/*.rs", Read, "Observation"), own);
        assert_eq!(sight("patient/*.rs", Create, "Observation"), Sight::None);
        assert_eq!(sight("patient/*.rs", Read, "Organization"), Sight::All);
        let without = Scopes::parse("patient/*.cruds").sight(None, Read, ResourceType::OBSERVATION);
        assert_eq!(without, Sight::None);
    }

    #[test]
    fn scopes_add_up_and_a_query_narrows_its_own_scope_only() {
        let laboratory = "patient/Observation.rs?category=laboratory";
        let narrow =
            Sight::Each(vec![Sight::About(Id::parse("p").unwrap()), Sight::Found("category=laboratory".into())]);
        assert_eq!(sight(laboratory, Read, "Observation"), narrow);
        assert_eq!(sight(&format!("{laboratory} user/Observation.r"), Read, "Observation"), Sight::All);
        assert_eq!(sight(&format!("{laboratory} user/Observation.r"), Search, "Observation"), narrow);
        assert_eq!(sight(laboratory, Read, "Condition"), Sight::None);
    }
}
