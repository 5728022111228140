//! `$summary`: the International Patient Summary of a patient, as a document. <http://hl7.org/fhir/uv/ips/STU1.1/>

mod composition;
mod narrative;
mod section;

use super::document::head;
use super::everything::own_patient;
use super::input::Input;
use super::related::{Following, STEPS_MAX, is_about, references, tree};
use super::walk::{Newest, code_keys, each_match};
use crate::auth::policy::Permission;
use crate::auth::sight::Sight;
use crate::error::{Error, Kind, Result};
use crate::fhir::bundle::BundleWriter;
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::{Compartment, Id};
use crate::fhir::json::{Json, Object};
use crate::fhir::resource::Resource;
use crate::interaction::audit::patients_of;
use crate::interaction::request::Request;
use crate::interaction::response::Response;
use crate::interaction::route::Level;
use crate::interaction::{Context, search};
use crate::search::query::Scope;
use crate::store::search::Hit;
use crate::store::{Reader, Stored, missing};
use composition::Made;
use section::{REQUIRED, SECTIONS, Section, section_of};
use std::collections::HashSet;

const BUNDLE_PROFILE: &str = "http://hl7.org/fhir/uv/ips/StructureDefinition/Bundle-uv-ips";
/// Entries of a section that is not required (resources): the newest.
const ENTRIES_MAX: usize = 50;

/// A resource of the summary.
pub struct Listed {
    pub stored: Stored,
    pub resource: Resource,
}

/// A section and what is in it.
pub struct Filled {
    pub section: &'static Section,
    pub listed: Vec<Listed>,
}

pub async fn answer(context: &Context, reader: Reader<'_>, request: &Request, level: &Level) -> Result<Response> {
    Input::read(context, request, &[])?;
    let id = match level {
        Level::Instance(_, id) => id.clone(),
        _ => own_patient(reader)?,
    };
    let of = ResourceType::PATIENT;
    let patient = reader.current(of, &id).await?.ok_or_else(|| missing(of))?;
    if patient.body.is_none() {
        return Err(Error::new(Kind::Gone, "This Patient was deleted. Its history has the versions before."));
    }
    demand_required(reader)?;
    let sections = fill(context, reader, request, &id).await?;
    let patient = Listed { resource: tree(&patient)?, stored: patient };
    let shared = shared(context, reader, &patient, &sections).await?;
    let entries = || std::iter::once(&patient).chain(sections.iter().flat_map(|filled| &filled.listed)).chain(&shared);
    let patients = patients_of(context, entries().map(|listed| &listed.stored));
    let made = Made::of(request, &patient, &sections, &shared);
    let profiles = Json::Array(vec![Json::string(BUNDLE_PROFILE)]);
    let mut head = head();
    head.set_at(1, "meta", Object::new().with("profile", profiles).into());
    let mut writer = BundleWriter::new(&head);
    writer.entry(Some(&made.urn), Some(&made.composition.to_bytes()), &Object::new());
    for listed in entries() {
        let full_url = format!("{}/{}/{}", request.base, listed.stored.resource_type, listed.stored.id);
        writer.entry(Some(&full_url), listed.stored.body.as_deref(), &Object::new());
    }
    for (urn, resource) in &made.further {
        writer.entry(Some(urn), Some(&resource.to_bytes()), &Object::new());
    }
    Ok(Response { patients, ..Response::of_body(200, writer.finish()) })
}

/// A summary that left the allergies out because its reader may not see them would be a dangerous one.
fn demand_required(reader: Reader<'_>) -> Result<()> {
    for names in REQUIRED {
        let types = names.iter().filter_map(|name| ResourceType::parse(name));
        let is_closed = |of: ResourceType| reader.grant().sight(Permission::Search, of) == Sight::None;
        if types.into_iter().all(is_closed) {
            let message =
                format!("A summary tells of {}, which this account or client may not search for.", names.join(" and "));
            return Err(Error::forbidden(message));
        }
    }
    Ok(())
}

async fn fill(context: &Context, reader: Reader<'_>, request: &Request, patient: &Id) -> Result<Vec<Filled>> {
    let mut sections: Vec<Filled> = SECTIONS.iter().map(|section| Filled { section, listed: Vec::new() }).collect();
    let base = context.own_base.as_deref();
    let mut types: Vec<ResourceType> =
        SECTIONS.iter().flat_map(|section| section.types).filter_map(|name| ResourceType::parse(name)).collect();
    types.retain(|of| *of != ResourceType::OBSERVATION);
    types.sort_unstable();
    types.dedup();
    let scope = Scope::Compartment { compartment: ResourceType::PATIENT, id: patient.clone(), inner: None };
    let conditions = search::read(context, &scope, &[], true, Some(&request.base))?.clauses;
    let mut put = |hit: Hit| {
        let resource = tree(&hit.stored)?;
        let place = section_of(&resource).and_then(|place| sections.get_mut(place));
        if let Some(filled) = place.filter(|_| is_about(&resource, &hit.stored, patient, base)) {
            let is_full = filled.section.absent.is_none() && filled.listed.len() >= ENTRIES_MAX;
            if !is_full {
                filled.listed.push(Listed { resource, stored: hit.stored });
            }
        }
        Ok(())
    };
    each_match(reader, &types, &conditions, &mut put).await?;
    for hit in observations(context, reader, request, patient).await? {
        put(hit)?;
    }
    Ok(sections)
}

/// The newest Observation of each code.
async fn observations(context: &Context, reader: Reader<'_>, request: &Request, patient: &Id) -> Result<Vec<Hit>> {
    let of = ResourceType::OBSERVATION;
    if reader.grant().sight(Permission::Search, of) == Sight::None {
        return Ok(Vec::new());
    }
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let parameters = [pair("patient", patient.as_str()), pair("category", section::CATEGORIES)];
    let query = search::read(context, &Scope::Type(of), &parameters, true, Some(&request.base))?;
    let mut newest = Newest::new(1);
    each_match(reader, &query.types, &query.clauses, |hit| {
        let resource = tree(&hit.stored)?;
        if section_of(&resource).is_some() {
            newest.take(&code_keys(resource.object().get("code")), None, hit);
        }
        Ok(())
    })
    .await?;
    Ok(newest.finish())
}

/// What these refer to: the medications, practitioners and organizations that a reader needs beside them.
async fn shared(context: &Context, reader: Reader<'_>, patient: &Listed, sections: &[Filled]) -> Result<Vec<Listed>> {
    let home: Compartment = patient.stored.compartment.clone();
    let listed = || std::iter::once(patient).chain(sections.iter().flat_map(|filled| &filled.listed));
    let base = context.own_base.as_deref();
    let leads = listed().flat_map(|one| references(one.resource.json(), base)).collect();
    let seen: HashSet<_> = listed().map(|one| (one.stored.resource_type, one.stored.id.clone())).collect();
    let mut following = Following { context, reader, home: &home, mates: 1, steps: STEPS_MAX, seen };
    let shared = following.follow(leads).await?;
    shared.into_iter().map(|stored| Ok(Listed { resource: tree(&stored)?, stored })).collect()
}
