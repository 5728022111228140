//! The types that an expression may name. <https://hl7.org/fhir/R4/fhirpath.html#types>

use crate::fhir::definitions::{PrimitiveType, ResourceType, datatype};

/// A type of FHIR, known to exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TypeName(&'static str);

const RESOURCE: &str = "Resource";
const DOMAIN_RESOURCE: &str = "DomainResource";

impl TypeName {
    /// `None` for any other name; case counts.
    pub fn parse(name: &str) -> Option<TypeName> {
        if let Some(primitive) = PrimitiveType::parse(name) {
            return Some(TypeName(primitive.as_str()));
        }
        if let Some(resource_type) = ResourceType::parse(name) {
            return Some(TypeName(resource_type.as_str()));
        }
        let abstract_type = [RESOURCE, DOMAIN_RESOURCE].into_iter().find(|known| *known == name);
        abstract_type.or_else(|| datatype(name).map(|node| node.type_name())).map(TypeName)
    }

    pub fn as_str(self) -> &'static str {
        self.0
    }

    pub fn is_resource(self) -> bool {
        matches!(self.0, RESOURCE | DOMAIN_RESOURCE) || ResourceType::parse(self.0).is_some()
    }

    /// Whether a value of the type `actual` is of this type: the same one, or one that specializes it.
    pub fn covers(self, actual: &str) -> bool {
        if self.0 == actual {
            return true;
        }
        match self.0 {
            RESOURCE => actual == DOMAIN_RESOURCE || ResourceType::parse(actual).is_some(),
            DOMAIN_RESOURCE => {
                !matches!(actual, "Binary" | "Bundle" | "Parameters") && ResourceType::parse(actual).is_some()
            }
            "Element" => !TypeName(RESOURCE).covers(actual),
            "string" => matches!(actual, "code" | "id" | "markdown"),
            "uri" => matches!(actual, "canonical" | "oid" | "url" | "uuid"),
            "integer" => matches!(actual, "positiveInt" | "unsignedInt"),
            "Quantity" => matches!(actual, "Age" | "Count" | "Distance" | "Duration"),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_covers_itself_and_what_specializes_it() {
        for (name, actual, expected) in [
            ("Quantity", "Quantity", true),
            ("Quantity", "Age", true),
            ("Age", "Quantity", false),
            ("string", "code", true),
            ("code", "string", false),
            ("Resource", "Patient", true),
            ("DomainResource", "Patient", true),
            ("DomainResource", "Bundle", false),
            ("Element", "BackboneElement", true),
            ("Element", "Patient", false),
            ("Patient", "Group", false),
        ] {
            assert_eq!(TypeName::parse(name).unwrap().covers(actual), expected, "{name} {actual}");
        }
    }

    #[test]
    fn only_types_of_r4_have_a_name() {
        for name in ["DateTime", "patient", "Patient.contact", "SimpleQuantity", ""] {
            assert_eq!(TypeName::parse(name), None, "{name}");
        }
        assert!(TypeName::parse("Group").unwrap().is_resource());
        assert!(!TypeName::parse("Quantity").unwrap().is_resource());
    }
}
