//! Planning a transaction: what each entry does, what it will be called, and where it will live.

use super::super::conditional::Criterion;
use super::super::request::Request;
use super::super::response::Response;
use super::super::route::Interaction;
use super::super::write::{BUILDS_BETWEEN_YIELDS, Change, Intent};
use super::super::{Context, Limits, patch, update};
use super::conditional::{self, Conditionals, Own, Searching, is_conditional};
use super::links::Links;
use super::patches;
use super::rewrite::{each_reference, path_to_reference, rewrite};
use super::settle::criterion;
use super::{asks_for_head, entry_request};
use crate::error::{Error, Kind, Result};
use crate::fhir::bundle::{Bundle, Entry};
use crate::fhir::definitions::{ResourceType, in_patient_compartment};
use crate::fhir::id::{Compartment, Id};
use crate::fhir::reference::Target;
use crate::fhir::resource::Resource;
use crate::search::clause::Clause;
use crate::search::evaluate::{Fact, World, matches};
use crate::store::{Identifier, Reader};
use std::collections::HashMap;
use std::ops::Range;

/// A transaction, ready to be written.
pub struct Plan<'a> {
    pub steps: Vec<Step<'a>>,
    pub links: Links,
    limits: Limits,
    text: &'a [u8],
    conditionals: Conditionals,
    base: &'a str,
}

/// One entry of it.
pub struct Step<'a> {
    pub request: Request,
    pub full_url: Option<&'a str>,
    resource: Option<Range<usize>>,
    /// The id that it will have here; `None` for an entry that only reads.
    pub id: Option<Id>,
    pub body_id: Option<Id>,
    /// Texts of the references that decide its compartment.
    patients: Vec<String>,
    /// System and value of the identifiers by which a conditional reference may find it.
    identifiers: Vec<(String, String)>,
    /// What it reads is answered without a body.
    pub is_head: bool,
    /// What a conditional entry depends on.
    pub criterion: Option<Criterion>,
    /// Its answer, when its criterion left nothing to do.
    pub settled: Option<Response>,
    /// What a conditional delete deletes besides `id`.
    pub further: Vec<Id>,
}

impl Step<'_> {
    /// It is answered by reading, after all writes.
    pub fn reads(&self) -> bool {
        self.id.is_none() && self.settled.is_none()
    }
}

/// `Bundle.entry[3]`.
pub fn place(position: usize) -> String {
    format!("Bundle.entry[{position}]")
}

