//! `$validate`: what is wrong with a resource, before it is written or after. <https://hl7.org/fhir/R4/resource-operation-validate.html>
//!
//! A fault of the resource is an issue of the answer, never a refusal; what cannot be looked at at all is refused.

use super::input::{Given, Input};
use crate::auth::Grant;
use crate::auth::policy::Permission;
use crate::auth::sight::Sight;
use crate::error::{Error, Kind, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::Id;
use crate::fhir::json::{Json, Object};
use crate::fhir::outcome::{Issue, outcome_of};
use crate::fhir::resource::Resource;
use crate::interaction::audit::patients_of;
use crate::interaction::request::Request;
use crate::interaction::response::Response;
use crate::interaction::route::Level;
use crate::interaction::{Context, profiles};
use crate::store::{Standing, Stored, missing};
use crate::validate::{self, Finding, Severity};

const PARAMETERS: &[&str] = &["resource", "mode", "profile"];

/// What is to be done with the resource. <https://hl7.org/fhir/R4/valueset-resource-validation-mode.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Create,
    Update,
    Delete,
    Profile,
}

impl Mode {
    fn read(given: &Given) -> Result<Mode> {
        match given.text()? {
            "create" => Ok(Mode::Create),
            "update" => Ok(Mode::Update),
            "delete" => Ok(Mode::Delete),
            "profile" => Ok(Mode::Profile),
            _ => Err(given.refuse("is create, update, delete or profile")),
        }
    }
}

/// What was asked for.
struct Asked {
    mode: Option<Mode>,
    resource: Option<Resource>,
    profiles: Vec<String>,
}

pub async fn answer(context: &Context, grant: &Grant, request: &Request, level: &Level) -> Result<Response> {
    let (resource_type, id) = match level {
        Level::Type(of) => (*of, None),
        Level::Instance(of, id) => (*of, Some(id)),
        Level::System | Level::Version(..) => return Err(Error::not_found("A type or one resource is validated.")),
    };
    grant.demand_somebody()?;
    let asked = read(context, request, resource_type)?;
    check_asked(&asked, id)?;
    let mut patients = Vec::new();
    let (mut findings, needed) = may(context, grant, asked.mode, (resource_type, id)).await?;
    let resource = match (asked.resource, asked.mode, id) {
        (_, Some(Mode::Delete), _) => None,
        (Some(resource), ..) => Some(resource),
        (None, _, Some(id)) => {
            let stored = stored(context, grant, resource_type, id).await?;
            patients = patients_of(context, [&stored]);
            let body = stored.body.unwrap_or_default();
            Some(Resource::read(&body, 0..body.len(), usize::MAX).map_err(Error::internal)?)
        }
        (None, _, None) => None,
    };
    if let Some(resource) = &resource {
        if asked.mode == Some(Mode::Update) {
            findings.extend(wrong_id(resource, id));
        }
        if findings.iter().all(|finding| finding.code != "forbidden") {
            findings.extend(may_hold(context, grant, needed, id, resource).await?);
        }
        findings.extend(validate::review(resource).into_findings());
        findings.extend(profiles::review(context, resource, &asked.profiles).await?.into_findings());
    }
    let body = told(request, resource_type, resource.is_some(), findings);
    Ok(Response { patients, ..Response::of_body(200, body.to_bytes()) })
}

