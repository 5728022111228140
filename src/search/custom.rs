//! From a SearchParameter resource to what it adds. <https://hl7.org/fhir/R4/searchparameter.html>

use super::registry::{CustomDefinition, ParameterKind, Registry, bases};
use crate::fhir::definitions::ResourceType;
use crate::fhir::invalid::{Invalid, Result};
use crate::fhir::json::{Json, Object};
use crate::fhir::resource::Resource;
use smol_str::SmolStr;

/// What a SearchParameter adds to the server; `None` for one that is not active, that has no expression, or that is one of
/// R4's own or derived from one, which this server has in any case.
///
/// # Errors
/// One that would be active and lacks what it needs; the place is relative to the resource.
pub fn read(resource: &Resource) -> Result<Option<CustomDefinition>> {
    let object = resource.object();
    let text = |name: &str| object.get_str(name).filter(|text| !text.is_empty());
    let Some(expression) = text("expression") else { return Ok(None) };
    if text("status") != Some("active") || text("url").is_some_and(|url| Registry::standard().has_url(url)) {
        return Ok(None);
    }
    if repeats_standard(object) {
        return Ok(None);
    }
    let required = |name: &'static str| text(name).ok_or_else(|| missing(name));
    Ok(Some(CustomDefinition {
        url: required("url")?.into(),
        code: code(required("code")?)?,
        kind: kind(required("type")?)?,
        bases: all_bases(object)?,
        expression: expression.to_owned(),
        // `Resource` is none of the types: it leaves the list empty, which stands for any.
        targets: strings(object, "target").filter_map(ResourceType::parse).collect(),
        components: components(object)?,
        unfinished: None,
    }))
}

/// Whether R4 has this parameter of all its bases under this code, and it says that it is derived from that one, as nearly
/// all of US Core's do: it means the same, by the definition of `derivedFrom`.
fn repeats_standard(object: &Object) -> bool {
    let text = |name: &str| object.get_str(name).unwrap_or_default();
    let origin = text("derivedFrom").split('|').next().unwrap_or_default();
    let registry = Registry::standard();
    let is_it = |base: ResourceType| {
        let present = registry.parameter(base, text("code"));
        present.is_some_and(|present| present.url == origin && ParameterKind::parse(text("type")) == Some(present.kind))
    };
    let bases: Vec<ResourceType> = strings(object, "base").flat_map(bases).collect();
    !bases.is_empty() && bases.into_iter().all(is_it)
}

fn missing(name: &str) -> Invalid {
    Invalid::structure(name, format!("An active SearchParameter needs its `{name}`."))
}

/// A code stands in addresses, where `:` and `.` mean something, and names that begin with `_` are FHIR's own.
fn code(text: &str) -> Result<SmolStr> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(is_plain) {
        return Ok(text.into());
    }
    let message = "A code of letters, digits, '-' and '_' was expected, which begins with a letter or a digit.";
    Err(Invalid::structure("code", message))
}

fn kind(text: &str) -> Result<ParameterKind> {
    match ParameterKind::parse(text) {
        Some(ParameterKind::Special) => Err(Invalid::structure(
            "type",
            "What a parameter of the type special means cannot be defined by a resource.",
        )),
        Some(kind) => Ok(kind),
        None => Err(Invalid::structure("type", "This is no type of search parameter.")),
    }
}

fn all_bases(object: &Object) -> Result<Vec<ResourceType>> {
    let mut all = Vec::new();
    for (position, name) in strings(object, "base").enumerate() {
        let types = bases(name);
        if types.is_empty() {
            return Err(Invalid::structure(format!("base[{position}]"), "This is not one of R4's resource types."));
        }
        all.extend(types);
    }
    all.sort_unstable();
    all.dedup();
    if all.is_empty() { Err(missing("base")) } else { Ok(all) }
}

fn strings<'a>(object: &'a Object, name: &str) -> impl Iterator<Item = &'a str> {
    object.get(name).map(Json::items).unwrap_or_default().iter().filter_map(Json::as_str)
}

