//! `$everything`: a patient's record, or what belongs to one encounter, with the shared resources that it refers to.
//! <https://hl7.org/fhir/R4/patient-operation-everything.html>

use super::input::Input;
use super::related::{Following, STEPS_MAX, is_about, references, tree};
use crate::auth::membership::can_be_about_a_patient;
use crate::error::{Error, Kind, Result};
use crate::fhir::bundle::BundleWriter;
use crate::fhir::definitions::{ResourceType, in_compartment, in_patient_compartment};
use crate::fhir::id::{Compartment, Id};
use crate::fhir::instant::Interval;
use crate::fhir::json::{Json, Object};
use crate::interaction::audit::patients_of;
use crate::interaction::request::{COMMON_PARAMETERS, Request, written};
use crate::interaction::response::Response;
use crate::interaction::route::Level;
use crate::interaction::{Context, search};
use crate::search::clause::{Bounds, Branch, Clause, Limit, Limits, Predicate};
use crate::search::page::{Direction, Page, PageValue, open, seal};
use crate::search::query::Scope;
use crate::store::search::Search;
use crate::store::{Reader, Stored, missing};
use std::collections::HashSet;

const PAGE: &str = "_page";
const OF_PATIENT: &[&str] = &["start", "end", "_since", "_type", "_count", PAGE];
const OF_ENCOUNTER: &[&str] = &["_since", "_type", "_count", PAGE];
/// Of these the leading date is a birthday, which is no date of care.
const BORN: &[ResourceType] = &[ResourceType::PATIENT, ResourceType::RELATED_PERSON];

/// Whose things are asked for.
struct Subject {
    /// `Patient/p` or `Encounter/e`.
    of: ResourceType,
    id: Id,
    /// Where the record is.
    home: Compartment,
}

/// What the client asks of them.
struct Asked {
    types: Vec<ResourceType>,
    since: Option<Interval>,
    start: Option<Interval>,
    end: Option<Interval>,
    count: u32,
    page: Option<String>,
    /// What a page's token is bound to.
    fingerprint: Vec<u8>,
}

/// A page of a record.
struct Found {
    matches: Vec<Stored>,
    shared: Vec<Stored>,
    next: Option<Vec<PageValue>>,
}

pub async fn answer(context: &Context, reader: Reader<'_>, request: &Request, level: &Level) -> Result<Response> {
    let (of, id) = match level {
        Level::Instance(of, id) | Level::Version(of, id, _) => (*of, id.clone()),
        Level::Type(_) | Level::System => (ResourceType::PATIENT, own_patient(reader)?),
    };
    let is_patient = of == ResourceType::PATIENT;
    let input = Input::read(context, request, if is_patient { OF_PATIENT } else { OF_ENCOUNTER })?;
    let asked = Asked::read(context, &input, of, &id)?;
    let stood = reader.current(of, &id).await?.ok_or_else(|| missing(of))?;
    if stood.body.is_none() {
        return Err(Error::new(Kind::Gone, format!("This {of} was deleted. Its history has the versions before.")));
    }
    let subject = Subject { of, id, home: stood.compartment };
    let found = find(context, reader, request, &subject, &asked).await?;
    let patients = patients_of(context, found.matches.iter().chain(&found.shared));
    let body = write(context, request, &subject, &input, &asked, &found);
    Ok(Response { patients, ..Response::of_body(200, body) })
}

/// Without an id: the patient whom the caller is, or was opened for.
pub fn own_patient(reader: Reader<'_>) -> Result<Id> {
    let message = "Name the patient, as in Patient/123/$everything: this account or client is not one patient's.";
    reader.grant().patient().cloned().ok_or_else(|| Error::invalid(message))
}

