//! Canonical addresses: `url` or `url|version`. <https://hl7.org/fhir/R4/references.html#canonical>

use crate::fhir::definitions::{PrimitiveType, ResourceType, datatype};

const STRUCTURES: &str = "http://hl7.org/fhir/StructureDefinition/";
const VALUE_SETS: &str = "http://hl7.org/fhir/ValueSet/";
/// The version of FHIR whose definitions are embedded.
const R4: &str = "4.0.1";

pub fn without_version(canonical: &str) -> &str {
    canonical.split(['|', '#']).next().unwrap_or(canonical)
}

/// The type whose base definition this is the address of: `Patient`, `Quantity`, `Resource`.
pub fn base_type(canonical: &str) -> Option<&str> {
    let name = without_version(canonical).strip_prefix(STRUCTURES)?;
    let is_type = matches!(name, "Resource" | "DomainResource" | "Element" | "BackboneElement")
        || ResourceType::parse(name).is_some()
        || datatype(name).is_some()
        || PrimitiveType::parse(name).is_some();
    is_type.then_some(name)
}

/// The name under which a value set of R4 may be embedded.
pub fn embedded_name(canonical: &str) -> Option<&str> {
    let (url, version) = canonical.split_once('|').map_or((canonical, None), |(url, version)| (url, Some(version)));
    let name = url.strip_prefix(VALUE_SETS).unwrap_or(url);
    (version.is_none_or(|version| version == R4)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_base_defines_is_known_by_its_address() {
        assert_eq!(base_type("http://hl7.org/fhir/StructureDefinition/Patient|4.0.1"), Some("Patient"));
        assert_eq!(base_type("http://hl7.org/fhir/StructureDefinition/vitalsigns"), None);
        assert_eq!(base_type("http://example.org/StructureDefinition/Patient"), None);
        assert_eq!(embedded_name("http://hl7.org/fhir/ValueSet/observation-status|4.0.1"), Some("observation-status"));
        assert_eq!(embedded_name("http://hl7.org/fhir/ValueSet/observation-status|5.0.0"), None);
        assert_eq!(without_version("http://x|1#y"), "http://x");
    }
}