/// The resource is the body itself, or in Parameters; of a stored one it need not be there.
fn read(context: &Context, request: &Request, resource_type: ResourceType) -> Result<Asked> {
    let depth_max = context.limits.json_depth_max;
    let body = match request.body.is_empty() {
        true => None,
        false => Some(Resource::read(&request.body, 0..request.body.len(), depth_max).map_err(unreadable)?),
    };
    // A Parameters resource may be what is looked at, too: then it holds no parameter of that name.
    let is_input = |body: &Resource| {
        body.resource_type() == ResourceType::PARAMETERS
            && (resource_type != ResourceType::PARAMETERS || parameter(body.object(), "resource").is_some())
    };
    let (body, given) = match body {
        Some(body) if is_input(&body) => (None, Some(body)),
        body => (body, None),
    };
    let input = Input::of(request, given.as_ref().map(Resource::object))?;
    input.refuse_unknown(PARAMETERS)?;
    let resource = match (input.one("resource")?, given) {
        (Some(named), Some(given)) => Some(inner(named, given.object())?),
        (Some(named), None) => return Err(named.refuse("is sent in Parameters, by POST")),
        (None, _) => body,
    };
    if let Some(resource) = resource.as_ref().filter(|resource| resource.resource_type() != resource_type) {
        let message = format!("The address says {resource_type}, the resource says {}.", resource.resource_type());
        return Err(Error::invalid(message).at("resource"));
    }
    let profiles = input.many("profile").map(|given| given.text().map(str::to_owned)).collect::<Result<_>>()?;
    Ok(Asked { mode: input.one("mode")?.map(Mode::read).transpose()?, resource, profiles })
}

fn parameter<'a>(parameters: &'a Object, name: &str) -> Option<&'a Object> {
    let all = parameters.get("parameter").map(Json::items).unwrap_or_default();
    all.iter().filter_map(Json::as_object).find(|one| one.get_str("name") == Some(name))
}

fn inner(named: &Given, given: &Object) -> Result<Resource> {
    let resource = parameter(given, "resource").and_then(|parameter| parameter.get("resource"));
    let resource = resource.ok_or_else(|| named.refuse("holds a resource"))?;
    Resource::from_json(resource.clone()).map_err(|invalid| Error::from(invalid).within(&named.place))
}

fn unreadable(invalid: crate::fhir::invalid::Invalid) -> Error {
    Error { kind: Kind::Invalid, ..Error::from(invalid) }
}

/// Refuses what cannot go together.
fn check_asked(asked: &Asked, id: Option<&Id>) -> Result<()> {
    let refused = |message: &str| Err(Error::invalid(message).at("mode"));
    match (asked.mode, id) {
        (Some(Mode::Create), Some(_)) => refused("What has an id already is not created: ask this of the type."),
        (Some(Mode::Delete | Mode::Profile), None) => refused("This mode is about a stored resource: name it."),
        (Some(Mode::Profile), Some(_)) if asked.resource.is_some() => {
            refused("mode=profile looks at what is stored: send no resource.")
        }
        (Some(Mode::Profile), Some(_)) if asked.profiles.is_empty() => {
            Err(Error::invalid("mode=profile needs the parameter profile.").at("profile"))
        }
        (_, None) if asked.resource.is_none() => {
            let message = "A resource was expected: as the body, or as the parameter resource of Parameters.";
            Err(Error::invalid(message).at("resource"))
        }
        _ => Ok(()),
    }
}

async fn stored(context: &Context, grant: &Grant, resource_type: ResourceType, id: &Id) -> Result<Stored> {
    let stored = context.store.reader(grant).current(resource_type, id).await?;
    let stored = stored.ok_or_else(|| missing(resource_type))?;
    if stored.body.is_none() {
        let message = format!("This {resource_type} was deleted. Its history has the versions before.");
        return Err(Error::new(Kind::Gone, message));
    }
    Ok(stored)
}

fn error(code: &'static str, expression: &str, message: String) -> Finding {
    Finding { severity: Severity::Error, code, expression: expression.to_owned(), message }
}

/// An update's resource names the id of the address.
fn wrong_id(resource: &Resource, id: Option<&Id>) -> Option<Finding> {
    let named = resource.object().get_str("id");
    let message = match (named, id) {
        (None, _) => "An update's body names its id.",
        (Some(named), Some(id)) if named != id.as_str() => "The id in the body is not the id in the address.",
        (Some(_), _) => return None,
    };
    Some(error("value", "id", message.to_owned()))
}

