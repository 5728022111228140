//! The one grammar of FHIR's addresses, for HTTP and for the entries of Bundles. <https://hl7.org/fhir/R4/http.html#summary>

use super::operation::Code;
use super::operations::{self, At, Operation};
use super::request::Method;
use crate::error::{Error, Kind, Result};
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::Id;
use crate::search::form::form_urlencoded;
use crate::search::query::Scope;
use crate::store::HistoryScope;
use percent_encoding::percent_decode_str;

/// What an address and a method ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Interaction {
    Capabilities,
    Read(ResourceType, Id),
    /// The version's text: any well-formed id may be asked for, only numbers exist.
    Vread(ResourceType, Id, String),
    Create(ResourceType),
    Update(ResourceType, Id),
    Patch(ResourceType, Id),
    Delete(ResourceType, Id),
    /// Of what meets the address's query.
    ConditionalUpdate(ResourceType),
    ConditionalPatch(ResourceType),
    ConditionalDelete(ResourceType),
    History(HistoryScope),
    Search(Scope),
    /// A transaction or a batch: the Bundle says which.
    Bundle,
    /// `$reindex`.
    Reindex(Level),
    /// How far the jobs of `$reindex` are.
    ReindexStatus,
    /// `$accesses`: who opened a patient's record.
    Accesses(Id),
    /// An operation of R4 or of this server that works on what its level names.
    Operation(Code, Level),
    /// The OperationDefinition that the server itself has of an operation.
    Definition(&'static Operation),
}

/// What an operation works on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Level {
    System,
    Type(ResourceType),
    Instance(ResourceType, Id),
    /// The version's text, as in [`Interaction::Vread`].
    Version(ResourceType, Id, String),
}

impl Level {
    pub fn resource_type(&self) -> Option<ResourceType> {
        match self {
            Level::System => None,
            Level::Type(of) | Level::Instance(of, _) | Level::Version(of, ..) => Some(*of),
        }
    }
}

impl Interaction {
    /// The name in CapabilityStatement and log.
    pub fn name(&self) -> &'static str {
        match self {
            Interaction::Capabilities => "capabilities",
            Interaction::Read(..) => "read",
            Interaction::Vread(..) => "vread",
            Interaction::Create(_) => "create",
            Interaction::Update(..) => "update",
            Interaction::Patch(..) => "patch",
            Interaction::Delete(..) => "delete",
            Interaction::ConditionalUpdate(_) => "conditional-update",
            Interaction::ConditionalPatch(_) => "conditional-patch",
            Interaction::ConditionalDelete(_) => "conditional-delete",
            Interaction::History(HistoryScope::Instance(..)) => "history-instance",
            Interaction::History(HistoryScope::Type(_)) => "history-type",
            Interaction::History(HistoryScope::System) => "history-system",
            Interaction::Search(Scope::System) => "search-system",
            Interaction::Search(Scope::Type(_)) => "search-type",
            Interaction::Search(Scope::Compartment { .. }) => "search-compartment",
            Interaction::Bundle => "bundle",
            Interaction::Reindex(_) => "$reindex",
            Interaction::ReindexStatus => "$reindex-status",
            Interaction::Accesses(_) => "$accesses",
            Interaction::Operation(operation, _) => operation.name(),
            Interaction::Definition(_) => "operation-definition",
        }
    }

    /// Whether it is about a resource, or a patch, in the body.
    pub fn needs_resource(&self) -> bool {
        matches!(
            self,
            Interaction::Create(_)
                | Interaction::Update(..)
                | Interaction::Patch(..)
                | Interaction::ConditionalUpdate(_)
                | Interaction::ConditionalPatch(_)
        )
    }

    /// Whether everybody may ask for it, of which nothing is recorded: what the server can do.
    pub fn is_open(&self) -> bool {
        match self {
            Interaction::Capabilities | Interaction::Definition(_) => true,
            Interaction::Operation(operation, _) => operation.is_open(),
            _ => false,
        }
    }

    pub fn resource_type(&self) -> Option<ResourceType> {
        match self {
            Interaction::Read(resource_type, _)
            | Interaction::Vread(resource_type, ..)
            | Interaction::Create(resource_type)
            | Interaction::ConditionalUpdate(resource_type)
            | Interaction::ConditionalPatch(resource_type)
            | Interaction::ConditionalDelete(resource_type)
            | Interaction::Update(resource_type, _)
            | Interaction::Patch(resource_type, _)
            | Interaction::Delete(resource_type, _)
            | Interaction::History(HistoryScope::Instance(resource_type, _) | HistoryScope::Type(resource_type))
            | Interaction::Search(Scope::Type(resource_type)) => Some(*resource_type),
            Interaction::Reindex(level) | Interaction::Operation(_, level) => level.resource_type(),
            Interaction::Accesses(_) => Some(ResourceType::PATIENT),
            Interaction::Definition(_) => Some(ResourceType::OPERATION_DEFINITION),
            Interaction::Search(Scope::Compartment { inner, .. }) => *inner,
            Interaction::Capabilities
            | Interaction::Bundle
            | Interaction::History(HistoryScope::System)
            | Interaction::Search(Scope::System)
            | Interaction::ReindexStatus => None,
        }
    }
}

