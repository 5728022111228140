//! From the parameters of a request to what is searched for. <https://hl7.org/fhir/R4/search.html>
//!
//! No parameter is dropped: each becomes part of the [`Query`], is refused, or is reported as ignored.

mod chain;
mod condition;
mod control;
mod include;
mod refused;
mod scope;
mod sort;
mod text;

pub use control::{Summary, Total, part_of_one};
pub use include::Include;
pub use scope::Scope;
pub use sort::{SortBy, SortKey};

pub(in crate::search) use condition::Compiler;
pub(in crate::search) use refused::Refused;

use super::clause::Clause;
use super::registry::Registry;
use crate::error::{self, Error, Kind};
use crate::fhir::definitions::ResourceType;

/// At most this many parameters are read (parameters). Beyond it: 400.
pub const PARAMETERS_MAX: usize = 100;

/// What a client asks, and what it is read against.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    pub scope: &'a Scope,
    /// Decoded, in the order of the request.
    pub parameters: &'a [(String, String)],
    pub registry: &'a Registry,
    /// `Prefer: handling=strict`: what would be ignored is refused.
    pub strict: bool,
    /// The time of the request (microseconds since 1970 UTC).
    pub now_us: i64,
    /// This server's own address: references that start with it are local.
    pub base: Option<&'a str>,
    /// The server was not told its address: it is the one that the request came to.
    pub base_is_guessed: bool,
    /// Resources of a page if `_count` does not say, and at most.
    pub count_default: u32,
    pub count_max: u32,
}

/// A search as it was understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// None: every type.
    pub types: Vec<ResourceType>,
    /// Each must hold.
    pub clauses: Vec<Clause>,
    /// The name of the parameter that each clause comes from, for refusals; of the compartment's clause it is empty.
    pub places: Vec<String>,
    pub sort: Vec<SortKey>,
    /// Resources of a page; none: only their number is asked for, as by [`Summary::Count`].
    pub count: u32,
    /// The paging token, still sealed.
    pub page: Option<String>,
    pub summary: Summary,
    /// Names of elements at the top of the resource; none: all of them.
    pub elements: Vec<String>,
    pub total: Total,
    pub includes: Vec<Include>,
    pub revincludes: Vec<Include>,
    pub explain: bool,
    /// The parameters that are part of the search, for the `self` link. Without `_page`, which each link has its own of.
    pub used: Vec<(String, String)>,
    pub ignored: Vec<Ignored>,
    /// What a paging token is bound to: where is searched and for what, not how many make a page.
    pub fingerprint: Vec<u8>,
}

/// A parameter that is not part of the search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored {
    pub name: String,
    pub value: String,
    /// A sentence.
    pub reason: String,
}

/// Reads a search.
///
/// # Errors
/// 400 for a value that cannot be read, for what is more than the bounds allow, for what is known but not supported;
/// under strict handling also for what would be ignored. The error's place is the parameter's name.
/// 404 for a type that is not in the compartment.
pub fn parse(question: &Question<'_>) -> error::Result<Query> {
    if question.parameters.len() > PARAMETERS_MAX {
        let message = format!("A search may have at most {PARAMETERS_MAX} parameters.");
        return Err(Error::new(Kind::TooCostly, message));
    }
    question.parameters.iter().try_for_each(|(name, value)| check_characters(name, value))?;
    control::check_repetitions(question.parameters)?;
    let compiler = Compiler::new(question);
    let mut query = Query::new(question)?;
    if let Some(clause) = question.scope.clause(&compiler, &query.types)? {
        query.push_clause("", clause);
    }
    for (name, value) in question.parameters {
        match query.take(&compiler, question, name, value) {
            Ok(()) => query.note_used(name, value),
            Err(Refused::Ignorable(reason) | Refused::Unfinished(reason)) if question.strict => {
                return Err(Error::invalid(reason).at(name));
            }
            Err(Refused::Ignorable(reason) | Refused::Unfinished(reason)) => {
                query.ignored.push(Ignored { name: name.clone(), value: value.clone(), reason });
            }
            Err(Refused::Error(error)) => return Err(error.at(name)),
        }
    }
    query.finish(question.scope)?;
    Ok(query)
}

impl Query {
    fn new(question: &Question<'_>) -> error::Result<Query> {
        Ok(Query {
            types: scope::types(question.scope, question.parameters)?,
            clauses: Vec::new(),
            places: Vec::new(),
            sort: Vec::new(),
            count: question.count_default.min(question.count_max),
            page: None,
            summary: Summary::None,
            elements: Vec::new(),
            total: Total::None,
            includes: Vec::new(),
            revincludes: Vec::new(),
            explain: false,
            used: Vec::new(),
            ignored: Vec::new(),
            fingerprint: Vec::new(),
        })
    }

