//! A resource as checked JSON: its type is known, its id and meta have the right shape. <https://hl7.org/fhir/R4/resource.html>

use super::definitions::{ResourceType, patient_compartment_paths};
use super::id::{Compartment, Id, VersionId};
use super::instant::to_instant;
use super::invalid::{Invalid, Result};
use super::json::{Json, Object, Parser};
use super::reference::Target;
use chrono::{DateTime, Utc};
use std::ops::Range;

/// JSON that is a resource of a known type.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    resource_type: ResourceType,
    /// Always an object.
    json: Json,
}

static NOTHING: Object = Object::new();

/// Where a resource belongs: one home, and the further patients in whose compartments it also is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Residence {
    pub home: Compartment,
    pub members: Vec<Id>,
}

impl Resource {
    /// Reads a resource from a span of a text; faults tell line and column of the whole text, and a place relative to
    /// the resource.
    pub fn read(text: &[u8], span: Range<usize>, depth_max: usize) -> Result<Resource> {
        let text = text.get(..span.end).unwrap_or(text);
        let mut parser = Parser::at(text, span.start, depth_max);
        let json = parser.value()?;
        parser.end()?;
        Resource::from_json(json)
    }

    pub fn from_json(json: Json) -> Result<Resource> {
        let kind = json.kind();
        let Json::Object(object) = &json else {
            return Err(Invalid::structure("", format!("A resource is a JSON object; this is {kind}.")));
        };
        let resource_type = match object.get("resourceType") {
            Some(Json::String(name)) => ResourceType::parse(name).ok_or_else(|| {
                Invalid::structure(
                    "resourceType",
                    "This is not one of R4's resource types. <https://hl7.org/fhir/R4/resourcelist.html>",
                )
            })?,
            Some(_) => return Err(Invalid::structure("resourceType", "A resource type is a string.")),
            None => return Err(Invalid::structure("resourceType", "A resource says its type in `resourceType`.")),
        };
        if object.get("meta").is_some_and(|meta| meta.as_object().is_none()) {
            return Err(Invalid::structure("meta", "`meta` is an object."));
        }
        Ok(Resource { resource_type, json })
    }

    pub fn resource_type(&self) -> ResourceType {
        self.resource_type
    }

    pub fn json(&self) -> &Json {
        &self.json
    }

    pub fn into_json(self) -> Json {
        self.json
    }

    pub fn object(&self) -> &Object {
        self.json.as_object().unwrap_or(&NOTHING)
    }