/// Reads an address relative to the base (without its leading slash, still percent-encoded) and its query.
pub fn route(method: Method, path: &str, query: &str) -> Result<Interaction> {
    // Split before decoding: an encoded slash belongs to its segment, where it is refused.
    let segments = path.split('/').filter(|segment| !segment.is_empty());
    let decoded: std::result::Result<Vec<_>, _> = segments.map(|part| percent_decode_str(part).decode_utf8()).collect();
    let decoded = decoded.map_err(|_| Error::invalid("The address is not UTF-8."))?;
    let segments: Vec<&str> = decoded.iter().map(AsRef::as_ref).collect();
    let interaction = of_segments(method, &segments, query)?;
    let reads = matches!(method, Method::Get | Method::Head);
    // The one parameter that makes an operation change something: a GET never does.
    if reads && matches!(interaction, Interaction::Operation(Code::Document, _)) {
        let is_stored = |(name, value): &(String, String)| name == "persist" && value != "false";
        if form_urlencoded(query)?.iter().any(is_stored) {
            return Err(Error {
                kind: Kind::MethodNotAllowed,
                ..Error::invalid("A document is stored by POST.").at("persist")
            });
        }
    }
    Ok(interaction)
}

fn of_segments(method: Method, segments: &[&str], query: &str) -> Result<Interaction> {
    match (segments, method) {
        ([], Method::Post) => Ok(Interaction::Bundle),
        ([], Method::Get | Method::Head) | (["_search"], Method::Post) => Ok(Interaction::Search(Scope::System)),
        (["metadata"], Method::Get | Method::Head) => Ok(Interaction::Capabilities),
        (["_history"], Method::Get | Method::Head) => Ok(Interaction::History(HistoryScope::System)),
        ([] | ["metadata" | "_history" | "_search"], _) => Err(not_allowed(method)),
        ([operation], _) if operation.starts_with('$') => self::operation(method, operation, Level::System),
        ([type_name, rest @ ..], _) => of_type(method, resource_type(type_name)?, rest, query),
    }
}

fn of_type(method: Method, resource_type: ResourceType, rest: &[&str], query: &str) -> Result<Interaction> {
    match (rest, method) {
        ([], Method::Post) => Ok(Interaction::Create(resource_type)),
        ([], Method::Get | Method::Head) | (["_search"], Method::Post) => {
            Ok(Interaction::Search(Scope::Type(resource_type)))
        }
        ([], Method::Put) if !query.is_empty() => Ok(Interaction::ConditionalUpdate(resource_type)),
        ([], Method::Delete) if !query.is_empty() => Ok(Interaction::ConditionalDelete(resource_type)),
        // R4 defines no patch of a Binary, whose content is not FHIR's.
        ([], Method::Patch) if !query.is_empty() && resource_type != ResourceType::BINARY => {
            Ok(Interaction::ConditionalPatch(resource_type))
        }
        (["_history"], Method::Get | Method::Head) => Ok(Interaction::History(HistoryScope::Type(resource_type))),
        ([] | ["_history" | "_search"], _) => Err(not_allowed(method)),
        ([operation], _) if operation.starts_with('$') => {
            self::operation(method, operation, Level::Type(resource_type))
        }
        ([id, rest @ ..], _) => of_instance(method, resource_type, self::id(id, resource_type)?, rest),
    }
}

fn of_instance(method: Method, resource_type: ResourceType, id: Id, rest: &[&str]) -> Result<Interaction> {
    let reads = matches!(method, Method::Get | Method::Head);
    if let Some(operation) = own_definition(resource_type, &id) {
        return match rest {
            [] if reads => Ok(Interaction::Definition(operation)),
            [] => Err(not_allowed(method)),
            _ => Err(Error::not_found("There is nothing at this address: the server's own definitions are read only.")),
        };
    }
    match rest {
        [] => match method {
            Method::Get | Method::Head => Ok(Interaction::Read(resource_type, id)),
            Method::Put => Ok(Interaction::Update(resource_type, id)),
            Method::Delete => Ok(Interaction::Delete(resource_type, id)),
            // R4 defines no patch of a Binary, whose content is not FHIR's.
            Method::Patch if resource_type != ResourceType::BINARY => Ok(Interaction::Patch(resource_type, id)),
            Method::Post | Method::Patch => Err(not_allowed(method)),
        },
        ["_history"] if reads => Ok(Interaction::History(HistoryScope::Instance(resource_type, id))),
        ["_history", version] if reads => {
            let version = self::id(version, resource_type)?;
            Ok(Interaction::Vread(resource_type, id, version.as_str().to_owned()))
        }
        ["_history", version, operation] if operation.starts_with('$') => {
            let version = self::id(version, resource_type)?.as_str().to_owned();
            self::operation(method, operation, Level::Version(resource_type, id, version))
        }
        ["_history"] | ["_history", _] => Err(not_allowed(method)),
        [operation] if operation.starts_with('$') => {
            self::operation(method, operation, Level::Instance(resource_type, id))
        }
        [inner] if reads => in_compartment(resource_type, id, inner),
        [inner, "_search"] if method == Method::Post => in_compartment(resource_type, id, inner),
        [inner] | [inner, "_search"] if in_compartment(resource_type, id.clone(), inner).is_ok() => {
            Err(not_allowed(method))
        }
        _ => Err(Error::not_found("There is nothing at this address.")),
    }
}

