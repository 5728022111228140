//! Value sets and code systems as far as they can be known without a terminology server. <https://hl7.org/fhir/R4/valueset.html>

use super::canonical::embedded_name;
use super::shelf::{Definition, Desk, Found, Kind};
use crate::fhir::definitions::ValueSet as Embedded;
use crate::fhir::json::{Json, Object};
use smol_str::SmolStr;
use std::collections::{HashMap, HashSet};

/// Value sets that lead to each other.
const DEPTH_MAX: usize = 16;

/// What is known of a question: whether a code is in a set, an element in a slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    Yes,
    No,
    /// It cannot be told here.
    Unknown,
}

impl Fit {
    pub fn of(told: bool) -> Fit {
        if told { Fit::Yes } else { Fit::No }
    }

    pub fn or(self, other: Fit) -> Fit {
        match (self, other) {
            (Fit::Yes, _) | (_, Fit::Yes) => Fit::Yes,
            (Fit::No, Fit::No) => Fit::No,
            _ => Fit::Unknown,
        }
    }

    /// Asks until one says yes.
    pub fn any(fits: impl IntoIterator<Item = Fit>) -> Fit {
        let told = fits.into_iter().try_fold(Fit::No, |fit, one| match fit.or(one) {
            Fit::Yes => Err(Fit::Yes),
            fit => Ok(fit),
        });
        told.unwrap_or_else(|yes| yes)
    }

    pub fn and(self, other: Fit) -> Fit {
        match (self, other) {
            (Fit::No, _) | (_, Fit::No) => Fit::No,
            (Fit::Yes, Fit::Yes) => Fit::Yes,
            _ => Fit::Unknown,
        }
    }
}

/// A ValueSet: what it includes and excludes, and its expansion where that is whole.
#[derive(Debug)]
pub struct ValueSet {
    expansion: Option<HashMap<SmolStr, HashSet<SmolStr>>>,
    includes: Vec<Part>,
    excludes: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    system: Option<SmolStr>,
    /// `None`: the whole system.
    codes: Option<HashSet<SmolStr>>,
    value_sets: Vec<SmolStr>,
    has_filter: bool,
}

/// A CodeSystem's codes.
#[derive(Debug)]
pub struct CodeSystem {
    /// In small letters where the system minds no case.
    codes: HashSet<SmolStr>,
    is_complete: bool,
    minds_case: bool,
}

impl ValueSet {
    pub fn read(object: &Object) -> ValueSet {
        let compose = object.get("compose").and_then(Json::as_object);
        let parts = |name: &str| compose.map(|compose| objects(compose, name).map(Part::read).collect());
        ValueSet {
            expansion: object.get("expansion").and_then(Json::as_object).and_then(expansion),
            includes: parts("include").unwrap_or_default(),
            excludes: parts("exclude").unwrap_or_default(),
        }
    }

    fn contains(&self, desk: &Desk<'_>, system: Option<&str>, code: &str, depth: usize) -> Fit {
        if let Some(expansion) = &self.expansion {
            let is_of = |of: &SmolStr| system.is_none_or(|system| system == of.as_str());
            return Fit::of(expansion.iter().any(|(of, codes)| is_of(of) && codes.contains(code)));
        }
        if self.includes.is_empty() {
            return Fit::Unknown;
        }
        let holds = |part: &Part| part.contains(desk, system, code, depth);
        let included = Fit::any(self.includes.iter().map(holds));
        if included == Fit::No {
            return Fit::No;
        }
        match Fit::any(self.excludes.iter().map(holds)) {
            Fit::Yes => Fit::No,
            Fit::No => included,
            Fit::Unknown => Fit::Unknown,
        }
    }
}

impl Part {
    fn read(object: &Object) -> Part {
        let codes: HashSet<SmolStr> =
            objects(object, "concept").filter_map(|one| one.get_str("code").map(SmolStr::new)).collect();
        let value_sets = object.get("valueSet").map(Json::items).unwrap_or_default();
        Part {
            system: object.get_str("system").map(SmolStr::new),
            codes: (!codes.is_empty()).then_some(codes),
            value_sets: value_sets.iter().filter_map(Json::as_str).map(SmolStr::new).collect(),
            has_filter: object.get("filter").is_some(),
        }
    }

