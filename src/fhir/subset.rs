//! Parts of a resource for those who do not need all of it: `_summary` and `_elements`. <https://hl7.org/fhir/R4/search.html#summary>

use super::definitions::{Element, ElementKind, Node, ResourceType, root};
use super::json::{Json, Object};

/// Which part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subset {
    /// What the definition marks as the summary.
    Summary,
    /// The narrative, and what must be there.
    Text,
    /// All but the narrative.
    Data,
    /// These elements at the top of the resource, and what must be there.
    Elements(Vec<String>),
}

/// Always there, or the part could not be told from a whole.
const ALWAYS: &[&str] = &["resourceType", "id", "meta"];

/// The part of a resource, marked as one.
pub fn subset(resource: &Object, resource_type: ResourceType, subset: &Subset) -> Object {
    let node = root(resource_type);
    let mut part = Object::new();
    for (name, value) in resource.iter() {
        // `_status` holds the extensions of `status`.
        let element = node.child(name.strip_prefix('_').unwrap_or(name));
        if !ALWAYS.contains(&name) && !keeps(subset, name, element) {
            continue;
        }
        let value = match (subset, element) {
            (Subset::Summary, Some(element)) => summary_of(value, element),
            _ => value.clone(),
        };
        part.push(name.into(), value);
    }
    mark(&mut part);
    part
}

fn keeps(subset: &Subset, name: &str, element: Option<&Element>) -> bool {
    let is_required = element.is_some_and(|element| element.is_required);
    match subset {
        Subset::Summary => element.is_some_and(|element| element.is_summary),
        Subset::Text => name == "text" || is_required,
        Subset::Data => name != "text",
        Subset::Elements(names) => {
            let name = name.strip_prefix('_').unwrap_or(name);
            let asked = |asked: &String| asked == name || element.and_then(|element| element.choice) == Some(asked);
            is_required || names.iter().any(asked)
        }
    }
}

/// Backbone elements are summed up, too; a datatype is kept whole.
fn summary_of(value: &Json, element: &Element) -> Json {
    match element.kind {
        ElementKind::Complex(node) if node.path().contains('.') => summary_in(value, node),
        _ => value.clone(),
    }
}

fn summary_in(value: &Json, node: Node) -> Json {
    match value {
        Json::Array(items) => Json::Array(items.iter().map(|item| summary_in(item, node)).collect()),
        Json::Object(object) => {
            let mut part = Object::new();
            for (name, value) in object.iter() {
                let element = node.child(name.strip_prefix('_').unwrap_or(name));
                if let Some(element) = element.filter(|element| element.is_summary) {
                    part.push(name.into(), summary_of(value, element));
                }
            }
            Json::Object(part)
        }
        other => other.clone(),
    }
}

/// Adds the tag that says that elements are missing, lest a client write the part back as the whole.
fn mark(part: &mut Object) {
    let tag = Object::new()
        .with_str("system", "http://terminology.hl7.org/CodeSystem/v3-ObservationValue")
        .with_str("code", "SUBSETTED");
    let mut meta = match part.remove("meta") {
        Some(Json::Object(meta)) => meta,
        _ => Object::new(),
    };
    let mut tags = match meta.remove("tag") {
        Some(Json::Array(tags)) => tags,
        _ => Vec::new(),
    };
    if !tags.contains(&Json::Object(tag.clone())) {
        tags.push(tag.into());
    }
    let meta = meta.with("tag", Json::Array(tags));
    let place = part.position("id").or_else(|| part.position("resourceType")).map_or(0, |place| place + 1);
    part.set_at(place, "meta", meta.into());
}

#[cfg(test)]
mod tests {
    use super::super::json::parse;
    use super::*;

    const OBSERVATION: &str = r#"{"resourceType":"Observation","id":"o","meta":{"versionId":"1"},"text":{"status":"generated"},
        "status":"final","_status":{"id":"s"},"code":{"text":"c"},"note":[{"text":"n"}],"valueString":"v",
        "component":[{"code":{"text":"d"},"valueInteger":1,"interpretation":[{"text":"high"}]}]}"#;

    fn names(subset_of: &Subset) -> String {
        let Json::Object(whole) = parse(OBSERVATION.as_bytes(), 64).unwrap() else { panic!() };
        let part = subset(&whole, ResourceType::OBSERVATION, subset_of);
        part.iter().map(|(name, _)| name).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn each_subset_keeps_its_elements_and_what_must_be_there() {
        let summary = "resourceType id meta status _status code valueString component";
        assert_eq!(names(&Subset::Summary), summary);
        assert_eq!(names(&Subset::Text), "resourceType id meta text status _status code");
        assert_eq!(names(&Subset::Data), "resourceType id meta status _status code note valueString component");
        let elements = Subset::Elements(vec!["note".to_owned(), "value".to_owned()]);
        assert_eq!(names(&elements), "resourceType id meta status _status code note valueString");
    }

    #[test]
    fn a_summary_goes_into_backbone_elements_and_is_marked() {
        let Json::Object(whole) = parse(OBSERVATION.as_bytes(), 64).unwrap() else { panic!() };
        let part = String::from_utf8(subset(&whole, ResourceType::OBSERVATION, &Subset::Summary).to_bytes()).unwrap();
        assert!(part.contains(r#""component":[{"code":{"text":"d"},"valueInteger":1}]"#), "{part}");
        let tag = r#""meta":{"versionId":"1","tag":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}]}"#;
        assert!(part.contains(tag), "{part}");
    }
}