impl<'a> Plan<'a> {
    /// Reads every entry once.
    pub async fn read_entries(context: &Context, outer: &'a Request, bundle: &'a Bundle) -> Result<Plan<'a>> {
        let mut conditionals = Conditionals::new();
        let mut plan = Plan {
            steps: Vec::new(),
            links: Links::default(),
            limits: context.limits,
            text: &outer.body,
            conditionals: Conditionals::new(),
            base: &outer.base,
        };
        for (position, entry) in bundle.entries.iter().enumerate() {
            if position % BUILDS_BETWEEN_YIELDS == BUILDS_BETWEEN_YIELDS - 1 {
                tokio::task::yield_now().await;
            }
            let step = plan.survey(outer, entry, position, &mut conditionals);
            plan.steps.push(step.map_err(|error| error.within(&place(position)))?);
        }
        plan.conditionals = conditionals;
        Ok(plan)
    }

    /// Settles the conditional entries, gives the ids, patients first, and resolves the conditional references.
    pub async fn complete(&mut self, context: &Context, reader: Reader<'_>) -> Result<()> {
        self.settle(context, reader).await?;
        // What stands alone is named first: conditional references may find it, and the rest may be in its compartment.
        self.name_entries(context, true)?;
        let own = self.own();
        let base = self.base;
        let matching = |resource_type, conditions: &[Clause]| self.matching(context, resource_type, conditions);
        let searching = Searching { context, reader, base, own: &own, matching: &matching };
        for (text, resource_type, id) in conditional::resolve(&searching, &self.conditionals).await? {
            self.links.add_found(&text, resource_type, id);
        }
        self.name_entries(context, false)?;
        self.refuse_two_of_one()
    }

    /// Reads an entry's request and what of its resource decides the plan.
    fn survey(
        &self,
        outer: &Request,
        entry: &'a Entry,
        position: usize,
        conditionals: &mut Conditionals,
    ) -> Result<Step<'a>> {
        let request = entry_request(outer, entry).map_err(|error| match error.kind {
            // Said of the Bundle's own address, 405 would be untrue.
            Kind::MethodNotAllowed => Error { kind: Kind::Invalid, ..error },
            _ => error,
        })?;
        let mut step = Step {
            full_url: entry.full_url.as_deref(),
            resource: None,
            id: None,
            body_id: None,
            patients: Vec::new(),
            identifiers: Vec::new(),
            is_head: asks_for_head(entry),
            request,
            criterion: None,
            settled: None,
            further: Vec::new(),
        };
        step.criterion = criterion(&step)?;
        match &step.request.interaction {
            Interaction::Update(_, id) | Interaction::Delete(_, id) => step.id = Some(id.clone()),
            Interaction::Patch(..) | Interaction::ConditionalPatch(_) => {
                if let Interaction::Patch(_, id) = &step.request.interaction {
                    step.id = Some(id.clone());
                }
                let patch = patch::read(&self.limits, &step.request.body)?;
                patches::note_conditionals(&patch, &place(position), conditionals);
            }
            _ => {}
        }
        let (Interaction::Create(resource_type)
        | Interaction::Update(resource_type, _)
        | Interaction::ConditionalUpdate(resource_type)) = step.request.interaction
        else {
            return Ok(step);
        };
        step.resource.clone_from(&entry.resource);
        let resource = self.read(&step, resource_type)?;
        crate::interaction::check(self.limits.validation, &resource, "").map_err(|error| error.within("resource"))?;
        step.body_id = match &step.request.interaction {
            Interaction::Update(_, id) => {
                update::check_id(&resource, id).map_err(|error| error.within("resource"))?;
                None
            }
            // The id of a resource that is created is ignored, whatever it is; it may still be referred to.
            _ => resource.id().unwrap_or_default(),
        };
        step.patients = resource.patient_references().into_iter().map(str::to_owned).collect();
        if Identifier::is_kept_for(resource_type) {
            let own = |(system, value): (&str, &str)| (system.to_owned(), value.to_owned());
            step.identifiers = resource.identifiers().into_iter().map(own).collect();
        }
        each_reference(&resource, &mut |text, path| {
            if is_conditional(text) {
                let at = || format!("{}.resource.{}", place(position), path_to_reference(path));
                conditionals.entry(text.to_owned()).or_insert_with(at);
            }
        });
        Ok(step)
    }

    fn read(&self, step: &Step<'_>, resource_type: ResourceType) -> Result<Resource> {
        let span = step.resource.clone().unwrap_or_default();
        let resource = Resource::read(self.text, span, self.limits.json_depth_max).map_err(Error::from);
        let resource = resource.map_err(|error| error.within("resource"))?;
        if resource.resource_type() == resource_type {
            return Ok(resource);
        }
        let message = format!("The request says {resource_type}, the resource says {}.", resource.resource_type());
        Err(Error::invalid(message).at("resource.resourceType"))
    }

    /// What the Bundle does to the resources that conditional references can find.
    fn own(&self) -> Own {
        let mut own = Own::default();
        for step in &self.steps {
            let (Some(id), Some(resource_type)) = (&step.id, step.request.interaction.resource_type()) else {
                continue;
            };
            own.write(resource_type, id, &step.identifiers);
            // What a patch does to identifiers is not known yet: what was stored counts.
            if !matches!(step.request.interaction, Interaction::Create(_) | Interaction::Patch(..)) {
                own.touch(resource_type, id);
            }
        }
        own
    }

    /// The Bundle's own resources of a type that meet conditions.
    fn matching(&self, context: &Context, resource_type: ResourceType, conditions: &[Clause]) -> Result<Vec<Id>> {
        let (registry, mut found) = (context.registry(), Vec::new());
        for (position, step) in self.steps.iter().enumerate() {
            let writes = matches!(step.request.interaction, Interaction::Create(_) | Interaction::Update(..));
            if !writes || step.settled.is_some() || step.request.interaction.resource_type() != Some(resource_type) {
                continue;
            }
            let resource = self.read(step, resource_type).map_err(|error| error.within(&place(position)))?;
            let entries = context.entries(&registry, &resource);
            let id = step.id.as_ref().map_or("", Id::as_str);
            let fact = Fact { resource_type, id, last_updated_us: 0, entries: &entries };
            if !conditions.iter().all(|condition| matches(condition, &fact, &World::default())) {
                continue;
            }
            let unnamed = || {
                let message =
                    format!("A conditional reference finds {}. Refer to its fullUrl instead.", place(position));
                Error::not_supported(message)
            };
            found.push(step.id.clone().ok_or_else(unnamed)?);
        }
        Ok(found)
    }

    /// Gives each created resource its id: first those that stand alone, then all whose patient is known by then.
    fn name_entries(&mut self, context: &Context, alone: bool) -> Result<()> {
        for position in 0..self.steps.len() {
            self.name_entry(context, position, alone).map_err(|error| error.within(&place(position)))?;
        }
        Ok(())
    }

    fn name_entry(&mut self, context: &Context, position: usize, alone: bool) -> Result<()> {
        let Some(step) = self.steps.get_mut(position) else { return Ok(()) };
        let (Interaction::Create(resource_type)
        | Interaction::Update(resource_type, _)
        | Interaction::Patch(resource_type, _)) = step.request.interaction
        else {
            return Ok(());
        };
        let stands_alone = resource_type == ResourceType::PATIENT || !in_patient_compartment(resource_type);
        if stands_alone != alone {
            return Ok(());
        }
        let is_new = step.id.is_none();
        let id = match &step.id {
            Some(id) => id.clone(),
            None => {
                let base = context.own_base.as_deref();
                let patients = if alone { &[][..] } else { &step.patients };
                let patient = patients.iter().find_map(|text| patient_of(&self.links, text, step.full_url, base));
                context.minter.id(resource_type, patient.as_ref())
            }
        };
        step.id = Some(id.clone());
        if let Some(url) = step.full_url.filter(|url| self.links.has_full_url(url)) {
            return Err(Error::invalid(format!("Another entry has this fullUrl, too: {url}")).at("fullUrl"));
        }
        self.links.add(step.full_url, step.body_id.as_ref(), resource_type, &id, is_new);
        Ok(())
    }

    /// A transaction may touch each resource once.
    fn refuse_two_of_one(&self) -> Result<()> {
        let mut seen: HashMap<(ResourceType, &Id), usize> = HashMap::new();
        for (position, step) in self.steps.iter().enumerate() {
            let (Some(id), Some(resource_type), None) =
                (&step.id, step.request.interaction.resource_type(), &step.settled)
            else {
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

    /// The resource of a step, with its links rewritten; a patch makes it from what stands there. Its faults point
    /// inside the entry: the change knows which.
    pub fn resource(&self, position: usize, standing: Option<Resource>) -> Result<Resource> {
        let step = self.steps.get(position).ok_or_else(|| Error::internal("a step is missing"))?;
        let resource_type = step.request.interaction.resource_type();
        let resource_type = resource_type.ok_or_else(|| Error::internal("a step without a type has no resource"))?;
        if let Interaction::Patch(_, id) = &step.request.interaction {
            let patch = patch::read(&self.limits, &step.request.body)?;
            let mut resource = patch::apply(&self.limits, &patch, standing, id)?;
            let brought = patches::texts(&patch);
            let rewritten = rewrite(&mut resource, &self.links, step.full_url, Some(&brought));
            rewritten.map_err(|error| error.within(resource_type.as_str()))?;
            return Ok(resource);
        }
        let mut resource = self.read(step, resource_type)?;
        rewrite(&mut resource, &self.links, step.full_url, None).map_err(|error| error.within("resource"))?;
        Ok(resource)
    }

    /// The writes of the plan in the order of R4's rules (DELETE, POST, PUT or PATCH), each with its entry's position.
    pub fn changes(&self, context: &Context) -> Result<Vec<(usize, Change)>> {
        let mut changes = Vec::new();
        for (position, step) in self.steps.iter().enumerate() {
            let Some(id) = step.id.clone().filter(|_| step.settled.is_none()) else { continue };
            let change = self.change(context, step, id, position).map_err(|error| error.within(&place(position)))?;
            for id in &step.further {
                let further = change.as_ref().map(|change| Change { id: id.clone(), ..change.clone() });
                changes.extend(further.map(|further| (position, further)));
            }
            changes.extend(change.map(|change| (position, change)));
        }
        changes.sort_by_key(|(_, change)| match change.intent {
            Intent::Delete => 0,
            Intent::Create => 1,
            Intent::Put | Intent::Patch => 2,
        });
        Ok(changes)
    }

    fn change(&self, context: &Context, step: &Step<'_>, id: Id, position: usize) -> Result<Option<Change>> {
        let (resource_type, intent) = match step.request.interaction {
            Interaction::Create(resource_type) => (resource_type, Intent::Create),
            Interaction::Update(resource_type, _) => (resource_type, Intent::Put),
            Interaction::Patch(resource_type, _) => (resource_type, Intent::Patch),
            Interaction::Delete(resource_type, _) => (resource_type, Intent::Delete),
            _ => return Ok(None),
        };
        let base = context.own_base.as_deref();
        let patient = || step.patients.iter().find_map(|text| patient_of(&self.links, text, step.full_url, base));
        let home = match intent {
            Intent::Delete | Intent::Patch => None,
            _ if resource_type == ResourceType::PATIENT => Some(Compartment::of_patient(&id)),
            _ => {
                Some(patient().map_or_else(|| Compartment::alone(resource_type, &id), |p| Compartment::of_patient(&p)))
            }
        };
        let mut change = Change::new(resource_type, id, intent, home);
        // A condition of a POST could only be If-None-Exist, which was settled.
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
        return (resource_type == ResourceType::PATIENT).then(|| id.clone());
    }
    match Target::parse(text, base) {
        Target::Local { resource_type: ResourceType::PATIENT, id, .. } => Some(id),
        _ => None,
    }
}