/// Whether the caller could do that at all, and the rights that the content must then be covered by.
async fn may(
    context: &Context,
    grant: &Grant,
    mode: Option<Mode>,
    (resource_type, id): (ResourceType, Option<&Id>),
) -> Result<(Vec<Finding>, &'static [Permission])> {
    match (mode, id) {
        (Some(Mode::Create), _) => Ok((may_create(grant, resource_type), &[Permission::Create])),
        (Some(Mode::Update), Some(id)) => may_change(context, grant, resource_type, id, Permission::Update).await,
        (Some(Mode::Delete), Some(id)) => {
            let (findings, _) = may_change(context, grant, resource_type, id, Permission::Delete).await?;
            Ok((findings, &[]))
        }
        _ => Ok((Vec::new(), &[])),
    }
}

fn may_create(grant: &Grant, resource_type: ResourceType) -> Vec<Finding> {
    match grant.sight(Permission::Create, resource_type) {
        Sight::None => vec![error("forbidden", "", format!("The caller may not create a {resource_type}."))],
        _ => Vec::new(),
    }
}

/// Whether a write would be refused for what the resource holds: it must be about whom, or by whom, the caller may write.
async fn may_hold(
    context: &Context,
    grant: &Grant,
    needed: &[Permission],
    id: Option<&Id>,
    resource: &Resource,
) -> Result<Option<Finding>> {
    if needed.is_empty() {
        return Ok(None);
    }
    // One that is created gets an id that nothing else has.
    let id = id.cloned().unwrap_or_else(|| context.minter.id(resource.resource_type(), None));
    let refusal = context.store.refusal_to_store(grant, needed, &id, resource).await?;
    Ok(refusal.map(|refusal| error("forbidden", "", refusal.message)))
}

/// Whether it could be changed so, and which rights that takes.
async fn may_change(
    context: &Context,
    grant: &Grant,
    resource_type: ResourceType,
    id: &Id,
    permission: Permission,
) -> Result<(Vec<Finding>, &'static [Permission])> {
    let standing = match context.store.probe(grant, resource_type, id, permission).await {
        Ok(standing) => standing,
        Err(refused) if refused.kind == Kind::Forbidden => {
            return Ok((vec![error("forbidden", "", refused.message)], &[]));
        }
        Err(fault) => return Err(fault),
    };
    match (standing, permission) {
        (Standing::Hidden, _) | (Standing::Absent, Permission::Delete) => Err(missing(resource_type)),
        (Standing::Current(locked), Permission::Delete) if locked.stored.body.is_none() => {
            Ok((vec![error("deleted", "", format!("This {resource_type} was deleted already."))], &[]))
        }
        (Standing::Current(locked), _) if locked.stored.body.is_some() => Ok((Vec::new(), &[Permission::Update])),
        // An update of what is not there creates it.
        _ => Ok((Vec::new(), &[Permission::Update, Permission::Create])),
    }
}

/// The findings as an OperationOutcome, or that there is none.
fn told(request: &Request, resource_type: ResourceType, has_resource: bool, findings: Vec<Finding>) -> Object {
    let place = |finding: &Finding| match finding.expression.as_str() {
        "" => resource_type.as_str().to_owned(),
        inner => format!("{resource_type}.{inner}"),
    };
    let placed: Vec<(Finding, String)> =
        findings.into_iter().map(|one| (place(&one), one)).map(|(p, f)| (f, p)).collect();
    let well = match has_resource {
        true => "No issue was found: the resource is valid.",
        false => "No issue was found: it can be deleted.",
    };
    let nothing = Issue { severity: "information", code: "informational", diagnostics: well, expression: None };
    let issues = placed.iter().map(|(finding, place)| Issue {
        severity: finding.severity.as_str(),
        code: finding.code,
        diagnostics: &finding.message,
        expression: Some(place),
    });
    let nothing = placed.is_empty().then_some(nothing);
    outcome_of(Some(&request.id), issues.chain(nothing))
}
