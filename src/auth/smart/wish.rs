//! What a client asks for and what of it can be given: never more than it was registered for.
//! <https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html>

use crate::auth::scope::{Level, ResourceScope};

/// The scopes that are not about resources.
pub const WORDS: &[&str] =
    &["openid", "fhirUser", "profile", "launch", "launch/patient", "offline_access", "online_access"];

/// A list of scopes is so long at most (bytes).
pub const SCOPES_BYTES_MAX: usize = 4_000;

/// The first word that is no scope.
pub fn unknown(scopes: &str) -> Option<&str> {
    scopes.split(' ').find(|word| !WORDS.contains(word) && ResourceScope::parse(word).is_none())
}

/// What of `asked` is within `allowed`, each once and in its order. Of a scope that is wider than what is allowed, the part that is.
pub fn within(asked: &str, allowed: &str) -> Vec<String> {
    let mut granted: Vec<String> = Vec::new();
    let allowed: Vec<&str> = allowed.split(' ').collect();
    for word in asked.split(' ').filter(|word| !word.is_empty()) {
        let parts = match ResourceScope::parse(word) {
            Some(scope) => parts_of(word, &scope, &allowed),
            None if WORDS.contains(&word) && allowed.contains(&word) => vec![word.to_owned()],
            None => Vec::new(),
        };
        for part in parts {
            if !granted.contains(&part) {
                granted.push(part);
            }
        }
    }
    granted
}

fn parts_of(word: &str, asked: &ResourceScope, allowed: &[&str]) -> Vec<String> {
    let parts: Vec<ResourceScope> =
        allowed.iter().filter_map(|word| ResourceScope::parse(word)?.common_with(asked)).collect();
    // Whole, it stays as the client wrote it, which is how it looks for it in the answer.
    match parts.contains(asked) {
        true => vec![word.to_owned()],
        false => parts.iter().map(ResourceScope::to_string).collect(),
    }
}

/// Whether the scopes are about one patient, who must be known then.
pub fn is_about_a_patient(scopes: &[String]) -> bool {
    let is_patients = |word: &str| ResourceScope::parse(word).is_some_and(|scope| scope.level == Level::Patient);
    scopes.iter().any(|word| ["launch", "launch/patient"].contains(&word.as_str()) || is_patients(word))
}

/// Those of a backend service: nobody is there whose `patient/` or `user/` it could be.
pub fn of_system(scopes: Vec<String>) -> Vec<String> {
    let is_systems = |word: &String| ResourceScope::parse(word).is_some_and(|scope| scope.level == Level::System);
    scopes.into_iter().filter(is_systems).collect()
}

/// Those of a person: an app does not come in as a system.
pub fn of_person(scopes: Vec<String>) -> Vec<String> {
    let is_systems = |word: &String| ResourceScope::parse(word).is_some_and(|scope| scope.level == Level::System);
    scopes.into_iter().filter(|word| !is_systems(word)).collect()
}

pub fn has(scopes: &str, word: &str) -> bool {
    scopes.split(' ').any(|one| one == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_given_beyond_what_is_allowed() {
        let allowed = "openid launch/patient patient/Observation.rs patient/Condition.cruds user/*.r patient/Encounter.rs?status=finished";
        for (asked, given) in [
            ("openid fhirUser", "openid"),
            ("launch/patient openid openid", "launch/patient openid"),
            ("patient/Observation.rs", "patient/Observation.rs"),
            ("patient/Observation.read", "patient/Observation.read"),
            ("patient/Observation.*", "patient/Observation.rs"),
            ("patient/Observation.cud", ""),
            ("patient/Observation.rs?category=laboratory", "patient/Observation.rs?category=laboratory"),
            ("patient/Encounter.rs", "patient/Encounter.rs?status=finished"),
            ("patient/Encounter.r?status=planned", ""),
            ("patient/*.rs", "patient/Observation.rs patient/Condition.rs patient/Encounter.rs?status=finished"),
            ("user/*.cruds user/Patient.r", "user/*.r user/Patient.r"),
            ("system/*.rs", ""),
            ("patient/Nothing.rs nonsense", ""),
            ("", ""),
        ] {
            assert_eq!(within(asked, allowed).join(" "), given, "{asked}");
        }
    }

    #[test]
    fn a_word_that_is_no_scope_is_named() {
        assert_eq!(unknown("openid patient/*.rs user/Observation.read"), None);
        for text in ["", "openid  profile", "launch/nothing", "patient/*"] {
            assert!(unknown(text).is_some(), "{text}");
        }
    }

    #[test]
    fn a_person_and_a_system_each_have_their_own() {
        let all = || within("openid user/*.rs system/*.rs", "openid user/*.rs system/*.rs");
        assert_eq!(of_system(all()), ["system/*.rs"]);
        assert_eq!(of_person(all()), ["openid", "user/*.rs"]);
        assert!(is_about_a_patient(&["patient/*.rs".to_owned()]) && is_about_a_patient(&["launch/patient".to_owned()]));
        assert!(!is_about_a_patient(&all()));
    }
}
