//! What FHIR adds to FHIRPath. <https://hl7.org/fhir/R4/fhirpath.html#functions>

use super::super::super::expression::Variables;
use super::super::super::item::{Element, Item, Items};
use super::super::super::type_name::TypeName;
use super::super::super::value::{Kind, Value};
use super::super::xhtml;
use super::super::{Call, Machine, boolean, operator, optional};
use super::{Known, plain};
use crate::fhir::definitions::PrimitiveType;
use crate::fhir::invalid::Result;
use crate::fhir::json::Json;

/// Where the base definitions are.
const STRUCTURES: &str = "http://hl7.org/fhir/StructureDefinition/";

pub(super) const TABLE: &[Known] = &[
    plain("extension", 1, 1, extension),
    plain("hasExtension", 1, 1, |call| boolean(!extension(call)?.is_empty())),
    plain("hasValue", 0, 0, has_value),
    plain("getValue", 0, 0, value),
    plain("resolve", 0, 0, resolve),
    // Nobody tells definitions here, so nothing is found.
    plain("elementDefinition", 0, 0, |_| Ok(Items::new())),
    plain("slice", 2, 2, |_| Ok(Items::new())),
    plain("checkModifiers", 0, 16, check_modifiers),
    plain("conformsTo", 1, 1, conforms_to),
    plain("memberOf", 1, 1, member_of),
    plain("subsumes", 1, 1, |_| Ok(Items::new())),
    plain("subsumedBy", 1, 1, |_| Ok(Items::new())),
    plain("htmlChecks", 0, 0, html_checks),
    plain("htmlChecks2", 0, 0, html_checks),
];

fn extension<'a>(call: Call<'_, 'a>) -> Result<Items<'a>> {
    let url = call.argument(0)?;
    let Some(url) = operator::text(&url, "the address of an extension")? else { return Ok(Items::new()) };
    let mut found = Items::new();
    for element in call.input.iter().filter_map(Item::element) {
        call.machine.look_into(&element)?;
        let mut looked = Ok(());
        element.each("extension", &mut |extension| {
            if looked.is_ok() {
                looked = call.machine.look_into(&extension);
            }
            if looked.is_ok() && extension.child_str("url") == Some(url) {
                found.push(Item::Element(extension));
            }
        });
        looked?;
    }
    call.machine.spend(found.len())?;
    Ok(found)
}

/// A single primitive that has more than extensions. A computed value is one.
fn has_value<'a>(call: Call<'_, 'a>) -> Result<Items<'a>> {
    boolean(match call.input.as_slice() {
        [Item::Element(element)] => element.has_value(),
        [Item::Type(..)] => false,
        [_] => true,
        _ => false,
    })
}

fn value<'a>(call: Call<'_, 'a>) -> Result<Items<'a>> {
    match call.input.as_slice() {
        [Item::Element(element)] if !element.has_value() => Ok(Items::new()),
        [one] => {
            call.machine.meter.text_of(one.text().map_or(0, str::len))?;
            optional(Some(one.clone().into_simple()))
        }
        _ => Ok(Items::new()),
    }
}

fn resolve<'a>(call: Call<'_, 'a>) -> Result<Items<'a>> {
    let mut found = Items::new();
    for item in &call.input {
        found.extend(call.machine.resolved(item)?.map(Item::Element));
    }
    Ok(found)
}

impl<'a> Machine<'_, 'a> {
    /// [`resolved`], counted: it looks among the contained resources and the entries.
    pub(in super::super) fn resolved(&self, item: &Item<'a>) -> Result<Option<Element<'a>>> {
        let length = |value: Value<'a>, name: &str| {
            value.object().and_then(|object| object.get(name)).map_or(0, |json| json.items().len())
        };
        let among = |value: Value<'a>| length(value, "contained") + length(value, "entry");
        self.spend(16 + (among(self.variables.resource) + among(self.variables.root_resource)) / 8)?;
        Ok(resolved(self.variables, item))
    }
}

