//! The one table of operations: the grammar of addresses, the CapabilityStatement, the OperationDefinitions and OpenAPI are
//! all made from it, so none of them tells of an operation that another does not know. <https://hl7.org/fhir/R4/operations.html>

mod rows;

use super::request::Method;
use super::route::Level;
use crate::fhir::definitions::ResourceType;
use crate::fhir::json::{Json, Object};

/// Before the code in the id of an OperationDefinition that this server writes itself.
const OWN_PREFIX: &str = "brasa-";
/// When the table last changed its meaning.
const DATE: &str = "2026-11-30";

/// An operation. A new one is a row of [`OPERATIONS`], and an arm in `route.rs` that says which interaction it is.
#[derive(Debug, PartialEq, Eq)]
pub struct Operation {
    /// Without its `$`.
    pub code: &'static str,
    /// A computer-friendly name, such as `Reindex`.
    pub name: &'static str,
    /// One sentence for a list.
    pub title: &'static str,
    /// What it does, in Markdown.
    pub description: &'static str,
    /// The address of HL7's definition; `None`: the server's own. What the server does of either it answers as
    /// `OperationDefinition/brasa-[code]`.
    pub canonical: Option<&'static str>,
    pub affects_state: bool,
    pub calls: &'static [Call],
    /// The types that it is there for; empty: all.
    pub types: &'static [ResourceType],
    pub parameters: &'static [OperationParameter],
    pub needs: Needs,
}

/// A method and a level at which an operation answers.
#[derive(Debug, PartialEq, Eq)]
pub struct Call {
    pub at: At,
    /// GET stands for HEAD, too.
    pub method: Method,
    /// Statuses of a good answer, and the type of what is answered.
    pub answers: &'static [(u16, ResourceType)],
    /// What this call is, where it is not the operation itself: how far it is, say. CapabilityStatement and OperationDefinition
    /// leave such a call out.
    pub aside: Option<&'static str>,
}

/// What an operation is asked of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    System,
    Type,
    Instance,
    /// One version, current or superseded.
    Version,
}

impl From<&Level> for At {
    fn from(level: &Level) -> At {
        match level {
            Level::System => At::System,
            Level::Type(_) => At::Type,
            Level::Instance(..) => At::Instance,
            Level::Version(..) => At::Version,
        }
    }
}

/// What must be switched on for an operation to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    Nothing,
    /// That accesses are recorded.
    Trail,
}

/// <https://hl7.org/fhir/R4/operationdefinition-definitions.html#OperationDefinition.parameter>
#[derive(Debug, PartialEq, Eq)]
pub struct OperationParameter {
    pub name: &'static str,
    pub is_output: bool,
    pub min: u8,
    /// `1` or `*`.
    pub max: &'static str,
    /// A FHIR type; of an abstract one any that specializes it.
    pub kind: &'static str,
    /// Of a string by which a search is narrowed, what kind of search parameter it is.
    pub search_kind: Option<&'static str>,
    pub documentation: &'static str,
}

const fn input(name: &'static str, kind: &'static str, documentation: &'static str) -> OperationParameter {
    OperationParameter { name, is_output: false, min: 0, max: "1", kind, search_kind: None, documentation }
}

const fn output(name: &'static str, kind: &'static str, documentation: &'static str) -> OperationParameter {
    OperationParameter { name, is_output: true, min: 0, max: "1", kind, search_kind: None, documentation }
}

const fn call(at: At, method: Method, answers: &'static [(u16, ResourceType)]) -> Call {
    Call { at, method, answers, aside: None }
}

/// Every operation, in the order of the codes.
pub const OPERATIONS: &[Operation] = &[
    Operation {
        code: "accesses",
        name: "Accesses",
        title: "Who opened a patient's record",
        description: "Who opened the record, when, and why, as AuditEvents, the newest first. The patient may ask it, and \
            whoever may read the audit.",
        canonical: None,
        affects_state: false,
        calls: &[call(At::Instance, Method::Get, &[(200, ResourceType::BUNDLE)])],
        types: &[ResourceType::PATIENT],
        parameters: &[
            OperationParameter {
                search_kind: Some("date"),
                max: "*",
                ..input("date", "string", "When the record was opened, with the prefixes eq, ge, gt, sa, le, lt, eb.")
            },
            input("_count", "integer", "AuditEvents of one page."),
            OperationParameter { min: 1, ..output("return", "Bundle", "A searchset of AuditEvents.") },
        ],
        needs: Needs::Trail,
    },
    rows::DOCUMENT,
    rows::EVERYTHING_OF_ENCOUNTER,
    rows::EVERYTHING_OF_PATIENT,
    rows::EXPUNGE,
    rows::LASTN,
    rows::META,
    rows::META_ADD,
    rows::META_DELETE,
    Operation {
        code: "reindex",
        name: "Reindex",
        title: "Writes the search index of stored resources again",
        description: "Writes the search index of stored resources again: of one resource at once, of a type or of everything \
            in the background (202, and Content-Location says where to ask how far it is). For administrators. It has no \
            parameters: the address says what is indexed.",
        canonical: None,
        affects_state: true,
        calls: &[
            call(At::System, Method::Post, &[(202, ResourceType::PARAMETERS)]),
            call(At::Type, Method::Post, &[(202, ResourceType::PARAMETERS)]),
            call(At::Instance, Method::Post, &[(200, ResourceType::OPERATION_OUTCOME)]),
            Call {
                aside: Some("How far the jobs of $reindex are, or one of them."),
                ..call(At::System, Method::Get, &[(200, ResourceType::PARAMETERS), (202, ResourceType::PARAMETERS)])
            },
        ],
        types: &[],
        parameters: &[
            output("job", "string", "The job's number, where there is one."),
            output("scope", "string", "What it indexes: a type, or everything."),
            output("state", "code", "waiting, running or complete."),
            output("done", "decimal", "Resources that are indexed."),
            output("failed", "decimal", "Resources that could not be."),
            output("total", "decimal", "Resources that there are, once they are counted."),
            output("percent", "decimal", "How far it is (%)."),
        ],
        needs: Needs::Nothing,
    },
    rows::STATS,
    rows::SUMMARY,
    rows::VALIDATE,
    rows::VERSIONS,
];