    pub fn object_mut(&mut self) -> Option<&mut Object> {
        match &mut self.json {
            Json::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The id that the body names, if it names one.
    pub fn id(&self) -> Result<Option<Id>> {
        match self.object().get("id") {
            None => Ok(None),
            Some(Json::String(text)) => match Id::parse(text) {
                Ok(id) => Ok(Some(id)),
                Err(invalid) => Err(Invalid { expression: "id".to_owned(), ..invalid }),
            },
            Some(_) => Err(Invalid::structure("id", "An id is a string.")),
        }
    }

    /// Writes what the server owns: id, version and time. All else, and the order of it, stays.
    pub fn stamp(&mut self, id: &Id, version: VersionId, last_updated: DateTime<Utc>) {
        let Some(object) = self.object_mut() else { return };
        let after_type = object.position("resourceType").map_or(0, |position| position + 1);
        object.set_at(after_type, "id", Json::string(id.as_str()));
        let after_id = object.position("id").map_or(0, |position| position + 1);
        if object.get("meta").is_none() {
            object.set_at(after_id, "meta", Json::Object(Object::new()));
        }
        if let Some(Json::Object(meta)) = object.get_mut("meta") {
            meta.set_at(0, "versionId", Json::string(version.to_string()));
            meta.set_at(1, "lastUpdated", Json::string(to_instant(last_updated)));
        }
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        self.object().to_bytes()
    }

    /// The texts of the references that can put this resource into a patient's compartment, in the definition's order.
    pub fn patient_references(&self) -> Vec<&str> {
        let mut references = Vec::new();
        for path in patient_compartment_paths(self.resource_type) {
            collect_references(self.object(), path, &mut references);
        }
        references
    }

    /// The texts of the references at these paths.
    pub fn references_at<'p>(&self, paths: impl Iterator<Item = &'p [&'p str]>) -> Vec<&str> {
        let mut references = Vec::new();
        paths.for_each(|path| collect_references(self.object(), path, &mut references));
        references
    }

    /// The patients whose compartments hold this resource, first the one that is its home. `base`: this server's own
    /// address, when it is configured.
    pub fn patients(&self, base: Option<&str>) -> Vec<Id> {
        let mut patients = Vec::new();
        for text in self.patient_references() {
            if let Target::Local { resource_type: ResourceType::PATIENT, id, .. } = Target::parse(text, base)
                && !patients.contains(&id)
            {
                patients.push(id);
            }
        }
        patients
    }

    /// Where this resource belongs once it has its id.
    pub fn residence(&self, id: &Id, base: Option<&str>) -> Residence {
        let mut patients = self.patients(base);
        if self.resource_type == ResourceType::PATIENT {
            // A patient is the home of its own compartment; links to other patients make it a member of theirs.
            patients.retain(|linked| linked != id);
            return Residence { home: Compartment::of_patient(id), members: patients };
        }
        if patients.is_empty() {
            return Residence { home: Compartment::alone(self.resource_type, id), members: Vec::new() };
        }
        let home = Compartment::of_patient(&patients.remove(0));
        Residence { home, members: patients }
    }

    /// The business identifiers at the top of the resource, as (system, value); the system is empty when there is none.
    pub fn identifiers(&self) -> Vec<(&str, &str)> {
        let Some(identifier) = self.object().get("identifier") else { return Vec::new() };
        let objects = identifier.items().iter().filter_map(Json::as_object);
        let mut identifiers: Vec<(&str, &str)> = objects
            .filter_map(|one| Some((one.get_str("system").unwrap_or_default(), one.get_str("value")?)))
            .collect();
        identifiers.sort_unstable();
        identifiers.dedup();
        identifiers
    }
}

/// Follows a path of element names, through lists, to References, and collects their texts.
fn collect_references<'a>(object: &'a Object, path: &[&str], references: &mut Vec<&'a str>) {
    let Some((name, rest)) = path.split_first() else {
        references.extend(object.get_str("reference"));
        return;
    };
    for item in object.get(name).map(Json::items).unwrap_or_default() {
        if let Json::Object(inner) = item {
            collect_references(inner, rest, references);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::json::parse;
    use super::*;

    fn resource(text: &str) -> Resource {
        Resource::from_json(parse(text.as_bytes(), 64).unwrap()).unwrap()
    }

    fn id(text: &str) -> Id {
        Id::parse(text).unwrap()
    }

    #[test]
    fn the_server_writes_id_version_and_time_and_leaves_the_rest_in_place() {
        let time = super::super::instant::Interval::parse("2026-11-22T08:00:00.5Z").unwrap().start;
        let mut fresh = resource(r#"{"resourceType":"Basic","code":{}}"#);
        fresh.stamp(&id("a"), VersionId(1), time);
        let expected = r#"{"resourceType":"Basic","id":"a","meta":{"versionId":"1","lastUpdated":"2026-11-22T08:00:00.500Z"},"code":{}}"#;
        assert_eq!(String::from_utf8(fresh.to_bytes()).unwrap(), expected);
        let mut old = resource(r#"{"id":"x","meta":{"tag":[],"versionId":"9"},"resourceType":"Basic"}"#);
        old.stamp(&id("b"), VersionId(2), time);
        let expected = r#"{"id":"b","meta":{"tag":[],"lastUpdated":"2026-11-22T08:00:00.500Z","versionId":"2"},"resourceType":"Basic"}"#;
        assert_eq!(String::from_utf8(old.to_bytes()).unwrap(), expected);
    }

    #[test]
    fn the_home_is_the_subject_and_further_patients_are_members() {
        let appointment = resource(
            r#"{"resourceType":"Appointment","participant":[{"actor":{"reference":"Practitioner/d"}},
                {"actor":{"reference":"Patient/p"}},{"actor":{"reference":"Patient/q"}},{"actor":{"reference":"Patient/p"}}]}"#,
        );
        let residence = appointment.residence(&id("a"), None);
        assert_eq!(residence.home.as_str(), "p");
        assert_eq!(residence.members, [id("q")]);
        let observation = r#"{"resourceType":"Observation","performer":[{"reference":"Patient/q"}],"subject":{"reference":"Patient/p"}}"#;
        assert_eq!(resource(observation).residence(&id("o"), None).home.as_str(), "p");
    }

    #[test]
    fn what_names_no_patient_lives_by_itself_and_a_patient_is_its_own_home() {
        let lone = resource(r#"{"resourceType":"Observation","subject":{"reference":"Group/g"}}"#);
        assert_eq!(lone.residence(&id("o"), None).home.as_str(), "Observation/o");
        let patient = resource(
            r#"{"resourceType":"Patient","link":[{"other":{"reference":"Patient/q"}},{"other":{"reference":"Patient/p"}}]}"#,
        );
        let residence = patient.residence(&id("p"), None);
        assert_eq!((residence.home.as_str(), residence.members), ("p", vec![id("q")]));
    }

    #[test]
    fn what_is_no_resource_is_refused_with_its_place() {
        for (text, place) in [
            ("[]", ""),
            ("{}", "resourceType"),
            (r#"{"resourceType":7}"#, "resourceType"),
            (r#"{"resourceType":"Pacient"}"#, "resourceType"),
            (r#"{"resourceType":"Patient","meta":[]}"#, "meta"),
        ] {
            let refused = Resource::from_json(parse(text.as_bytes(), 64).unwrap()).unwrap_err();
            assert_eq!(refused.expression, place, "{text}");
        }
        assert_eq!(resource(r#"{"resourceType":"Patient","id":7}"#).id().unwrap_err().expression, "id");
        assert_eq!(resource(r#"{"resourceType":"Patient","id":"a b"}"#).id().unwrap_err().expression, "id");
    }
}
