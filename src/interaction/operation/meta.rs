//! `$meta`, `$meta-add` and `$meta-delete`: profiles, tags and security labels of a resource.
//! <https://hl7.org/fhir/R4/resource-operation-meta.html>
//!
//! R4 lets a server change labels without a new version, and does not ask for it. Here they are part of a version like
//! all else, so that the history tells who changed them and an ETag names one content (docs/decisions/0022-operations.md).

use super::code::Code;
use super::input::{Given, Input, field, parameters};
use crate::auth::Grant;
use crate::auth::policy::Permission;
use crate::auth::sight::Sight;
use crate::error::{Error, Kind, Result};
use crate::fhir::id::VersionId;
use crate::fhir::json::{Json, Object};
use crate::fhir::resource::Resource;
use crate::interaction::Context;
use crate::interaction::audit::patients_of;
use crate::interaction::request::{Request, Return};
use crate::interaction::response::Response;
use crate::interaction::route::Level;
use crate::interaction::write::{self, Change, Intent};
use crate::store::{Reader, Stored, missing};

/// The labels of a Meta, each a set, and what makes two of a set one.
const CODINGS: [&str; 2] = ["security", "tag"];
const PROFILE: &str = "profile";
/// The most labels of one kind that a resource may be given this way (labels).
const LABELS_MAX: usize = 1_000;

/// The meta of a resource or of a version, as reading it shows.
pub async fn read(context: &Context, reader: Reader<'_>, request: &Request, level: &Level) -> Result<Response> {
    Input::read(context, request, &[])?;
    let stored = match level {
        // No row of the table has these levels: the index knows labels by their hash, and R4 leaves them to the server.
        Level::System | Level::Type(_) => return Err(Error::not_found("Labels are those of one resource.")),
        Level::Instance(of, id) => reader.current(*of, id).await?.ok_or_else(|| missing(*of))?,
        Level::Version(of, id, version) => {
            let missing = || Error::not_found(format!("There is no such version of a {of} with this id."));
            let version = VersionId::parse(version).ok_or_else(missing)?;
            reader.version(*of, id, version).await?.ok_or_else(missing)?
        }
    };
    respond(context, &stored)
}

fn respond(context: &Context, stored: &Stored) -> Result<Response> {
    let Some(body) = &stored.body else {
        let message = format!("This {} was deleted. Its history has the versions before.", stored.resource_type);
        return Err(Error::new(Kind::Gone, message));
    };
    let resource = Resource::read(body, 0..body.len(), usize::MAX).map_err(Error::internal)?;
    let response = Response::of_body(200, told(&resource));
    Ok(Response { patients: patients_of(context, [stored]), ..response })
}

fn told(resource: &Resource) -> Vec<u8> {
    let meta = resource.object().get("meta").cloned().unwrap_or_else(|| Json::Object(Object::new()));
    parameters(vec![field("return", "valueMeta", meta)]).to_bytes()
}

/// Adds or takes away labels. What changes nothing makes no version.
pub async fn change(
    context: &Context,
    grant: &Grant,
    request: &Request,
    operation: Code,
    level: &Level,
) -> Result<Response> {
    let Level::Instance(of, id) = level else {
        return Err(Error::not_supported("Labels are changed on the current version of one resource."));
    };
    let input = Input::read(context, request, &["meta"])?;
    let given = input.one("meta")?.ok_or_else(|| Error::invalid("The parameter meta is required.").at("meta"))?;
    let labels = labels(given)?;
    let apply = |resource: &mut Resource| match operation {
        Code::MetaAdd => add(resource, labels),
        _ => remove(resource, labels),
    };
    let reader = context.store.reader(grant);
    let stood = reader.current(*of, id).await?.ok_or_else(|| missing(*of))?;
    if let Some(body) = &stood.body {
        let mut resource = Resource::read(body, 0..body.len(), usize::MAX).map_err(Error::internal)?;
        let changes = apply(&mut resource)?;
        // Who may not change it is told so even where there is nothing to change.
        let is_conditional = request.conditions.if_match.is_some() || request.conditions.if_none_match.is_some();
        if !changes && !is_conditional && grant.sight(Permission::Update, *of) != Sight::None {
            return respond(context, &stood);
        }
    }
    let mut change = Change::new(*of, id.clone(), Intent::Patch, None);
    change.precondition = request.conditions.precondition()?;
    let source = |_, standing: Option<Resource>| {
        let mut resource = standing.ok_or_else(|| Error::internal("there is nothing to label"))?;
        apply(&mut resource)?;
        crate::interaction::check(context.limits.validation, &resource, "")
            .map_err(|error| error.within(&given.place))?;
        Ok(resource)
    };
    let mut asked = request.clone();
    asked.prefer.returns = Some(Return::Representation);
    let response = write::one_from(context, grant, &asked, change, &source, None).await?;
    let body = response.body.unwrap_or_default();
    let resource = Resource::read(&body, 0..body.len(), usize::MAX).map_err(Error::internal)?;
    Ok(Response { body: Some(told(&resource)), location: None, ..response })
}

