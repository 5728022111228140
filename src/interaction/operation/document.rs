//! `$document`: a Composition with all that it refers to, as one document. <https://hl7.org/fhir/R4/composition-operation-document.html>

use super::input::Input;
use super::related::{Following, references, tree};
use crate::auth::Grant;
use crate::error::{Error, Kind, Result};
use crate::fhir::bundle::BundleWriter;
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::{Compartment, Id};
use crate::fhir::instant::{to_instant, to_millisecond};
use crate::fhir::json::{Json, Object};
use crate::fhir::reference::Target;
use crate::fhir::resource::Resource;
use crate::interaction::audit::patients_of;
use crate::interaction::request::{Request, Return};
use crate::interaction::response::Response;
use crate::interaction::route::Level;
use crate::interaction::{Context, create};
use crate::store::{Reader, Stored, missing};
use chrono::Utc;
use std::collections::{HashMap, HashSet};

const COMPOSITION: ResourceType = ResourceType::COMPOSITION;
/// What a document holds besides its Composition, by the elements that name it; those of sections stand at any depth.
/// <https://hl7.org/fhir/R4/documents.html#content>
const NAMED: &[&str] = &["subject", "encounter", "author", "attester", "custodian", "event", "section"];
/// References that are followed one after the other (steps).
const STEPS_MAX: usize = 16;

/// A document is made and, where it is asked for, stored.
pub async fn answer(context: &Context, grant: &Grant, request: &Request, level: &Level) -> Result<Response> {
    let input = read_input(context, request, level)?;
    let made = make(context, context.store.reader(grant), request, level, &input).await?;
    if !input.flag("persist")? {
        return Ok(made);
    }
    let body = made.body.unwrap_or_default();
    if body.len() > context.limits.resource_bytes_max {
        let bytes_max = context.limits.resource_bytes_max;
        let message = format!("The document is larger than {bytes_max} bytes, the most that is kept of one resource.");
        return Err(Error::new(Kind::TooLarge, message).at("persist"));
    }
    let bundle = Resource::read(&body, 0..body.len(), usize::MAX).map_err(Error::internal)?;
    let mut asked = request.clone();
    asked.prefer.returns = Some(Return::Representation);
    asked.body = body.into();
    let stored = create::new(context, grant, &asked, ResourceType::BUNDLE, bundle, None).await?;
    // The write has its record; that the Composition and the rest were read has one of its own.
    Ok(Response { status: 200, patients: made.patients, recorded: false, ..stored })
}

/// A document, inside a transaction, where it is not stored.
pub async fn read(context: &Context, reader: Reader<'_>, request: &Request, level: &Level) -> Result<Response> {
    let input = read_input(context, request, level)?;
    if input.flag("persist")? {
        let message = "A document cannot be stored by an entry of a transaction: ask for it by itself, or in a batch.";
        return Err(Error::not_supported(message).at("persist"));
    }
    make(context, reader, request, level, &input).await
}

fn read_input(context: &Context, request: &Request, level: &Level) -> Result<Input> {
    // R4: the id is not for the address of one Composition.
    let known: &[&str] = if matches!(level, Level::Instance(..)) { &["persist"] } else { &["id", "persist"] };
    Input::read(context, request, known)
}

/// The Composition's id: of the address, or of the parameter, where it may be a whole address.
fn id_of(context: &Context, level: &Level, input: &Input) -> Result<Id> {
    if let Level::Instance(_, id) = level {
        return Ok(id.clone());
    }
    let given = input.one("id")?.ok_or_else(|| Error::invalid("The id of the Composition is required.").at("id"))?;
    let text = given.text()?;
    match Target::parse(text, context.own_base.as_deref()) {
        Target::Local { resource_type: COMPOSITION, id, version: None } => Ok(id),
        _ => Id::parse(text).map_err(|_| {
            Error::not_supported("Documents are made of Compositions of this server; name one by its id.")
                .at(&given.place)
        }),
    }
}

async fn make(
    context: &Context,
    reader: Reader<'_>,
    request: &Request,
    level: &Level,
    input: &Input,
) -> Result<Response> {
    let id = id_of(context, level, input)?;
    let composition = reader.current(COMPOSITION, &id).await?.ok_or_else(|| missing(COMPOSITION))?;
    if composition.body.is_none() {
        return Err(Error::new(Kind::Gone, "This Composition was deleted. Its history has the versions before."));
    }
    let resource = tree(&composition)?;
    let named = named(&resource, context.own_base.as_deref())?;
    let max = context.limits.included_max;
    let direct = direct(reader, &named, &composition.compartment, max).await?;
    let mut further = Vec::new();
    let mut seen = HashSet::from([(COMPOSITION, id)]);
    for stored in &direct {
        further.extend(references(tree(stored)?.json(), context.own_base.as_deref()));
        seen.insert((stored.resource_type, stored.id.clone()));
    }
    let home = &composition.compartment;
    let mut following = Following { context, reader, home, mates: STEPS_MAX, steps: STEPS_MAX, seen };
    let further = following.follow(further).await?;
    let entries = || std::iter::once(&composition).chain(&direct).chain(&further);
    if entries().count() > max {
        return Err(too_many(max));
    }
    let patients = patients_of(context, entries());
    Ok(Response { patients, ..Response::of_body(200, write(request, entries())) })
}

