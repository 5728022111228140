//! Resources that are sent along: `_include` and `_revinclude`. <https://hl7.org/fhir/R4/search.html#revinclude>

use super::chain::leads_to;
use super::condition::known;
use super::refused::Refused;
use super::split_modifier;
use crate::fhir::definitions::ResourceType;
use crate::search::registry::{ParameterKind, Registry};
use smol_str::SmolStr;

/// Which references are followed, forwards or backwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Include {
    /// The type that refers; `None`: any.
    pub source: Option<ResourceType>,
    /// The code of the reference parameter; `None`: each one of the source.
    pub parameter: Option<SmolStr>,
    /// Only references that lead to this type.
    pub target: Option<ResourceType>,
    /// Followed from what was included, too.
    pub iterate: bool,
}

/// The parts of `Observation:subject:Patient,…`.
pub(super) fn parse(
    registry: &Registry,
    types: &[ResourceType],
    name: &str,
    value: &str,
) -> Result<Vec<Include>, Refused> {
    let (code, modifier) = split_modifier(name);
    let iterate = match modifier {
        None => false,
        // The older name of the same.
        Some("iterate" | "recurse") => true,
        Some(other) => return Err(Refused::modifier(code, other)),
    };
    let mut includes = Vec::new();
    for part in value.split(',') {
        let include = read(registry, code, part, iterate)?;
        if !iterate {
            check_reach(&include, registry, types, code, part)?;
        }
        includes.push(include);
    }
    Ok(includes)
}

fn read(registry: &Registry, code: &str, part: &str, iterate: bool) -> Result<Include, Refused> {
    if part == "*" {
        return Ok(Include { source: None, parameter: None, target: None, iterate });
    }
    let expected = "Type:parameter, Type:parameter:Target, Type:* or * was expected.";
    let mut words = part.split(':');
    let (Some(source), Some(parameter), target, None) = (words.next(), words.next(), words.next(), words.next()) else {
        return Err(Refused::value(code, part, expected));
    };
    if source.is_empty() || parameter.is_empty() || target == Some("") {
        return Err(Refused::value(code, part, expected));
    }
    let type_of = |name: &str| {
        let unknown = || Refused::ignorable(format!("'{name}' in '{code}={part}' is not a resource type."));
        ResourceType::parse(name).ok_or_else(unknown)
    };
    let (source, target) = (type_of(source)?, target.map(type_of).transpose()?);
    if parameter == "*" {
        return Ok(Include { source: Some(source), parameter: None, target, iterate });
    }
    let known = known(registry, source, parameter)?;
    if known.kind != ParameterKind::Reference {
        return Err(Refused::ignorable(format!("'{parameter}' of {source} is not a reference.")));
    }
    if let Some(target) = target.filter(|target| !leads_to(known, *target)) {
        return Err(Refused::ignorable(format!("'{parameter}' of {source} does not lead to {target}.")));
    }
    Ok(Include { source: Some(source), parameter: Some(known.code.clone()), target, iterate })
}

/// A reference is followed from the types searched, or to them.
fn check_reach(
    include: &Include,
    registry: &Registry,
    types: &[ResourceType],
    code: &str,
    part: &str,
) -> Result<(), Refused> {
    let Some(source) = include.source.filter(|_| !types.is_empty()) else { return Ok(()) };
    let is_reached = match code {
        "_include" => types.contains(&source),
        _ => match (include.target, include.parameter.as_deref()) {
            (Some(target), _) => types.contains(&target),
            (None, Some(parameter)) => {
                let parameter = known(registry, source, parameter)?;
                types.iter().any(|searched| leads_to(parameter, *searched))
            }
            (None, None) => true,
        },
    };
    if is_reached {
        return Ok(());
    }
    let direction = if code == "_include" { "starts from" } else { "leads to" };
    Err(Refused::ignorable(format!("'{code}={part}' {direction} none of the types searched.")))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{ask, ignored, refused};
    use super::*;
    use crate::error::Kind;

    fn include(source: Option<&str>, parameter: Option<&str>, target: Option<&str>, iterate: bool) -> Include {
        let of = |name: &str| ResourceType::parse(name).unwrap();
        Include { source: source.map(of), parameter: parameter.map(SmolStr::new), target: target.map(of), iterate }
    }

    #[test]
    fn an_include_names_source_parameter_and_target_or_all_of_them() {
        let one = |text: &str| ask(&format!("Observation?{text}")).includes.pop().unwrap();
        let observation = Some("Observation");
        assert_eq!(one("_include=Observation:subject"), include(observation, Some("subject"), None, false));
        let patient = include(observation, Some("subject"), Some("Patient"), false);
        assert_eq!(one("_include=Observation:subject:Patient"), patient);
        assert_eq!(one("_include=Observation:*"), include(observation, None, None, false));
        assert_eq!(one("_include=*"), include(None, None, None, false));
        let iterated = include(Some("Patient"), Some("organization"), None, true);
        assert_eq!(one("_include:iterate=Patient:organization"), iterated);
        assert_eq!(one("_include:recurse=Patient:organization"), iterated);
        assert_eq!(ask("Observation?_include=Observation:subject,Observation:encounter").includes.len(), 2);
    }

    #[test]
    fn a_revinclude_leads_to_what_is_searched() {
        let query = ask("Patient?_revinclude=Observation:patient&_revinclude=Condition:subject&_revinclude=*");
        assert_eq!(query.revincludes[0], include(Some("Observation"), Some("patient"), None, false));
        assert_eq!((query.revincludes.len(), query.includes.len()), (3, 0));
        ask("Patient?_revinclude=Observation:*");
        ask("Patient?_revinclude=Observation:patient&_revinclude:iterate=DiagnosticReport:result");
    }

    #[test]
    fn what_follows_no_reference_of_the_types_searched_is_reported() {
        for (text, reason) in [
            ("Observation?_include=Observation:foo", "not a search parameter of Observation"),
            ("Observation?_include=Foo:subject", "not a resource type"),
            ("Observation?_include=Observation:subject:Foo", "not a resource type"),
            ("Observation?_include=Observation:code", "not a reference"),
            ("Observation?_include=Observation:subject:Practitioner", "does not lead to Practitioner"),
            ("Observation?_include=Patient:organization", "starts from none of the types"),
            ("Practitioner?_revinclude=Observation:patient", "leads to none of the types"),
            ("Patient?_revinclude=Observation:performer:Practitioner", "leads to none of the types"),
        ] {
            assert!(ignored(text).contains(reason), "{text}: {}", ignored(text));
        }
    }

    #[test]
    fn what_is_not_written_as_an_include_is_refused() {
        for value in ["Observation", "Observation:", ":subject", "Observation:subject:", "A:b:C:d", "*,"] {
            let error = refused(&format!("Observation?_include={value}"));
            assert_eq!((error.kind, error.expression.as_deref()), (Kind::Invalid, Some("_include")), "{value}");
        }
    }
}