/// The Meta that was given, checked: labels and nothing else matters.
fn labels(given: &Given) -> Result<&Object> {
    let meta = given.complex("Meta")?;
    for name in CODINGS {
        let all = meta.get(name).map(Json::items).unwrap_or_default();
        let is_named = |label: &Json| label.as_object().is_some_and(|label| label.get_str("code").is_some());
        if all.len() > LABELS_MAX || !all.iter().all(is_named) {
            let message = format!("A label has a code, and {name} has at most {LABELS_MAX} of them.");
            return Err(Error::invalid(message).at(format!("{}.valueMeta.{name}", given.place)));
        }
    }
    let profiles = meta.get(PROFILE).map(Json::items).unwrap_or_default();
    if profiles.len() > LABELS_MAX || profiles.iter().any(|profile| profile.as_str().is_none()) {
        let message = format!("A profile is an address, and there are at most {LABELS_MAX} of them.");
        return Err(Error::invalid(message).at(format!("{}.valueMeta.{PROFILE}", given.place)));
    }
    Ok(meta)
}

/// Version and display of a coding do not count.
fn is_same(one: &Json, other: &Json) -> bool {
    match (one, other) {
        (Json::Object(one), Json::Object(other)) => {
            one.get_str("system") == other.get_str("system") && one.get_str("code") == other.get_str("code")
        }
        (one, other) => one == other,
    }
}

fn add(resource: &mut Resource, labels: &Object) -> Result<bool> {
    let mut changed = false;
    for name in [PROFILE, CODINGS[0], CODINGS[1]] {
        let Some(wanted) = labels.get(name) else { continue };
        let mut kept = of(resource, name);
        for label in wanted.items() {
            if !kept.iter().any(|known| is_same(known, label)) {
                kept.push(label.clone());
                changed = true;
            }
        }
        if kept.len() > LABELS_MAX {
            let message = format!("The resource would have more than {LABELS_MAX} of meta.{name}.");
            return Err(Error::new(Kind::TooCostly, message).at("meta"));
        }
        set(resource, name, kept);
    }
    Ok(changed)
}

fn remove(resource: &mut Resource, labels: &Object) -> Result<bool> {
    let mut changed = false;
    for name in [PROFILE, CODINGS[0], CODINGS[1]] {
        let Some(unwanted) = labels.get(name) else { continue };
        let mut kept = of(resource, name);
        let before = kept.len();
        kept.retain(|known| !unwanted.items().iter().any(|label| is_same(known, label)));
        changed |= kept.len() != before;
        set(resource, name, kept);
    }
    Ok(changed)
}

fn of(resource: &Resource, name: &str) -> Vec<Json> {
    let meta = resource.object().get("meta").and_then(Json::as_object);
    meta.and_then(|meta| meta.get(name)).map(|labels| labels.items().to_vec()).unwrap_or_default()
}

/// An empty list is no member: FHIR's JSON has none.
fn set(resource: &mut Resource, name: &'static str, labels: Vec<Json>) {
    let Some(Json::Object(meta)) = resource.object_mut().and_then(|object| object.get_mut("meta")) else { return };
    if labels.is_empty() {
        meta.remove(name);
        return;
    }
    let end = meta.len();
    meta.set_at(end, name, Json::Array(labels));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::json::parse;

    fn resource(meta: &str) -> Resource {
        let text = format!(r#"{{"resourceType":"Basic","meta":{meta}}}"#);
        Resource::read(text.as_bytes(), 0..text.len(), 64).unwrap()
    }

    fn object(text: &str) -> Object {
        parse(text.as_bytes(), 64).unwrap().as_object().unwrap().clone()
    }

    #[test]
    fn labels_are_sets_in_which_version_and_display_do_not_count() {
        let mut labelled = resource(r#"{"tag":[{"system":"s","code":"a","display":"A"}],"profile":["http://p"]}"#);
        let same = object(r#"{"tag":[{"system":"s","code":"a","version":"2"}],"profile":["http://p"]}"#);
        assert!(!add(&mut labelled, &same).unwrap());
        let more = object(r#"{"tag":[{"system":"t","code":"a"}],"security":[{"code":"R"}],"profile":["http://p|1"]}"#);
        assert!(add(&mut labelled, &more).unwrap());
        assert_eq!(
            (of(&labelled, "tag").len(), of(&labelled, "security").len(), of(&labelled, PROFILE).len()),
            (2, 1, 2)
        );
        assert!(remove(&mut labelled, &same).unwrap());
        assert!(!remove(&mut labelled, &same).unwrap());
        assert_eq!(of(&labelled, "tag"), [parse(br#"{"system":"t","code":"a"}"#, 9).unwrap()]);
        assert!(remove(&mut labelled, &more).unwrap());
        assert_eq!(labelled.object().get("meta"), Some(&Json::Object(Object::new())));
    }
}
