//! A search as a tree of clauses over index entries, independent of SQL. Nothing in it can be rendered to nothing.

use super::entry::Span;
use crate::fhir::definitions::ResourceType;
use crate::fhir::id::Id;
use smol_str::SmolStr;

/// A condition that a resource meets or not.
#[derive(Debug, Clone, PartialEq)]
pub enum Clause {
    /// Some entry (or the resource's own row) matches.
    Match(Predicate),
    Not(Box<Clause>),
    /// At least one; of none: no resource.
    Any(Vec<Clause>),
    /// Each one; of none: every resource.
    All(Vec<Clause>),
    /// A reference leads to a resource that meets a condition: `subject:Patient.name=x`.
    Chain(Chain),
    /// A resource that meets a condition refers to this one: `_has:Observation:patient:code=x`.
    Has(Has),
    /// Must be replaced by what the database holds before it can be rendered.
    Pending(Pending),
}

/// One comparison with one entry.
#[derive(Debug, Clone, PartialEq)]
pub enum Predicate {
    Type(ResourceType),
    Id(Id),
    /// One of the resources with these self-hashes (`hash::self_hash`).
    SelfIn(Vec<i64>),
    LastUpdated(Bounds<i64>),
    /// A token entry with exactly this hash.
    Token {
        token: i64,
        system: SystemMatch,
        /// The only type whose resources have such entries; `None`: several may.
        only: Option<ResourceType>,
        /// The business identifier that is asked for, as it is written.
        identifier: Option<Box<IdentifierText>>,
    },
    /// A token entry with one of these hashes: the members of a ValueSet.
    TokenIn {
        tokens: Vec<i64>,
        system: SystemMatch,
    },
    /// A reference entry to one resource on this server. `home`: every branch of the parameter puts a resource into the
    /// patient compartment, so that a match on a Patient is in that patient's record or a member of it.
    Reference {
        token: i64,
        target: (ResourceType, Id),
        home: bool,
        only: Option<ResourceType>,
    },
    /// A token entry of this branch in a system, whatever its code: `system|`.
    InSystem {
        param: i32,
        system: i32,
    },
    /// Any entry of this branch: `:missing=false`.
    Present(Branch),
    Text {
        under: Under,
        matching: TextMatch,
    },
    /// The leading date, in the resource's own row.
    LeadingDate(Bounds<i64>),
    Date {
        under: Under,
        bounds: Bounds<i64>,
    },
    /// Of two numbers of one element, in a composite, the first is in `low`, the second in `high`.
    Number {
        under: Under,
        unit: UnitMatch,
        bounds: Bounds<f64>,
    },
    /// At most so far from a place.
    Near {
        latitude: f64,
        longitude: f64,
        metres: f64,
    },
    /// Full text over the narrative, or over all of the resource: alternatives, each of terms that all hold.
    FullText {
        narrative_only: bool,
        alternatives: Vec<Vec<TextTerm>>,
    },
}

/// Under which hash the entries of a branch lie in the tables of texts, dates and numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Under {
    /// The branch's hash; in a composite, with the code beside it.
    pub param: i64,
    /// The system of that code.
    pub system: SystemMatch,
    /// The only type whose resources have such entries; `None`: several may.
    pub only: Option<ResourceType>,
}

impl Under {
    /// Of a branch's own values.
    pub fn of(branch: &super::registry::Branch) -> Under {
        Under { param: branch.hash, system: SystemMatch::Any, only: branch.only }
    }
}

/// A value of `Type.identifier`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentifierText {
    /// `None`: any; empty: none.
    pub system: Option<SmolStr>,
    pub value: SmolStr,
}

/// Which index the entries of a branch are in, and under which name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Branch {
    Token(i32),
    String(i64),
    LeadingDate,
    Date(i64),
    Number(i64),
    Position,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SystemMatch {
    Any,
    /// `|code`: the value has no system.
    None,
    Is(i32),
}

#[derive(Debug, Clone, PartialEq)]
pub enum TextMatch {
    /// The folded value starts with this.
    Prefix(String),
    /// The folded value holds this.
    Contains(String),
    /// The folded value ends with this: `name ew "z"` in `_filter`.
    Suffix(String),
    /// The folded value is this: `name eq "perez"` in `_filter`.
    Whole(String),
    /// The text as written; the folded one narrows the index.
    Exact { folded: String, exact: i64 },
}

/// Words that stand side by side, folded and cut as [`super::full_text::words`] does; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextTerm {
    pub words: Vec<String>,
    /// They must not stand there. An alternative has another term beside it.
    pub is_absent: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum UnitMatch {
    /// Compare the values as written, whatever the unit.
    Any,
    /// Compare in the canonical unit.
    Canonical(i64),
    /// Compare the values as written with this unit code or unit text.
    Written(i32),
}

/// Bounds on an entry's low and high end; all of them hold.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Bounds<T> {
    pub low: Limits<T>,
    pub high: Limits<T>,
}