impl Asked {
    fn read(context: &Context, input: &Input, of: ResourceType, id: &Id) -> Result<Asked> {
        let date = |name: &str| match input.one(name)? {
            Some(given) => {
                let read = Interval::parse(given.text()?);
                read.map(Some).map_err(|invalid| Error::from(invalid).at(&given.place))
            }
            None => Ok(None),
        };
        let (start, end) = (date("start")?, date("end")?);
        if let (Some(start), Some(end)) = (start, end)
            && end.end <= start.start
        {
            return Err(Error::invalid("The parameter end is before start.").at("end"));
        }
        let most = context.limits.page_count_max;
        let count = input.number("_count", 1)?.unwrap_or(most).min(most);
        let types = input.types("_type")?;
        let mut fingerprint = format!("$everything {of}/{id}").into_bytes();
        for given in input.all().filter(|given| ![PAGE, "_count"].contains(&given.name.as_str())) {
            for part in [given.name.as_str(), given.text()?] {
                // The length keeps the parts apart.
                fingerprint.extend(part.len().to_le_bytes());
                fingerprint.extend(part.bytes());
            }
        }
        let (since, page) = (date("_since")?, input.text(PAGE)?.map(str::to_owned));
        Ok(Asked { types, since, start, end, count, page, fingerprint })
    }

    fn wants(&self, of: ResourceType) -> bool {
        self.types.is_empty() || self.types.contains(&of)
    }

    /// The types of the record that are gone through. For what is shared, all that could refer to it.
    fn walked(&self, subject: &Subject) -> Vec<ResourceType> {
        let wants_shared = self.types.iter().any(|of| !in_patient_compartment(*of));
        let is_there = |of: &ResourceType| {
            can_be_about_a_patient(*of) && (subject.of == ResourceType::PATIENT || in_compartment(subject.of, *of))
        };
        ResourceType::all().filter(is_there).filter(|of| wants_shared || self.wants(*of)).collect()
    }

    /// What the parameters restrict.
    fn conditions(&self) -> Vec<Clause> {
        let mut conditions = Vec::new();
        let at_least = |value| Limits { from: Some(Limit { value, inclusive: true }), to: None };
        if let Some(since) = self.since {
            let low = at_least(since.start.timestamp_micros());
            conditions.push(Clause::Match(Predicate::LastUpdated(Bounds { low, high: Limits::default() })));
        }
        if self.start.is_some() || self.end.is_some() {
            // What has no date of its own, such as an allergy, matters to care at any time.
            let high = self.start.map_or_else(Limits::default, |start| Limits {
                from: Some(Limit { value: start.start.timestamp_micros(), inclusive: false }),
                to: None,
            });
            let low = self.end.map_or_else(Limits::default, |end| Limits {
                from: None,
                to: Some(Limit { value: end.end.timestamp_micros(), inclusive: false }),
            });
            let undated = Clause::Match(Predicate::Present(Branch::LeadingDate)).negated();
            let mut any = vec![Clause::Match(Predicate::LeadingDate(Bounds { low, high })), undated];
            any.extend(BORN.iter().map(|of| Clause::Match(Predicate::Type(*of))));
            conditions.push(Clause::Any(any));
        }
        conditions
    }
}

/// The conditions of being in these compartments, as a search in each of them has them.
fn inside(context: &Context, request: &Request, compartments: &[(ResourceType, &Id)]) -> Result<Vec<Clause>> {
    let mut clauses = Vec::new();
    for (compartment, id) in compartments {
        let scope = Scope::Compartment { compartment: *compartment, id: (*id).clone(), inner: None };
        clauses.extend(search::read(context, &scope, &[], true, Some(&request.base))?.clauses);
    }
    Ok(clauses)
}

