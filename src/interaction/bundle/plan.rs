//! Planning a transaction: what each entry does, what it will be called, and where it will live.

use super::super::request::Request;
use super::super::route::Interaction;
use super::super::write::{BUILDS_BETWEEN_YIELDS, Change, Intent};
use super::super::{Context, update};
use super::conditional::{self, Conditionals, is_conditional};
use super::entry_request;
use super::links::Links;
use super::rewrite::{each_reference, rewrite};
use crate::error::{Error, Result};
use crate::fhir::bundle::{Bundle, Entry};
use crate::fhir::definitions::{ResourceType, in_patient_compartment};
use crate::fhir::id::{Compartment, Id};
use crate::fhir::reference::Target;
use crate::fhir::resource::Resource;
use crate::store::Reader;
use std::collections::HashMap;
use std::ops::Range;

/// A transaction, ready to be written.
pub struct Plan<'a> {
    pub steps: Vec<Step<'a>>,
    pub links: Links,
    depth_max: usize,
    text: &'a [u8],
}

/// One entry of it.
pub struct Step<'a> {
    pub request: Request,
    pub full_url: Option<&'a str>,
    resource: Option<Range<usize>>,
    /// The id that it will have here; `None` for an entry that only reads.
    pub id: Option<Id>,
    body_id: Option<Id>,
    /// Texts of the references that decide its compartment.
    patients: Vec<String>,
}

/// `Bundle.entry[3]`.
pub fn place(position: usize) -> String {
    format!("Bundle.entry[{position}]")
}

