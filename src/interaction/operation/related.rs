//! What belongs to a patient's record, and the resources that it refers to, in bounded steps.

use crate::auth::membership::subject_parameters;
use crate::error::{Error, Kind, Result};
use crate::fhir::definitions::{ResourceType, in_patient_compartment, patient_paths_of};
use crate::fhir::id::{Compartment, Id};
use crate::fhir::json::Json;
use crate::fhir::reference::Target;
use crate::fhir::resource::Resource;
use crate::interaction::Context;
use crate::interaction::audit::refers_to_others;
use crate::store::{Reader, Stored};
use std::collections::HashSet;

/// References that are followed one after the other (steps): from a prescription to a PractitionerRole, to its
/// Organization, to that one's Endpoint.
pub const STEPS_MAX: usize = 4;

/// The stored version as a tree.
pub fn tree(stored: &Stored) -> Result<Resource> {
    let body = stored.body.as_deref().unwrap_or_default();
    Resource::read(body, 0..body.len(), usize::MAX).map_err(Error::internal)
}

/// The resources on this server that a resource refers to, wherever in it, each once and in order; a Binary also by the
/// address of an attachment.
pub fn references(json: &Json, base: Option<&str>) -> Vec<(ResourceType, Id)> {
    let mut found = Vec::new();
    collect(json, base, &mut found);
    let mut seen = HashSet::new();
    found.retain(|one| seen.insert(one.clone()));
    found
}

fn collect(json: &Json, base: Option<&str>, found: &mut Vec<(ResourceType, Id)>) {
    match json {
        Json::Array(items) => items.iter().for_each(|item| collect(item, base, found)),
        Json::Object(object) => {
            for (name, value) in object.iter() {
                let target = match (name, value) {
                    ("reference" | "url", Json::String(text)) => Target::parse(text, base),
                    (_, Json::Array(_) | Json::Object(_)) => {
                        collect(value, base, found);
                        continue;
                    }
                    _ => continue,
                };
                if let Target::Local { resource_type, id, .. } = target
                    && (name == "reference" || resource_type == ResourceType::BINARY)
                {
                    found.push((resource_type, id));
                }
            }
        }
        _ => {}
    }
}

/// Whether a resource of the patient's compartment is about this patient, and not about somebody whose blood pressure the
/// patient measured or whose bill the patient pays (docs/decisions/0022-operations.md).
pub fn is_about(resource: &Resource, stored: &Stored, patient: &Id, base: Option<&str>) -> bool {
    if stored.resource_type == ResourceType::PATIENT {
        return stored.id == *patient;
    }
    let codes: Vec<&'static str> = subject_parameters(stored.resource_type).collect();
    let subjects = resource.references_at(patient_paths_of(stored.resource_type, &codes));
    let is_patient = |text: &str| match Target::parse(text, base) {
        Target::Local { resource_type: ResourceType::PATIENT, id, .. } => id == *patient,
        _ => false,
    };
    match subjects.as_slice() {
        [] => stored.compartment == Compartment::of_patient(patient),
        subjects => subjects.iter().any(|text| is_patient(text)),
    }
}

/// Follows references from a record to what is shared by all: practitioners, organizations, medications. Another
/// patient's record is never entered.
pub struct Following<'a> {
    pub context: &'a Context,
    pub reader: Reader<'a>,
    /// The record that the references come from.
    pub home: &'a Compartment,
    /// So many steps lead to what else is in the record, too.
    pub mates: usize,
    /// References that are followed one after the other (steps).
    pub steps: usize,
    /// What was met already.
    pub seen: HashSet<(ResourceType, Id)>,
}

impl Following<'_> {
    /// What these lead to, and what that leads to.
    ///
    /// # Errors
    /// 400 where more resources would go along than `BRASA_INCLUDED_MAX`.
    pub async fn follow(&mut self, from: Vec<(ResourceType, Id)>) -> Result<Vec<Stored>> {
        let (mut found, mut wanted) = (Vec::new(), from);
        for step in 0..self.steps {
            let mates = step < self.mates;
            wanted.retain(|one| leads(one.0, mates) && self.seen.insert(one.clone()));
            self.check(found.len() + wanted.len())?;
            if wanted.is_empty() {
                break;
            }
            let beside = std::slice::from_ref(self.home);
            let fetched = self.reader.resources(&wanted, if mates { beside } else { &[] }).await?;
            wanted = Vec::new();
            for stored in fetched.into_iter().filter(|stored| self.may_go_along(stored)) {
                wanted.extend(references(tree(&stored)?.json(), self.context.own_base.as_deref()));
                found.push(stored);
            }
        }
        Ok(found)
    }

    /// A shared type may still hold something of one patient: a device of hers, a document about him.
    fn may_go_along(&self, stored: &Stored) -> bool {
        if in_patient_compartment(stored.resource_type) {
            return stored.compartment == *self.home;
        }
        !refers_to_others(stored.body.as_deref().unwrap_or_default(), self.home.patient().as_ref())
    }

    fn check(&self, count: usize) -> Result<()> {
        let max = self.context.limits.included_max;
        if count <= max {
            return Ok(());
        }
        let message = format!("More than {max} resources would go along. Ask for fewer at once with '_count'.");
        Err(Error::new(Kind::TooCostly, message).at("_count"))
    }
}

fn leads(resource_type: ResourceType, mates: bool) -> bool {
    resource_type != ResourceType::AUDIT_EVENT && (mates || !in_patient_compartment(resource_type))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::json::parse;

    #[test]
    fn references_are_found_anywhere_and_attachments_lead_to_binaries_only() {
        let text =
            br##"{"resourceType":"DocumentReference","url":"Patient/x","author":[{"reference":"Practitioner/d"}],
            "content":[{"attachment":{"url":"Binary/b"}},{"attachment":{"url":"http://here/Binary/c"}}],
            "extension":[{"url":"urn:x","valueReference":{"reference":"Practitioner/d"}}],
            "contained":[{"owner":{"reference":"#a"}},{"owner":{"reference":"http://there/Patient/q"}}]}"##;
        let found = references(&parse(text, 64).unwrap(), Some("http://here"));
        let found: Vec<String> = found.iter().map(|(of, id)| format!("{of}/{id}")).collect();
        assert_eq!(found, ["Practitioner/d", "Binary/b", "Binary/c"]);
    }
}