    fn take(
        &mut self,
        compiler: &Compiler<'_>,
        question: &Question<'_>,
        name: &str,
        value: &str,
    ) -> Result<(), Refused> {
        if value.is_empty() {
            return Err(Refused::ignorable(format!("'{name}' has no value.")));
        }
        if control::CODES.contains(&code(name)) {
            return self.control(question, name, value);
        }
        let registry = question.registry;
        match code(name) {
            "_sort" => {
                self.sort = sort::parse(registry, &self.types, name, value)?;
            }
            "_include" => self.includes.extend(include::parse(registry, &self.types, name, value)?),
            "_revinclude" => self.revincludes.extend(include::parse(registry, &self.types, name, value)?),
            _ => self.push_clause(name, compiler.clause(&self.types, name, value)?),
        }
        Ok(())
    }

    fn push_clause(&mut self, place: &str, clause: Clause) {
        self.clauses.push(clause);
        self.places.push(place.to_owned());
    }

    fn note_used(&mut self, name: &str, value: &str) {
        let value = match name {
            "_page" => return,
            "_count" => self.count.to_string(),
            _ => value.to_owned(),
        };
        self.used.push((name.to_owned(), value));
    }

    fn finish(&mut self, scope: &Scope) -> error::Result<()> {
        if self.count == 0 {
            self.summary = Summary::Count;
        }
        if self.summary == Summary::Text && !(self.includes.is_empty() && self.revincludes.is_empty()) {
            let message = "'_summary=text' cannot be asked for together with '_include' or '_revinclude'.";
            return Err(Error::invalid(message).at("_summary"));
        }
        let used = self.used.iter().filter(|(name, _)| name != "_count");
        let parts = used.flat_map(|(name, value)| [name.clone(), value.clone()]);
        for part in std::iter::once(scope.path()).chain(parts) {
            // The length keeps the parts apart.
            self.fingerprint.extend(part.len().to_le_bytes());
            self.fingerprint.extend(part.into_bytes());
        }
        Ok(())
    }
}

/// PostgreSQL's text cannot hold U+0000, so nothing that is stored can be found by it.
fn check_characters(name: &str, value: &str) -> error::Result<()> {
    if !name.contains('\0') && !value.contains('\0') {
        return Ok(());
    }
    let name = name.replace('\0', "\u{FFFD}");
    let message =
        format!("The parameter '{name}' has the character U+0000 in its name or value, which no text can have.");
    Err(Error::invalid(message).at(name))
}

/// A parameter's name without its modifier.
fn code(name: &str) -> &str {
    name.split(':').next().unwrap_or_default()
}

/// A parameter's name without its modifier, and the modifier.
fn split_modifier(name: &str) -> (&str, Option<&str>) {
    match name.split_once(':') {
        Some((code, modifier)) => (code, Some(modifier)),
        None => (name, None),
    }
}

/// The types that are searched: every one where none is named.
fn each_of(types: &[ResourceType]) -> Vec<ResourceType> {
    if types.is_empty() { ResourceType::all().collect() } else { types.to_vec() }
}

/// Asks something of each type. What is ignorable is told with the types that it holds for, a few of them by name.
fn of_each<T>(
    types: &[ResourceType],
    mut ask: impl FnMut(ResourceType) -> Result<T, Refused>,
) -> Result<Vec<T>, Refused> {
    const NAMED_MAX: usize = 3;
    let (mut answers, mut first, mut others) = (Vec::with_capacity(types.len()), None, Vec::new());
    for on in types {
        match ask(*on) {
            Ok(answer) => answers.push(answer),
            Err(Refused::Ignorable(reason)) if first.is_none() => first = Some(reason),
            Err(Refused::Ignorable(_)) => others.push(on.as_str()),
            Err(error) => return Err(error),
        }
    }
    let Some(reason) = first else { return Ok(answers) };
    let named = others.iter().take(NAMED_MAX).copied().collect::<Vec<_>>().join(", ");
    Err(Refused::Ignorable(match others.len() {
        0 => reason,
        1..=NAMED_MAX => format!("{reason} The same holds for {named}."),
        many => format!("{reason} The same holds for {named} and {} more of the types searched.", many - NAMED_MAX),
    }))
}

#[cfg(test)]
pub(in crate::search) mod tests;