#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limits<T> {
    pub from: Option<Limit<T>>,
    pub to: Option<Limit<T>>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit<T> {
    pub value: T,
    pub inclusive: bool,
}

/// A branch of a reference parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// The branch's hash: XOR a resource's `self` it gives the token.
    pub hash: i64,
    pub param: i32,
    /// Resources that it leads to from a patient's record are in the same record: it is what decides the home.
    pub decides_home: bool,
    /// The only type that has the branch; `None`: several may.
    pub only: Option<ResourceType>,
}

/// `parameter:Type.rest=value`.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain {
    /// The type that holds the reference.
    pub source: ResourceType,
    pub links: Vec<Link>,
    /// Each possible target type with the condition on it.
    pub targets: Vec<(ResourceType, Clause)>,
}

/// `_has:Source:parameter:rest=value`.
#[derive(Debug, Clone, PartialEq)]
pub struct Has {
    /// The type that is searched for and referred to.
    pub target: ResourceType,
    pub source: ResourceType,
    pub links: Vec<Link>,
    /// The condition on the source.
    pub condition: Box<Clause>,
}

/// What only the database can say.
#[derive(Debug, Clone, PartialEq)]
pub enum Pending {
    /// `code:in=url-or-reference`: becomes one alternative for each member. A branch is (hash, param).
    InValueSet { branches: Vec<(i64, i32)>, value_set: SmolStr },
    /// `_list=id`.
    InList(Id),
}

impl Clause {
    /// `Any`, without the wrapping where there is one alternative.
    pub fn any(mut clauses: Vec<Clause>) -> Clause {
        match (clauses.pop(), clauses.is_empty()) {
            (Some(only), true) => only,
            (last, _) => {
                clauses.extend(last);
                Clause::Any(clauses)
            }
        }
    }

    /// `All`, without the wrapping where there is one condition.
    pub fn all(mut clauses: Vec<Clause>) -> Clause {
        match (clauses.pop(), clauses.is_empty()) {
            (Some(only), true) => only,
            (last, _) => {
                clauses.extend(last);
                Clause::All(clauses)
            }
        }
    }

    /// The conditions that must all be met.
    pub fn conjunction(&self) -> &[Clause] {
        match self {
            Clause::All(clauses) => clauses,
            other => std::slice::from_ref(other),
        }
    }

    /// Whether it is known without a look at any resource that none meets it: a chain that leads to nothing.
    pub fn is_never(&self) -> bool {
        match self {
            Clause::Match(Predicate::SelfIn(selves)) => selves.is_empty(),
            Clause::Not(inner) => inner.is_always(),
            Clause::Any(clauses) => clauses.iter().all(Clause::is_never),
            Clause::All(clauses) => clauses.iter().any(Clause::is_never),
            Clause::Match(_) | Clause::Chain(_) | Clause::Has(_) | Clause::Pending(_) => false,
        }
    }

    /// Whether it is known without a look at any resource that each meets it.
    pub fn is_always(&self) -> bool {
        match self {
            Clause::Not(inner) => inner.is_never(),
            Clause::Any(clauses) => clauses.iter().any(Clause::is_always),
            Clause::All(clauses) => clauses.iter().all(Clause::is_always),
            Clause::Match(_) | Clause::Chain(_) | Clause::Has(_) | Clause::Pending(_) => false,
        }
    }

    #[must_use]
    pub fn negated(self) -> Clause {
        match self {
            Clause::Not(inner) => *inner,
            other => Clause::Not(Box::new(other)),
        }
    }
}

impl<T: Copy> Bounds<T> {
    /// The entry's whole span lies within `[from, to)`.
    pub fn within(from: T, to: T) -> Self {
        Bounds {
            low: Limits { from: Some(Limit { value: from, inclusive: true }), to: None },
            high: Limits { from: None, to: Some(Limit { value: to, inclusive: true }) },
        }
    }
}

impl From<Span> for Bounds<i64> {
    fn from(span: Span) -> Self {
        Bounds::within(span.low, span.high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_resource_can_meet_is_known_without_a_look_at_any() {
        let (never, always) = (|| Clause::Any(Vec::new()), || Clause::All(Vec::new()));
        let open = || Clause::Match(Predicate::Type(ResourceType::PATIENT));
        for one in [
            never(),
            Clause::Match(Predicate::SelfIn(Vec::new())),
            always().negated(),
            Clause::All(vec![open(), never()]),
            Clause::Any(vec![never(), Clause::All(vec![never(), open()])]),
            Clause::Any(vec![open(), never().negated()]).negated(),
        ] {
            assert!(one.is_never(), "{one:?}");
            assert!(!one.negated().is_never());
        }
        for one in [open(), open().negated(), always(), Clause::Any(vec![never(), open()])] {
            assert!(!one.is_never(), "{one:?}");
        }
    }
}