impl<'a> Plan<'a> {
    /// Reads every entry once, gives the ids, patients first, and resolves the conditional references.
    pub async fn make(
        context: &Context,
        reader: Reader<'_>,
        outer: &'a Request,
        bundle: &'a Bundle,
    ) -> Result<Plan<'a>> {
        let depth_max = context.limits.json_depth_max;
        let mut plan = Plan { steps: Vec::new(), links: Links::default(), depth_max, text: &outer.body };
        let mut conditionals = Conditionals::new();
        for (position, entry) in bundle.entries.iter().enumerate() {
            if position % BUILDS_BETWEEN_YIELDS == BUILDS_BETWEEN_YIELDS - 1 {
                tokio::task::yield_now().await;
            }
            let step = plan.survey(outer, entry, position, &mut conditionals);
            plan.steps.push(step.map_err(|error| error.within(&place(position)))?);
        }
        conditional::resolve(reader, &conditionals, &mut plan.links).await?;
        plan.name_entries(context)?;
        plan.refuse_two_of_one()?;
        Ok(plan)
    }

    /// Reads an entry's request and what of its resource decides the plan.
    fn survey(
        &self,
        outer: &Request,
        entry: &'a Entry,
        position: usize,
        conditionals: &mut Conditionals,
    ) -> Result<Step<'a>> {
        let request = entry_request(outer, entry)?;
        request.conditions.refuse_if_none_exist().map_err(|error| error.at("request.ifNoneExist"))?;
        let mut step = Step {
            full_url: entry.full_url.as_deref(),
            resource: None,
            id: None,
            body_id: None,
            patients: Vec::new(),
            request,
        };
        match &step.request.interaction {
            Interaction::Bundle => {
                return Err(Error::invalid("A Bundle cannot be an entry's request.").at("request.url"));
            }
            Interaction::Update(_, id) | Interaction::Delete(_, id) => step.id = Some(id.clone()),
            _ => {}
        }
        let (Interaction::Create(resource_type) | Interaction::Update(resource_type, _)) = step.request.interaction
        else {
            return Ok(step);
        };
        step.resource.clone_from(&entry.resource);
        let resource = self.read(&step, resource_type)?;
        step.body_id = match &step.request.interaction {
            Interaction::Update(_, id) => {
                update::check_id(&resource, id).map_err(|error| error.within("resource"))?;
                None
            }
            // The id of a resource that is created is ignored, whatever it is; it may still be referred to.
            _ => resource.id().unwrap_or_default(),
        };
        step.patients = resource.patient_references().into_iter().map(str::to_owned).collect();
        each_reference(&resource, &mut |text| {
            if is_conditional(text) {
                conditionals.entry(text.to_owned()).or_insert_with(|| place(position));
            }
        });
        Ok(step)
    }

    fn read(&self, step: &Step<'_>, resource_type: ResourceType) -> Result<Resource> {
        let span = step.resource.clone().unwrap_or_default();
        let resource = Resource::read(self.text, span, self.depth_max).map_err(Error::from);
        let resource = resource.map_err(|error| error.within("resource"))?;
        if resource.resource_type() == resource_type {
            return Ok(resource);
        }
        let message = format!("The request says {resource_type}, the resource says {}.", resource.resource_type());
        Err(Error::invalid(message).at("resource.resourceType"))
    }

    /// Gives each created resource its id: patients first, then all whose patient is known by then.
    fn name_entries(&mut self, context: &Context) -> Result<()> {
        for patients in [true, false] {
            for position in 0..self.steps.len() {
                self.name_entry(context, position, patients).map_err(|error| error.within(&place(position)))?;
            }
        }
        Ok(())
    }

    fn name_entry(&mut self, context: &Context, position: usize, patients: bool) -> Result<()> {
        let Some(step) = self.steps.get_mut(position) else { return Ok(()) };
        let (Interaction::Create(resource_type) | Interaction::Update(resource_type, _)) = step.request.interaction
        else {
            return Ok(());
        };
        if (resource_type == ResourceType::PATIENT) != patients {
            return Ok(());
        }
        let id = match &step.id {
            Some(id) => id.clone(),
            None => {
                let patient = if in_patient_compartment(resource_type) && !patients {
                    let base = context.own_base.as_deref();

                    step.patients.iter().find_map(|text| patient_of(&self.links, text, step.full_url, base))
                } else {
                    None
                };
                context.minter.id(resource_type, patient.as_ref())
            }
        };
        step.id = Some(id.clone());
        if let Some(url) = step.full_url.filter(|url| self.links.has_full_url(url)) {
            return Err(Error::invalid(format!("Another entry has this fullUrl, too: {url}")).at("fullUrl"));
        }
        self.links.add(step.full_url, step.body_id.as_ref(), resource_type, &id);
        Ok(())
    }

    /// A transaction may touch each resource once.
    fn refuse_two_of_one(&self) -> Result<()> {
        let mut seen: HashMap<(ResourceType, &Id), usize> = HashMap::new();
        for (position, step) in self.steps.iter().enumerate() {
            let (Some(id), Some(resource_type)) = (&step.id, step.request.interaction.resource_type()) else {
                continue;
            };
            if let Some(first) = seen.insert((resource_type, id), position) {
                let message =
                    format!("{} writes this resource, too; a transaction may write each resource once.", place(first));
                return Err(Error::invalid(message).at(place(position)));
            }
        }
        Ok(())
    }

    /// The resource of a step, with its links rewritten.
    pub fn resource(&self, position: usize) -> Result<Resource> {
        let read = || {
            let step = self.steps.get(position).ok_or_else(|| Error::internal("a step is missing"))?;
            let resource_type = step.request.interaction.resource_type();
            let resource_type =
                resource_type.ok_or_else(|| Error::internal("a step without a type has no resource"))?;
            let mut resource = self.read(step, resource_type)?;
            rewrite(&mut resource, &self.links, step.full_url).map_err(|error| error.within("resource"))?;
            Ok(resource)
        };
        read().map_err(|error: Error| error.within(&place(position)))
    }

    /// The writes of the plan in the order of R4's rules (DELETE, POST, PUT), each with its entry's position.
    pub fn changes(&self, context: &Context) -> Result<Vec<(usize, Change)>> {
        let mut changes = Vec::new();
        for (position, step) in self.steps.iter().enumerate() {
            let Some(id) = step.id.clone() else { continue };
            let change = self.change(context, step, id, position).map_err(|error| error.within(&place(position)))?;
            changes.extend(change.map(|change| (position, change)));
        }
        changes.sort_by_key(|(_, change)| match change.intent {
            Intent::Delete => 0,
            Intent::Create => 1,
            Intent::Put => 2,
        });
        Ok(changes)
    }

    fn change(&self, context: &Context, step: &Step<'_>, id: Id, position: usize) -> Result<Option<Change>> {
        let (resource_type, intent) = match step.request.interaction {
            Interaction::Create(resource_type) => (resource_type, Intent::Create),
            Interaction::Update(resource_type, _) => (resource_type, Intent::Put),
            Interaction::Delete(resource_type, _) => (resource_type, Intent::Delete),
            _ => return Ok(None),
        };
        let base = context.own_base.as_deref();
        let patient = || step.patients.iter().find_map(|text| patient_of(&self.links, text, step.full_url, base));
        let home = match intent {
            Intent::Delete => None,
            _ if resource_type == ResourceType::PATIENT => Some(Compartment::of_patient(&id)),
            _ => {
                Some(patient().map_or_else(|| Compartment::alone(resource_type, &id), |p| Compartment::of_patient(&p)))
            }
        };
        let mut change = Change::new(resource_type, id, intent, home);
        // A condition of a POST could only be If-None-Exist, which was refused.
        if intent != Intent::Create {
            change.precondition = step.request.conditions.precondition()?;
        }
        change.place = Some(place(position));
        Ok(Some(change))
    }
}

/// The patient that a reference leads to: an entry, what a search found, or one on the server.
fn patient_of(links: &Links, text: &str, from: Option<&str>, base: Option<&str>) -> Option<Id> {
    if let Some((resource_type, id)) = links.target(text, from) {
        return (*resource_type == ResourceType::PATIENT).then(|| id.clone());
    }
    match Target::parse(text, base) {
        Target::Local { resource_type: ResourceType::PATIENT, id, .. } => Some(id),
        _ => None,
    }
}