    fn contains(&self, desk: &Desk<'_>, system: Option<&str>, code: &str, depth: usize) -> Fit {
        if !desk.allowance.lookups.spend() || self.system.is_none() && self.value_sets.is_empty() {
            return Fit::Unknown;
        }
        let mut fit = Fit::Yes;
        if let Some(of) = &self.system {
            let is_other = system.is_some_and(|system| system != of.as_str());
            fit = match (&self.codes, is_other) {
                (_, true) => Fit::No,
                (Some(codes), _) => Fit::of(codes.contains(code)),
                (None, _) if self.has_filter => Fit::Unknown,
                (None, _) => of_system(desk, of, code),
            };
        }
        for other in &self.value_sets {
            if fit == Fit::No {
                break;
            }
            fit = fit.and(contains_within(desk, other, system, code, depth + 1));
        }
        fit
    }
}

/// Whether a whole code system has a code.
fn of_system(desk: &Desk<'_>, system: &str, code: &str) -> Fit {
    match desk.find(Kind::CodeSystem, system) {
        Found::Here(definition) => match &*definition {
            Definition::CodeSystem(known) if known.has(code) => Fit::Yes,
            Definition::CodeSystem(known) if known.is_complete => Fit::No,
            _ => Fit::Unknown,
        },
        Found::Absent | Found::NotYet => Fit::Unknown,
    }
}

/// Whether a code is in a value set; without a system, whatever its system is.
pub fn contains(desk: &Desk<'_>, value_set: &str, system: Option<&str>, code: &str) -> Fit {
    contains_within(desk, value_set, system, code, 0)
}

fn contains_within(desk: &Desk<'_>, value_set: &str, system: Option<&str>, code: &str, depth: usize) -> Fit {
    if depth > DEPTH_MAX {
        return Fit::Unknown;
    }
    let embedded = embedded_name(value_set).and_then(Embedded::named);
    if let Some(told) = embedded.and_then(|embedded| embedded.contains(system, code)) {
        return Fit::of(told);
    }
    match desk.find(Kind::ValueSet, value_set) {
        Found::Here(definition) => match &*definition {
            Definition::ValueSet(known) => known.contains(desk, system, code, depth),
            _ => Fit::Unknown,
        },
        Found::Absent | Found::NotYet => Fit::Unknown,
    }
}

impl CodeSystem {
    pub fn read(object: &Object) -> CodeSystem {
        // Where it does not say, codes are taken as they stand.
        let minds_case = object.get("caseSensitive") != Some(&Json::Bool(false));
        let mut codes = HashSet::new();
        let mut open: Vec<&Object> = objects(object, "concept").collect();
        while let Some(concept) = open.pop() {
            codes.extend(concept.get_str("code").map(|code| in_case(code, minds_case)));
            open.extend(objects(concept, "concept"));
        }
        CodeSystem { codes, is_complete: object.get_str("content") == Some("complete"), minds_case }
    }

    fn has(&self, code: &str) -> bool {
        self.codes.contains(&in_case(code, self.minds_case))
    }
}

fn in_case(code: &str, minds_case: bool) -> SmolStr {
    if minds_case { SmolStr::new(code) } else { code.to_lowercase().into() }
}

/// The codes of an expansion; `None` where only a part of it is there.
fn expansion(expansion: &Object) -> Option<HashMap<SmolStr, HashSet<SmolStr>>> {
    let mut found: HashMap<SmolStr, HashSet<SmolStr>> = HashMap::new();
    let (mut open, mut count): (Vec<&Object>, usize) = (objects(expansion, "contains").collect(), 0);
    while let Some(one) = open.pop() {
        count += 1;
        let is_abstract = one.get("abstract") == Some(&Json::Bool(true));
        if let Some(code) = one.get_str("code").filter(|_| !is_abstract) {
            let system = SmolStr::new(one.get_str("system").unwrap_or_default());
            found.entry(system).or_default().insert(SmolStr::new(code));
        }
        open.extend(objects(one, "contains"));
    }
    let total = match expansion.get("total") {
        Some(Json::Number(digits)) => digits.parse().unwrap_or(usize::MAX),
        _ => count,
    };
    (count > 0 && total <= count).then_some(found)
}

fn objects<'a>(object: &'a Object, name: &str) -> impl Iterator<Item = &'a Object> + use<'a> {
    object.get(name).map(Json::items).unwrap_or_default().iter().filter_map(Json::as_object)
}