/// The operations of this code, without its `$`.
/// One code may mean two, each for its own types.
pub fn named(code: &str) -> impl Iterator<Item = &'static Operation> {
    OPERATIONS.iter().filter(move |operation| operation.code == code)
}

/// The operation that an id of this server's own OperationDefinitions stands for.
pub fn of_definition(id: &str) -> Option<&'static Operation> {
    id.strip_prefix(OWN_PREFIX)?;
    OPERATIONS.iter().find(|operation| operation.definition_id() == id)
}

impl Operation {
    /// Whether it is asked of this at all, by whatever method.
    pub fn is_at(&self, level: &Level) -> bool {
        let is_of = level.resource_type().is_none_or(|of| self.is_of(of));
        is_of && self.calls_at(level.into()).next().is_some()
    }

    /// Whether it is there for resources of this type.
    pub fn is_of(&self, resource_type: ResourceType) -> bool {
        self.types.is_empty() || self.types.contains(&resource_type)
    }

    pub fn calls_at(&self, at: At) -> impl Iterator<Item = &'static Call> {
        self.calls.iter().filter(move |call| call.at == at)
    }

    /// Whether a method means something at this level; HEAD does where GET does.
    pub fn allows(&self, level: &Level, method: Method) -> bool {
        let method = if method == Method::Head { Method::Get } else { method };
        self.calls_at(level.into()).any(|call| call.method == method)
    }

    /// Whether the operation itself, not something beside it, is asked of this.
    pub fn is_defined_at(&self, at: At) -> bool {
        self.calls_at(at).any(|call| call.aside.is_none())
    }

    /// The id of the definition that this server answers: `brasa-reindex`, or where types share a code
    /// `brasa-everything-patient`.
    pub fn definition_id(&self) -> String {
        match self.types {
            [of] if named(self.code).count() > 1 => {
                format!("{OWN_PREFIX}{}-{}", self.code, of.as_str().to_ascii_lowercase())
            }
            _ => format!("{OWN_PREFIX}{}", self.code),
        }
    }

    /// The address of its definition: HL7's, where there is one.
    pub fn definition(&self, base: &str) -> String {
        self.canonical.map_or_else(|| self.own_definition(base), str::to_owned)
    }

    /// The address of what this server says of it.
    fn own_definition(&self, base: &str) -> String {
        format!("{base}/OperationDefinition/{}", self.definition_id())
    }

    /// <https://hl7.org/fhir/R4/operationdefinition.html>
    pub fn to_resource(&self, base: &str) -> Object {
        let resources: Vec<Json> = match self.types {
            [] => vec![Json::string("Resource")],
            types => types.iter().map(|of| Json::string(of.as_str())).collect(),
        };
        let level = |at| Json::Bool(self.is_defined_at(at));
        let is_of_instances = self.is_defined_at(At::Instance) || self.is_defined_at(At::Version);
        let mut definition = Object::new()
            .with_str("resourceType", "OperationDefinition")
            .with_str("id", self.definition_id())
            .with_str("url", self.own_definition(base))
            .with_str("version", env!("CARGO_PKG_VERSION"))
            .with_str("name", self.name)
            .with_str("title", self.title)
            .with_str("status", "active")
            .with_str("kind", "operation")
            .with_str("date", DATE)
            .with_str("description", self.description)
            .with("affectsState", Json::Bool(self.affects_state))
            .with_str("code", self.code);
        // What HL7 defines is narrowed here to what this server does of it.
        if let Some(canonical) = self.canonical {
            definition = definition.with_str("base", canonical);
        }
        definition = definition
            .with("resource", Json::Array(resources))
            .with("system", level(At::System))
            .with("type", level(At::Type))
            .with("instance", Json::Bool(is_of_instances));
        if !self.parameters.is_empty() {
            let parameters = self.parameters.iter().map(|parameter| Json::Object(parameter.to_json())).collect();
            definition = definition.with("parameter", Json::Array(parameters));
        }
        definition
    }
}

impl OperationParameter {
    fn to_json(&self) -> Object {
        let parameter = Object::new()
            .with_str("name", self.name)
            .with_str("use", if self.is_output { "out" } else { "in" })
            .with("min", Json::from(i64::from(self.min)))
            .with_str("max", self.max)
            .with_str("documentation", self.documentation)
            .with_str("type", self.kind);
        match self.search_kind {
            None => parameter,
            Some(kind) => parameter.with_str("searchType", kind),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operation_is_once_in_the_table_and_can_be_asked() {
        let codes: Vec<&str> = OPERATIONS.iter().map(|operation| operation.code).collect();
        assert!(codes.is_sorted(), "{codes:?}");
        for operation in OPERATIONS {
            assert!(operation.calls.iter().any(|call| call.aside.is_none()), "{}", operation.code);
            // What changes something is never asked by a method that is safe. https://hl7.org/fhir/R4/operations.html
            let is_safe = |call: &&Call| call.aside.is_none() && call.method == Method::Get;
            assert!(
                !operation.affects_state || !operation.calls.iter().any(|call| is_safe(&call)),
                "{}",
                operation.code
            );
        }
    }
}