/// What the server itself defines is not stored, and nobody writes it.
fn own_definition(resource_type: ResourceType, id: &Id) -> Option<&'static Operation> {
    let is_definition = resource_type == ResourceType::OPERATION_DEFINITION;
    is_definition.then(|| operations::of_definition(id.as_str())).flatten()
}

fn operation(method: Method, name: &str, level: Level) -> Result<Interaction> {
    let code = name.strip_prefix('$').unwrap_or(name);
    if operations::named(code).next().is_none() {
        return Err(not_yet("This operation"));
    }
    let Some(operation) = operations::named(code).find(|operation| operation.is_at(&level)) else {
        let places: Vec<String> = operations::named(code).map(places).collect();
        return Err(Error::not_found(format!("{name} is not asked here but of {}.", places.join(", "))));
    };
    if !operation.allows(&level, method) {
        return Err(not_allowed(method));
    }
    match (code, method, level) {
        ("reindex", Method::Post, level) => Ok(Interaction::Reindex(level)),
        ("reindex", _, Level::System) => Ok(Interaction::ReindexStatus),
        ("accesses", _, Level::Instance(_, id)) => Ok(Interaction::Accesses(id)),
        (code, _, level) if let Some(asked) = Code::parse(code) => Ok(Interaction::Operation(asked, level)),
        _ => Err(Error::internal(format!("{name} is in the table of operations and is no interaction"))),
    }
}

/// Where an operation is asked, for who asked it elsewhere: `Patient/123/$accesses`.
fn places(operation: &Operation) -> String {
    let of = operation.types.first().map_or("Patient", |of| of.as_str());
    let place = |at: &At| match at {
        At::System => format!("${}", operation.code),
        At::Type => format!("{of}/${}", operation.code),
        At::Instance => format!("{of}/123/${}", operation.code),
        At::Version => format!("{of}/123/_history/1/${}", operation.code),
    };
    let levels = [At::System, At::Type, At::Instance, At::Version];
    let places = levels.iter().filter(|at| operation.calls_at(**at).next().is_some());
    places.map(place).collect::<Vec<_>>().join(", ")
}

/// `*` stands for every type.
fn in_compartment(compartment: ResourceType, id: Id, inner: &str) -> Result<Interaction> {
    let nothing = || Error::not_found("There is nothing at this address.");
    let inner = if inner == "*" { None } else { Some(ResourceType::parse(inner).ok_or_else(nothing)?) };
    Ok(Interaction::Search(Scope::Compartment { compartment, id, inner }))
}

fn resource_type(name: &str) -> Result<ResourceType> {
    ResourceType::parse(name).ok_or_else(|| {
        Error::not_found("The address names no resource type of R4. Names are case-sensitive, as in Patient.")
    })
}

fn id(text: &str, resource_type: ResourceType) -> Result<Id> {
    Id::parse(text).map_err(|invalid| Error::from(invalid).at(format!("{resource_type}.id")))
}

fn not_allowed(method: Method) -> Error {
    let name = format!("{method:?}").to_uppercase();
    Error::new(Kind::MethodNotAllowed, format!("{name} means nothing at this address."))
}

