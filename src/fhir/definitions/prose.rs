//! What people read of R4: a sentence about each search parameter, and an example of each resource type.

use super::resource_type::ResourceType;
use std::collections::HashMap;
use std::sync::LazyLock;

const DESCRIPTIONS: &str = include_str!("../../../definitions/r4/search-descriptions.tsv");
const EXAMPLES: &str = include_str!("../../../definitions/r4/examples.ndjson");

/// By base and code.
static DESCRIBED: LazyLock<HashMap<(&'static str, &'static str), &'static str>> = LazyLock::new(|| {
    let rows = DESCRIPTIONS.lines().skip(1).filter_map(|line| {
        let mut fields = line.splitn(3, '\t');
        Some(((fields.next()?, fields.next()?), fields.next()?))
    });
    rows.filter(|(_, text)| *text != "-").collect()
});

/// What HL7 says of a search parameter of R4, for people to read. `None` where it says nothing, and of any other parameter.
pub fn search_description(resource_type: ResourceType, code: &str) -> Option<&'static str> {
    let bases = [resource_type.as_str(), "DomainResource", "Resource"];
    bases.iter().find_map(|base| DESCRIBED.get(&(*base, code)).copied())
}

/// One of HL7's examples of a type, as the text of a JSON resource whose id is `example`.
pub fn example(resource_type: ResourceType) -> Option<&'static str> {
    let starts = |line: &&str| {
        let rest = line.strip_prefix("{\"resourceType\":\"").and_then(|rest| rest.strip_prefix(resource_type.as_str()));
        rest.is_some_and(|rest| rest.starts_with('"'))
    };
    EXAMPLES.lines().find(starts)
}

#[cfg(test)]
mod tests {
    use super::super::search_parameters;
    use super::*;
    use crate::fhir::resource::Resource;

    #[test]
    fn every_type_has_an_example_that_can_be_read() {
        for resource_type in ResourceType::all() {
            let text = example(resource_type).unwrap_or_else(|| panic!("{resource_type}"));
            let read = Resource::read(text.as_bytes(), 0..text.len(), 100).unwrap();
            assert_eq!(read.resource_type(), resource_type);
        }
        assert_eq!(EXAMPLES.lines().count(), ResourceType::all().count());
    }

    #[test]
    fn every_search_parameter_of_r4_is_described() {
        for row in search_parameters().flatten() {
            let base = ResourceType::parse(row.base).unwrap_or(ResourceType::PATIENT);
            assert!(search_description(base, row.code).is_some(), "{} {}", row.base, row.code);
        }
        let name = search_description(ResourceType::PATIENT, "gender");
        assert_eq!(name, Some("Gender of the patient"));
        assert_eq!(search_description(ResourceType::PATIENT, "shoe-size"), None);
    }
}