/// What the Composition itself refers to, each with its place. All of it must be in the document.
fn named(composition: &Resource, base: Option<&str>) -> Result<Vec<(String, (ResourceType, Id))>> {
    let mut named = Vec::new();
    for name in NAMED {
        if let Some(value) = composition.object().get(name) {
            collect(value, &format!("Composition.{name}"), base, &mut named)?;
        }
    }
    Ok(named)
}

fn collect(json: &Json, place: &str, base: Option<&str>, named: &mut Vec<(String, (ResourceType, Id))>) -> Result<()> {
    match json {
        Json::Array(items) => {
            let mut each = items.iter().enumerate();
            each.try_for_each(|(position, item)| collect(item, &format!("{place}[{position}]"), base, named))
        }
        Json::Object(object) => {
            if let Some(text) = object.get_str("reference") {
                match Target::parse(text, base) {
                    Target::Local { resource_type, id, .. } => named.push((place.to_owned(), (resource_type, id))),
                    Target::Contained(_) => {}
                    _ => return Err(elsewhere(place)),
                }
            }
            let inner = object.iter().filter(|(name, _)| !["text", "extension"].contains(name));
            inner.into_iter().try_for_each(|(name, value)| collect(value, &format!("{place}.{name}"), base, named))
        }
        _ => Ok(()),
    }
}

fn elsewhere(place: &str) -> Error {
    let message =
        "The document would not be whole: this reference leads to another server, from which nothing is fetched.";
    Error::new(Kind::Unprocessable, message).at(place)
}

fn too_many(max: usize) -> Error {
    Error::new(Kind::TooCostly, format!("The document would hold more than {max} resources."))
}

/// The resources that are named, at most so many with the Composition. One that is not there, or may not be seen, makes the document wrong.
async fn direct(
    reader: Reader<'_>,
    named: &[(String, (ResourceType, Id))],
    home: &Compartment,
    max: usize,
) -> Result<Vec<Stored>> {
    let mut wanted: Vec<(ResourceType, Id)> = Vec::new();
    let mut seen = HashSet::new();
    for (_, one) in named {
        if seen.insert(one) {
            wanted.push(one.clone());
        }
    }
    if wanted.len() >= max {
        return Err(too_many(max));
    }
    let found = reader.resources(&wanted, std::slice::from_ref(home)).await?;
    let mut found: HashMap<(ResourceType, Id), Stored> =
        found.into_iter().map(|stored| ((stored.resource_type, stored.id.clone()), stored)).collect();
    match named.iter().find(|(_, one)| !found.contains_key(one)) {
        None => Ok(wanted.iter().filter_map(|one| found.remove(one)).collect()),
        Some((place, (of, id))) => {
            let message = format!("The document would not be whole: there is no {of}/{id}.");
            Err(Error::new(Kind::Unprocessable, message).at(place))
        }
    }
}

fn write<'s>(request: &Request, entries: impl Iterator<Item = &'s Stored>) -> Vec<u8> {
    let mut writer = BundleWriter::new(&head());
    for stored in entries {
        let full_url = format!("{}/{}/{}", request.base, stored.resource_type, stored.id);
        writer.entry(Some(&full_url), stored.body.as_deref(), &Object::new());
    }
    writer.finish()
}

/// The members of a new document before its entries.
pub fn head() -> Object {
    let identifier = Object::new().with_str("system", "urn:ietf:rfc:3986").with_str("value", new_urn());
    Object::new()
        .with_str("resourceType", "Bundle")
        .with("identifier", identifier.into())
        .with_str("type", "document")
        .with_str("timestamp", to_instant(to_millisecond(Utc::now())))
}

/// A `urn:uuid:` that nothing else has: version 4 of RFC 9562.
pub fn new_urn() -> String {
    let bits = rand::random::<u128>() & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!("urn:uuid:{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_urn_is_a_uuid_of_version_4() {
        let urn = new_urn();
        let groups: Vec<&str> = urn.strip_prefix("urn:uuid:").unwrap().split('-').collect();
        assert_eq!(groups.iter().map(|group| group.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        assert!(groups[2].starts_with('4') && groups[3].starts_with(['8', '9', 'a', 'b']), "{urn}");
        assert_ne!(urn, new_urn());
    }

    #[test]
    fn what_a_composition_names_is_found_with_its_place_and_another_server_is_refused() {
        let composition = |entry: &str| {
            let text = format!(
                r##"{{"resourceType":"Composition","subject":{{"reference":"Patient/p"}},"author":[{{"reference":"#me"}}],
                "relatesTo":[{{"targetReference":{{"reference":"Composition/x"}}}}],
                "section":[{{"section":[{{"entry":[{{"reference":"Observation/1"}},{{"reference":"{entry}"}}]}}]}}]}}"##
            );
            Resource::read(text.as_bytes(), 0..text.len(), 64).unwrap()
        };
        let found = named(&composition("http://here/Observation/2"), Some("http://here")).unwrap();
        let found: Vec<String> = found.iter().map(|(place, (of, id))| format!("{place} {of}/{id}")).collect();
        let expected = [
            "Composition.subject Patient/p",
            "Composition.section[0].section[0].entry[0] Observation/1",
            "Composition.section[0].section[0].entry[1] Observation/2",
        ];
        assert_eq!(found, expected);
        let refused = named(&composition("http://there/Observation/2"), None).unwrap_err();
        assert_eq!(refused.expression.as_deref(), Some("Composition.section[0].section[0].entry[1]"));
    }
}
