//! What a reference's text points at. <https://hl7.org/fhir/R4/references.html>

use super::definitions::ResourceType;
use super::id::Id;

/// The target of a reference, by the form of its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target<'a> {
    /// `Type/id` or `Type/id/_history/version`: on this server.
    Local { resource_type: ResourceType, id: Id, version: Option<&'a str> },
    /// `Type?parameter=value`: whatever the search finds, in a transaction only.
    Conditional { resource_type: ResourceType, query: &'a str },
    /// `urn:uuid:…` or `urn:oid:…`: an entry of the same Bundle.
    Urn(&'a str),
    /// `#id`: a resource inside this one.
    Contained(&'a str),
    /// An address somewhere else, or no address at all.
    Elsewhere(&'a str),
}

impl<'a> Target<'a> {
    /// Reads a reference's text. `base` is this server's own base address, whose absolute references are local ones.
    pub fn parse(text: &'a str, base: Option<&str>) -> Target<'a> {
        if let Some(contained) = text.strip_prefix('#') {
            return Target::Contained(contained);
        }
        if text.starts_with("urn:") {
            return Target::Urn(text);
        }
        let own = base.and_then(|base| text.strip_prefix(base)).and_then(|rest| rest.strip_prefix('/'));
        let relative = own.unwrap_or(text);
        Target::relative(relative).unwrap_or(Target::Elsewhere(text))
    }

    fn relative(text: &'a str) -> Option<Target<'a>> {
        if let Some((name, query)) = text.split_once('?') {
            let resource_type = ResourceType::parse(name)?;
            return Some(Target::Conditional { resource_type, query });
        }
        let mut parts = text.split('/');
        let resource_type = ResourceType::parse(parts.next()?)?;
        let id = Id::parse(parts.next()?).ok()?;
        let version = match (parts.next(), parts.next(), parts.next()) {
            (None, None, None) => None,
            (Some("_history"), Some(version), None) => Some(version),
            _ => return None,
        };
        Some(Target::Local { resource_type, id, version })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_told_apart_by_their_form() {
        let base = Some("http://localhost:8000/fhir");
        let patient =
            |version| Target::Local { resource_type: ResourceType::PATIENT, id: Id::parse("1").unwrap(), version };
        assert_eq!(Target::parse("Patient/1", base), patient(None));
        assert_eq!(Target::parse("Patient/1/_history/2", base), patient(Some("2")));
        assert_eq!(Target::parse("http://localhost:8000/fhir/Patient/1", base), patient(None));
        let away = "http://localhost:8000/fhirx/Patient/1";
        assert_eq!(Target::parse(away, base), Target::Elsewhere(away));
        assert_eq!(Target::parse("urn:uuid:a", base), Target::Urn("urn:uuid:a"));
        assert_eq!(Target::parse("#a", base), Target::Contained("a"));
        assert_eq!(
            Target::parse("Patient?identifier=a|b", base),
            Target::Conditional { resource_type: ResourceType::PATIENT, query: "identifier=a|b" }
        );
        for other in ["Pat/1", "Patient", "Patient/1/x", "Patient/a_b", ""] {
            assert_eq!(Target::parse(other, base), Target::Elsewhere(other));
        }
    }
}