/// The resource that a reference, canonical or uri leads to, as far as it is in the resource itself: contained, or in an
/// entry of the Bundle. Nothing is fetched.
fn resolved<'a>(variables: &Variables<'a>, item: &Item<'a>) -> Option<Element<'a>> {
    let reference = item.element().and_then(|element| element.child_str("reference"));
    let text = item.text().or(reference)?;
    match text.strip_prefix('#') {
        Some("") => Some(variables.root_resource.into()),
        Some(id) => contained(variables.resource, id).or_else(|| contained(variables.root_resource, id)),
        None => entry(variables.root_resource, text),
    }
}

fn contained<'a>(resource: Value<'a>, id: &str) -> Option<Element<'a>> {
    let contained = resource.object()?.get("contained")?.items().iter();
    let found = contained.filter_map(Value::resource).find(|one| one.child_str("id") == Some(id));
    found.map(Element::from)
}

/// An entry by its address, or by the end of it where the reference tells no more than type and id.
fn entry<'a>(bundle: Value<'a>, reference: &str) -> Option<Element<'a>> {
    let reference = reference.split_once("/_history/").map_or(reference, |(resource, _)| resource);
    let entries = bundle.object()?.get("entry")?.items().iter().filter_map(Json::as_object);
    let leads = |url: &str| {
        url == reference
            || url.strip_suffix(reference).is_some_and(|base| base.ends_with('/') && reference.contains('/'))
    };
    let found =
        entries.filter(|entry| entry.get_str("fullUrl").is_some_and(leads)).find_map(|entry| entry.get("resource"));
    found.and_then(Value::resource).map(Element::from)
}

/// # Errors
/// A modifier extension that is not among those that are understood.
fn check_modifiers<'a>(call: Call<'_, 'a>) -> Result<Items<'a>> {
    let mut known = Vec::new();
    for place in 0..call.arguments.len() {
        known.extend(call.argument(place)?);
    }
    for element in call.input.iter().filter_map(Item::element) {
        let mut is_unknown = false;
        element.each("modifierExtension", &mut |extension| {
            let url = extension.child_str("url");
            is_unknown |= !known.iter().any(|known| known.text().is_some() && known.text() == url);
        });
        if is_unknown {
            return Err(call.fault("there is a modifier extension that is not among those named."));
        }
    }
    Ok(call.input)
}

/// # Errors
/// A profile that nobody here knows.
fn conforms_to<'a>(call: Call<'_, 'a>) -> Result<Items<'a>> {
    let profile = call.argument(0)?;
    let profile = operator::text(&profile, "the address of a profile")?;
    let (Some(item), Some(profile)) = (call.single()?, profile) else { return Ok(Items::new()) };
    if let Some(base) = profile.strip_prefix(STRUCTURES).and_then(TypeName::parse) {
        let (namespace, name) = item.type_name();
        return boolean(namespace == "FHIR" && base.covers(name));
    }
    let told = call.machine.variables.knowledge.and_then(|knowledge| knowledge.conforms_to(item, profile));
    told.map_or_else(|| Err(call.fault("this profile is not known here.")), boolean)
}

/// Empty where nobody knows.
fn member_of<'a>(call: Call<'_, 'a>) -> Result<Items<'a>> {
    let value_set = call.argument(0)?;
    let value_set = operator::text(&value_set, "the address of a value set")?;
    let (Some(item), Some(value_set)) = (call.single()?, value_set) else { return Ok(Items::new()) };
    call.machine.spend(16)?;
    let told = call.machine.variables.knowledge.and_then(|knowledge| knowledge.member_of(item, value_set));
    optional(told.map(Item::Boolean))
}

/// Whether a narrative has only the XHTML that FHIR allows, and something in it.
fn html_checks<'a>(call: Call<'_, 'a>) -> Result<Items<'a>> {
    let Some(item) = call.single()? else { return Ok(Items::new()) };
    let is_narrative = matches!(item, Item::Element(Element { kind: Kind::Primitive(PrimitiveType::Xhtml), .. }));
    let Some(text) = item.text().filter(|_| is_narrative || matches!(item, Item::String(_))) else {
        return boolean(false);
    };
    call.machine.spend(text.len() / 16)?;
    boolean(xhtml::is_allowed(text))
}