fn not_yet(what: &str) -> Error {
    Error::not_supported(format!("{what} is not supported yet. GET metadata tells what is."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patient() -> ResourceType {
        ResourceType::PATIENT
    }

    fn the_id(text: &str) -> Id {
        Id::parse(text).unwrap()
    }

    #[test]
    fn every_interaction_has_its_address() {
        let compartment =
            |inner| Interaction::Search(Scope::Compartment { compartment: patient(), id: the_id("1"), inner });
        let instance = HistoryScope::Instance(patient(), the_id("1"));
        for (method, path, expected) in [
            (Method::Get, "metadata", Interaction::Capabilities),
            (Method::Post, "", Interaction::Bundle),
            (Method::Get, "Patient/1", Interaction::Read(patient(), the_id("1"))),
            (Method::Head, "Patient/1/", Interaction::Read(patient(), the_id("1"))),
            (Method::Get, "Patient/1/_history/2", Interaction::Vread(patient(), the_id("1"), "2".to_owned())),
            (Method::Post, "Patient", Interaction::Create(patient())),
            (Method::Put, "Patient/%31", Interaction::Update(patient(), the_id("1"))),
            (Method::Patch, "Patient/1", Interaction::Patch(patient(), the_id("1"))),
            (Method::Delete, "Patient/1", Interaction::Delete(patient(), the_id("1"))),
            (Method::Get, "Patient/1/_history", Interaction::History(instance)),
            (Method::Get, "Patient/_history", Interaction::History(HistoryScope::Type(patient()))),
            (Method::Get, "_history", Interaction::History(HistoryScope::System)),
            (Method::Post, "$reindex", Interaction::Reindex(Level::System)),
            (Method::Post, "Patient/$reindex", Interaction::Reindex(Level::Type(patient()))),
            (Method::Post, "Patient/1/$reindex", Interaction::Reindex(Level::Instance(patient(), the_id("1")))),
            (Method::Get, "$reindex", Interaction::ReindexStatus),
            (Method::Head, "Patient/1/$accesses", Interaction::Accesses(the_id("1"))),
            (Method::Get, "", Interaction::Search(Scope::System)),
            (Method::Post, "_search", Interaction::Search(Scope::System)),
            (Method::Head, "Patient", Interaction::Search(Scope::Type(patient()))),
            (Method::Post, "Patient/_search", Interaction::Search(Scope::Type(patient()))),
            (Method::Get, "Patient/1/*", compartment(None)),
            (Method::Post, "Patient/1/Observation/_search", compartment(Some(ResourceType::OBSERVATION))),
        ] {
            assert_eq!(route(method, path, "").unwrap(), expected, "{method:?} {path}");
        }
    }

    #[test]
    fn every_call_in_the_table_of_operations_is_an_interaction() {
        for operation in operations::OPERATIONS {
            for call in operation.calls {
                let of = operation.types.first().copied().unwrap_or(patient());
                let path = match call.at {
                    At::System => format!("${}", operation.code),
                    At::Type => format!("{of}/${}", operation.code),
                    At::Instance => format!("{of}/1/${}", operation.code),
                    At::Version => format!("{of}/1/_history/1/${}", operation.code),
                };
                let found = route(call.method, &path, "").unwrap();
                assert!(found.name().starts_with(&format!("${}", operation.code)), "{path}: {found:?}");
            }
            let id = operation.definition_id();
            let found = route(Method::Get, &format!("OperationDefinition/{id}"), "").unwrap();
            assert_eq!(found, Interaction::Definition(operation));
        }
    }

    #[test]
    fn what_is_no_interaction_is_refused_by_its_reason() {
        for (method, path, query, status) in [
            (Method::Get, "Pacient/1", "", 404),
            (Method::Get, "patient/1", "", 404),
            (Method::Get, "Patient/a_b", "", 400),
            (Method::Get, "Patient/1/nothing", "", 404),
            (Method::Get, "Patient/1/_history/2/3", "", 404),
            (Method::Post, "Patient/1", "", 405),
            (Method::Put, "Patient", "", 405),
            (Method::Delete, "metadata", "", 405),
            (Method::Put, "Patient/1/Observation", "", 405),
            (Method::Get, "Patient/1/Observation/_search", "", 405),
            (Method::Patch, "Patient", "", 405),
            (Method::Patch, "Binary/1", "", 405),
            (Method::Patch, "Binary", "_id=1", 405),
            (Method::Get, "Patient/1/$nothing", "", 400),
            (Method::Put, "Patient/1/$everything", "", 405),
            (Method::Get, "Patient/1/$expunge", "", 405),
            (Method::Get, "Composition/1/$document", "persist=true", 405),
            (Method::Get, "Encounter/$everything", "", 404),
            (Method::Get, "Patient/$reindex", "", 405),
            (Method::Delete, "$reindex", "", 405),
            (Method::Get, "Patient/$accesses", "", 404),
            (Method::Get, "Observation/1/$accesses", "", 404),
            (Method::Post, "Patient/1/$accesses", "", 405),
            (Method::Put, "OperationDefinition/brasa-reindex", "", 405),
            (Method::Get, "OperationDefinition/brasa-reindex/_history", "", 404),
            (Method::Get, "Patient/%ff", "", 400),
            (Method::Get, "Patient%2F1", "", 404),
            (Method::Get, "Patient/1%2F_history", "", 400),
        ] {
            assert_eq!(route(method, path, query).unwrap_err().kind.status(), status, "{method:?} {path}");
        }
    }
}