async fn find(
    context: &Context,
    reader: Reader<'_>,
    request: &Request,
    subject: &Subject,
    asked: &Asked,
) -> Result<Found> {
    let patient = subject.home.patient();
    let own = (subject.of, &subject.id);
    // An encounter is looked for inside its patient's record: what names it from another one is not this patient's.
    let compartments: Vec<_> = match &patient {
        Some(patient) if subject.of != ResourceType::PATIENT => vec![(ResourceType::PATIENT, patient), own],
        _ => vec![own],
    };
    let types = asked.walked(subject);
    if types.is_empty() {
        return Ok(Found { matches: Vec::new(), shared: Vec::new(), next: None });
    }
    let mut conditions = inside(context, request, &compartments)?;
    conditions.extend(asked.conditions());
    let page = asked.page.as_deref().map(|token| open_page(context, asked, token)).transpose()?;
    let count = usize::try_from(asked.count).unwrap_or(usize::MAX);
    let search = Search { types: &types, conditions: &conditions, sort: &[], page: page.as_ref(), count };
    let found = reader.search(&search).await?;
    let next = found.hits.last().filter(|_| found.more).map(|last| last.key.clone());
    let base = context.own_base.as_deref();
    let (mut matches, mut leads) = (Vec::new(), Vec::new());
    let mut seen = HashSet::new();
    for hit in found.hits {
        let resource = tree(&hit.stored)?;
        let is_own = match &patient {
            Some(patient) => is_about(&resource, &hit.stored, patient, base),
            None => hit.stored.compartment.patient().is_none(),
        };
        if is_own {
            leads.extend(references(resource.json(), base));
            seen.insert((hit.stored.resource_type, hit.stored.id.clone()));
            matches.push(hit.stored);
        }
    }
    // Of an encounter's record one step: what it is about, not all that hangs together.
    let mates = usize::from(subject.of != ResourceType::PATIENT && patient.is_some());
    let mut following = Following { context, reader, home: &subject.home, mates, steps: STEPS_MAX, seen };
    let mut shared = following.follow(leads).await?;
    shared.retain(|stored| asked.wants(stored.resource_type));
    matches.retain(|stored| asked.wants(stored.resource_type));
    Ok(Found { matches, shared, next })
}

fn open_page(context: &Context, asked: &Asked, token: &str) -> Result<Page> {
    let page = open(&context.store.paging_secret, &asked.fingerprint, token).and_then(|bytes| Page::decode(&bytes));
    let page = page.filter(|page| page.direction == Direction::Next);
    let message =
        "This is not a page of this operation. Follow the links of its Bundle, or start again without '_page'.";
    page.ok_or_else(|| Error::invalid(message).at(PAGE))
}

fn write(
    context: &Context,
    request: &Request,
    subject: &Subject,
    input: &Input,
    asked: &Asked,
    found: &Found,
) -> Vec<u8> {
    let address = format!("{}/{}/{}/$everything", request.base, subject.of, subject.id);
    let link = |relation: &str, page: Option<&str>| {
        let is_used = |name: &str| name != PAGE && !COMMON_PARAMETERS.contains(&name);
        // Parameters that came in a body stand in the link, too: it is followed by GET.
        let used = input.all().filter(|given| is_used(&given.name));
        let used = used.filter_map(|given| Some((given.name.as_str(), given.text().ok()?)));
        let query = written(used.chain(page.map(|page| (PAGE, page))));
        let url = if query.is_empty() { address.clone() } else { format!("{address}?{query}") };
        Json::Object(Object::new().with_str("relation", relation).with_str("url", url))
    };
    let mut links = vec![link("self", asked.page.as_deref())];
    if let Some(key) = &found.next {
        let page = Page { direction: Direction::Next, key: key.clone() };
        links.push(link("next", Some(&seal(&context.store.paging_secret, &asked.fingerprint, &page.encode()))));
    }
    let head = Object::new().with_str("resourceType", "Bundle").with_str("type", "searchset");
    let mut writer = BundleWriter::new(&head.with("link", Json::Array(links)));
    let mut entry = |stored: &Stored, mode: &str| {
        let full_url = format!("{}/{}/{}", request.base, stored.resource_type, stored.id);
        let role = Object::new().with("search", Object::new().with_str("mode", mode).into());
        writer.entry(Some(&full_url), stored.body.as_deref(), &role);
    };
    found.matches.iter().for_each(|stored| entry(stored, "match"));
    found.shared.iter().for_each(|stored| entry(stored, "include"));
    writer.finish()
}
