//! The embedded tables under `definitions/r4/`, split into fields.

use super::constraint::Constraint;

const ELEMENTS: &str = include_str!("../../../definitions/r4/elements.tsv");
const COMPARTMENTS: &str = include_str!("../../../definitions/r4/compartments.tsv");
const SEARCH_PARAMETERS: &str = include_str!("../../../definitions/r4/search-parameters.tsv");
const VALUE_SETS: &str = include_str!("../../../definitions/r4/value-sets.tsv");
const INVARIANTS: &str = include_str!("../../../definitions/r4/invariants.tsv");

/// Stands for an empty field.
const NONE: &str = "-";

/// One row of `elements.tsv`, as written there.
#[derive(Clone, Copy)]
pub(super) struct ElementRow {
    /// `Patient.contact.name`; a choice element ends in `[x]`.
    pub path: &'static str,
    pub is_required: bool,
    pub is_list: bool,
    /// Type names between `|`, or `#Path`; for a definition's own row the type it specializes.
    pub types: &'static str,
    /// Resource types between `|`.
    pub references: &'static str,
    /// Resource types between `|`.
    pub canonicals: &'static str,
    pub is_summary: bool,
    /// The name of the value set that is required.
    pub binding: &'static str,
}

impl ElementRow {
    fn parse(line: &'static str) -> Option<Self> {
        let [path, min, max, types, references, canonicals, summary, binding] = fields(line)?;
        let is_required = match min {
            "0" => false,
            "1" => true,
            _ => return None,
        };
        let is_list = match max {
            "0" | "1" => false,
            "*" => true,
            _ => return None,
        };
        let is_summary = match summary {
            "" => false,
            "summary" => true,
            _ => return None,
        };
        Some(Self { path, is_required, is_list, types, references, canonicals, is_summary, binding })
    }

    /// The path of the element this one is a child of; none for a definition's own row.
    pub fn parent(self) -> Option<&'static str> {
        self.path.rsplit_once('.').map(|(parent, _)| parent)
    }

    /// The type whose definition holds this row.
    pub fn definition(self) -> &'static str {
        self.path.split_once('.').map_or(self.path, |(definition, _)| definition)
    }
}

/// One row of `compartments.tsv`.
pub(super) struct CompartmentRow {
    pub compartment: &'static str,
    pub resource_type: &'static str,
    /// The code of the search parameter, or `{def}` in the row of the compartment's own type.
    pub parameter: &'static str,
    /// Dotted JSON names, or `{self}`.
    pub path: &'static str,
}

/// A search parameter of one base.
#[derive(Clone, Copy)]
pub struct SearchParameterRow {
    /// A resource type, or `Resource` or `DomainResource`.
    pub base: &'static str,
    pub code: &'static str,
    /// `string`, `token` …
    pub kind: &'static str,
    pub url: &'static str,
    /// Its branches that start at the base; empty when the package gives none.
    pub expression: &'static str,
    targets: &'static str,
    components: &'static str,
}

impl SearchParameterRow {
    /// The types that a reference may lead to; `Resource` stands for any.
    pub fn targets(&self) -> impl Iterator<Item = &'static str> {
        self.targets.split('|').filter(|name| !name.is_empty())
    }

    /// Of a composite: the address of the parameter that says the kind, and the expression from the element.
    pub fn components(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.components.split(';').filter_map(|component| component.split_once('='))
    }
}

/// The rows of `search-parameters.tsv` in order; `None` for a row that cannot be read.
pub fn search_parameters() -> impl Iterator<Item = Option<SearchParameterRow>> {
    SEARCH_PARAMETERS.lines().skip(1).map(|line| {
        let [base, code, kind, url, expression, targets, components] = fields(line)?;
        Some(SearchParameterRow { base, code, kind, url, expression, targets, components })
    })
}

/// The rows of `elements.tsv` in order; `None` for a row that cannot be read.
pub(super) fn elements() -> impl Iterator<Item = Option<ElementRow>> {
    ELEMENTS.lines().skip(1).map(ElementRow::parse)
}

/// The rows of `compartments.tsv` in order; `None` for a row that cannot be read.
pub(super) fn compartments() -> impl Iterator<Item = Option<CompartmentRow>> {
    COMPARTMENTS.lines().skip(1).map(|line| {
        let [compartment, resource_type, parameter, path] = fields(line)?;
        Some(CompartmentRow { compartment, resource_type, parameter, path })
    })
}

/// One row of `value-sets.tsv`: the codes of one system.
pub(super) struct ValueSetRow {
    pub name: &'static str,
    pub system: &'static str,
    /// Between `|`.
    pub codes: &'static str,
}

/// The rows of `value-sets.tsv` in order; `None` for a row that cannot be read.
pub(super) fn value_sets() -> impl Iterator<Item = Option<ValueSetRow>> {
    VALUE_SETS.lines().skip(1).map(|line| {
        let [name, system, codes] = fields(line)?;
        Some(ValueSetRow { name, system, codes })
    })
}

/// One row of `invariants.tsv`.
pub(super) struct ConstraintRow {
    pub path: &'static str,
    pub constraint: Constraint,
}

/// The rows of `invariants.tsv` in order; `None` for a row that cannot be read.
pub(super) fn constraints() -> impl Iterator<Item = Option<ConstraintRow>> {
    INVARIANTS.lines().skip(1).map(|line| {
        let [path, key, severity, expression, human] = fields(line)?;
        let is_error = match severity {
            "error" => true,
            "warning" => false,
            _ => return None,
        };
        Some(ConstraintRow { path, constraint: Constraint { key, is_error, expression, human } })
    })
}

/// Exactly `N` fields, the empty ones as an empty string.
fn fields<const N: usize>(line: &'static str) -> Option<[&'static str; N]> {
    let mut fields = [""; N];
    let mut written = line.split('\t');
    for field in &mut fields {
        *field = match written.next()? {
            "" => return None,
            NONE => "",
            text => text,
        };
    }
    written.next().is_none().then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_tables_can_be_read() {
        assert_eq!(elements().filter(Option::is_none).count(), 0);
        assert_eq!(compartments().filter(Option::is_none).count(), 0);
        assert_eq!(elements().count(), 7675);
        assert_eq!(compartments().count(), 305);
        assert_eq!(search_parameters().filter(Option::is_none).count(), 0);
        assert_eq!(search_parameters().count(), 1718);
        assert_eq!(value_sets().filter(Option::is_none).count(), 0);
        assert_eq!(value_sets().count(), 225);
        assert_eq!(constraints().filter(Option::is_none).count(), 0);
        assert_eq!(constraints().count(), 299);
    }

    #[test]
    fn a_row_with_a_field_too_few_or_too_many_or_an_unknown_cardinality_is_none() {
        assert!(ElementRow::parse("A.b\t0\t1\tstring\t-\t-\t-\t-").is_some());
        assert!(ElementRow::parse("A.b\t0\t1\tcode\t-\t-\tsummary\tset").is_some());
        assert!(ElementRow::parse("A.b\t0\t1\tstring\t-\t-\t-").is_none());
        assert!(ElementRow::parse("A.b\t0\t1\tstring\t-\t-\t-\t-\t-").is_none());
        assert!(ElementRow::parse("A.b\t0\t3\tstring\t-\t-\t-\t-").is_none());
        assert!(ElementRow::parse("A.b\t\t1\tstring\t-\t-\t-\t-").is_none());
        assert!(ElementRow::parse("A.b\t0\t1\tstring\t-\t-\tx\t-").is_none());
    }
}