fn components(object: &Object) -> Result<Vec<(SmolStr, String)>> {
    let mut components = Vec::new();
    for (position, one) in object.get("component").map(Json::items).unwrap_or_default().iter().enumerate() {
        let text = |name: &'static str| {
            let found = one.as_object().and_then(|component| component.get_str(name));
            found.ok_or_else(|| missing_in(position, name))
        };
        // A canonical address may name a version; there is one of each parameter here.
        let url = text("definition")?.split('|').next().unwrap_or_default();
        components.push((url.into(), text("expression")?.to_owned()));
    }
    Ok(components)
}

fn missing_in(position: usize, name: &str) -> Invalid {
    Invalid::structure(format!("component[{position}].{name}"), format!("A component needs its `{name}`."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::json::parse;

    const EYES: &str = r#"{"resourceType":"SearchParameter","url":"http://example.org/eyes","status":"active","code":"eyes",
        "base":["Patient","Person"],"type":"token","expression":"Patient.extension.value"}"#;

    fn read_text(text: &str) -> Result<Option<CustomDefinition>> {
        read(&Resource::from_json(parse(text.as_bytes(), 20).unwrap()).unwrap())
    }

    #[test]
    fn an_active_search_parameter_is_a_definition() {
        let definition = read_text(EYES).unwrap().unwrap();
        assert_eq!((definition.code.as_str(), definition.kind), ("eyes", ParameterKind::Token));
        assert_eq!(definition.bases, ["Patient", "Person"].map(|name| ResourceType::parse(name).unwrap()));
    }

    #[test]
    fn what_is_not_active_or_has_no_expression_or_is_of_r4_adds_nothing() {
        for (from, to) in [
            ("active", "draft"),
            ("active", "retired"),
            ("\"expression\"", "\"xpath\""),
            ("http://example.org/eyes", "http://hl7.org/fhir/SearchParameter/Patient-active"),
        ] {
            assert_eq!(read_text(&EYES.replace(from, to)), Ok(None), "{to}");
        }
    }

    #[test]
    fn what_is_derived_from_a_parameter_of_r4_under_its_code_adds_nothing() {
        const DERIVED: &str = r#"{"resourceType":"SearchParameter","url":"http://example.org/birthdate","status":"active",
            "code":"birthdate","base":["Patient"],"type":"date","expression":"Patient.birthDate",
            "derivedFrom":"http://hl7.org/fhir/SearchParameter/individual-birthdate|4.0.1"}"#;
        let id = DERIVED
            .replace("individual-birthdate", "Resource-id")
            .replace("birthdate", "_id")
            .replace("\"date", "\"token");
        assert_eq!((read_text(DERIVED), read_text(&id)), (Ok(None), Ok(None)));
        for (from, to) in [
            ("\"birthdate\"", "\"born\""),
            ("\"date\"", "\"string\""),
            ("[\"Patient\"]", "[\"Patient\", \"Observation\"]"),
            ("individual-birthdate", "individual-family"),
        ] {
            assert!(read_text(&DERIVED.replace(from, to)).unwrap().is_some(), "{to}");
        }
    }

    #[test]
    fn what_is_missing_or_wrong_is_told_by_its_place() {
        for (from, to, place) in [
            ("\"url\"", "\"name\"", "url"),
            ("\"code\":\"eyes\"", "\"code\":\"a.b\"", "code"),
            ("\"code\":\"eyes\"", "\"code\":\"_sort\"", "code"),
            ("token", "special", "type"),
            ("token", "tokens", "type"),
            ("\"Person\"", "\"Persona\"", "base[1]"),
            ("\"base\"", "\"target\"", "base"),
            ("\"type\"", "\"component\":[{\"definition\":\"a\"}],\"type\"", "component[0].expression"),
        ] {
            assert_eq!(read_text(&EYES.replace(from, to)).unwrap_err().expression, place, "{to}");
        }
    }
}
