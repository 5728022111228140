//! What a search over several patients goes along: the page's own order, one token's entries, or the few resources that
//! its rarest condition finds.

use super::entries::{LONG_SPAN_US, push_system, table_of};
use super::order::Order;
use super::sql::Sql;
use super::statement::{Listed, push_listed};
use crate::error::Result;
use crate::fhir::definitions::ResourceType;
use crate::search::clause::{Bounds, Clause, Limit, Predicate, SystemMatch};

/// Matches up to which a condition is rare: they are looked up and sorted. Beyond, the search goes along the page's order
/// and looks each resource up; with so many matches it soon has a page.
pub const RARE: usize = 1_000;

/// How a statement finds its rows.
#[derive(Debug, Clone, PartialEq)]
pub enum Driver {
    /// All rows of some compartments.
    Compartments(Vec<String>),
    /// `resource` in the order of the page.
    Page,
    /// The entries of one token, which lie in the order of the page: those of this condition, in some compartments or (of
    /// none) in all. An index into the conditions.
    Token { condition: usize, compartments: Vec<String> },
    /// The resources that this condition finds, sorted. An index into the conditions.
    Gather(usize),
    /// Whatever the planner thinks best: for orders without an index, and for counting.
    Planner,
}

impl Driver {
    /// Nothing can be found: no id or identifier leads anywhere.
    pub fn is_nowhere(&self) -> bool {
        matches!(self, Driver::Compartments(compartments) if compartments.is_empty())
    }

    /// The one compartment that is searched.
    pub fn single(&self) -> Option<&str> {
        match self {
            Driver::Compartments(compartments) | Driver::Token { compartments, .. } => match compartments.as_slice() {
                [one] => Some(one),
                _ => None,
            },
            _ => None,
        }
    }
}

/// How often a condition is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frequency {
    Rare(usize),
    /// `since`: the leading date of its match number [`RARE`] in the order of the page. The later, the denser.
    Frequent {
        since: i64,
    },
}

/// The token of a condition that is one token and no more.
pub fn single_token(clause: &Clause) -> Option<i64> {
    match clause {
        Clause::Match(
            Predicate::Token { token, system: SystemMatch::Any, .. } | Predicate::Reference { token, .. },
        ) => Some(*token),
        _ => None,
    }
}

/// A condition on one token, whatever it says of its system: what can drive a search.
pub fn driving_token(clause: &Clause) -> Option<(i64, SystemMatch)> {
    match clause {
        Clause::Match(Predicate::Token { token, system, .. }) => Some((*token, *system)),
        other => single_token(other).map(|token| (token, SystemMatch::Any)),
    }
}

/// The type that all resources have which one token finds.
pub fn type_of_token(clause: &Clause) -> Option<ResourceType> {
    match clause {
        Clause::Match(Predicate::Token { only, .. } | Predicate::Reference { only, .. }) => *only,
        _ => None,
    }
}

/// Whether all entries of a condition are of one type, and tell the place of their resource in the order of a page by its
/// leading date: then no resource needs to be looked at before it is on the page.
pub fn tells_place(predicate: &Predicate, types: &[&'static str]) -> bool {
    let only = match predicate {
        Predicate::Token { only, .. } | Predicate::Reference { only, .. } => *only,
        Predicate::Text { under, .. } | Predicate::Date { under, .. } | Predicate::Number { under, .. } => under.only,
        _ => None,
    };
    only.is_some_and(|only| types == [only.as_str()])
}

/// A condition on one token that not nearly every resource of a record has, as it has its patient's.
pub fn selects_in_record(clause: &Clause) -> bool {
    driving_token(clause).is_some() && !matches!(clause, Clause::Match(Predicate::Reference { home: true, .. }))
}

/// The driver inside some compartments: a token; where there is none, all resources are looked at.
pub fn inside(conditions: &[Clause], compartments: Vec<String>) -> Driver {
    match conditions.iter().position(selects_in_record) {
        Some(condition) => Driver::Token { condition, compartments },
        None => Driver::Compartments(compartments),
    }
}

/// The alternatives of a condition whose matches can be listed from the tables of the index.
pub fn listable(clause: &Clause) -> Option<Vec<&Predicate>> {
    match clause {
        Clause::Match(predicate @ (Predicate::LastUpdated(_) | Predicate::SelfIn(_))) => Some(vec![predicate]),
        Clause::Match(predicate) => table_of(predicate).is_ok().then(|| vec![predicate]),
        Clause::Any(clauses) => {
            let parts: Option<Vec<Vec<&Predicate>>> = clauses.iter().map(listable).collect();
            parts.map(|parts| parts.into_iter().flatten().collect()).filter(|all: &Vec<_>| !all.is_empty())
        }
        Clause::Not(_) | Clause::All(_) | Clause::Chain(_) | Clause::Has(_) | Clause::Pending(_) => None,
    }
}

/// Chooses the driver for conditions whose frequencies are known where they can be listed.
pub fn choose(conditions: &[Clause], frequencies: &[Option<Frequency>], order: &Order) -> Driver {
    if !order.is_indexed() {
        return Driver::Planner;
    }
    let known = || conditions.iter().zip(frequencies).enumerate().filter_map(|(n, (c, f))| Some((n, c, (*f)?)));
    let rare = known().filter_map(|(number, clause, frequency)| match frequency {
        Frequency::Rare(count) => Some((count, number, clause)),
        Frequency::Frequent { .. } => None,
    });
    if let Some((_, number, clause)) = rare.min_by_key(|(count, ..)| *count) {
        return match driving_token(clause).filter(|_| order.is_by_date()) {
            Some(_) => Driver::Token { condition: number, compartments: Vec::new() },
            None => Driver::Gather(number),
        };
    }
    let frequent = known().filter_map(|(number, clause, frequency)| match frequency {
        Frequency::Frequent { since } => driving_token(clause).map(|_| (since, number)),
        Frequency::Rare(_) => None,
    });
    match frequent.filter(|_| order.is_by_date()).min() {
        Some((_, condition)) => Driver::Token { condition, compartments: Vec::new() },
        None => Driver::Page,
    }
}

/// Whether the choice needs to know how frequent the conditions are.
pub fn needs_frequencies(conditions: &[Clause], order: &Order) -> bool {
    let listable = conditions.iter().filter(|clause| listable(clause).is_some()).count();
    let one_token = listable == 1 && conditions.iter().any(|clause| driving_token(clause).is_some());
    order.is_indexed() && listable > 0 && !(one_token && order.is_by_date())
}

/// Bounds on where the leading date of a match begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DateRange {
    pub from: Option<i64>,
    pub to: Option<i64>,
    /// `from` holds for spans of up to [`LONG_SPAN_US`] only: longer ones that reach this time may begin before.
    pub reaching: Option<i64>,
}

/// The range of dates in which all matches begin.
pub fn date_range(conditions: &[Clause]) -> DateRange {
    let ranges = conditions.iter().filter_map(|clause| match clause {
        Clause::Match(Predicate::LeadingDate(bounds)) => Some(range_of(bounds)),
        Clause::Any(clauses) => any_range(clauses),
        Clause::All(clauses) => Some(date_range(clauses)),
        _ => None,
    });
    ranges.fold(DateRange::default(), |all, one| {
        let later = |a: Option<i64>, b: Option<i64>| a.max(b);
        let sooner = |a: Option<i64>, b: Option<i64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        DateRange {
            from: later(all.from, one.from),
            to: sooner(all.to, one.to),
            // Whatever reaches the earlier of two times is a superset of what reaches both.
            reaching: sooner(all.reaching, one.reaching),
        }
    })
}

/// The range of several alternatives: they must all be dates.
fn any_range(clauses: &[Clause]) -> Option<DateRange> {
    let ranges: Option<Vec<DateRange>> = clauses
        .iter()
        .map(|clause| match clause {
            Clause::Match(Predicate::LeadingDate(bounds)) => Some(range_of(bounds)),
            _ => None,
        })
        .collect();
    ranges?.into_iter().reduce(|a, b| DateRange {
        from: a.from.zip(b.from).map(|(a, b)| a.min(b)),
        to: a.to.zip(b.to).map(|(a, b)| a.max(b)),
        reaching: match (a.reaching, b.reaching) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        },
    })
}

fn range_of(bounds: &Bounds<i64>) -> DateRange {
    let value = |limit: Option<Limit<i64>>| limit.map(|limit| limit.value);
    let (low, high) = (value(bounds.low.from), value(bounds.high.from));
    let to = match (value(bounds.low.to), value(bounds.high.to)) {
        (Some(low), Some(high)) => Some(low.min(high)),
        (low, high) => low.or(high),
    };
    match (low, high) {
        (Some(low), _) => DateRange { from: Some(low), to, reaching: None },
        (None, Some(high)) => DateRange { from: Some(high.saturating_sub(LONG_SPAN_US)), to, reaching: Some(high) },
        (None, None) => DateRange { from: None, to, reaching: None },
    }
}

/// The statement that lists up to [`RARE`] matches of a condition: the dates of one token's in the order of the page.
pub fn frequency_statement(clause: &Clause, types: &[&'static str]) -> Result<Option<Sql>> {
    let mut sql = Sql::default();
    if let Some((token, system)) = driving_token(clause) {
        sql.push("SELECT t.date FROM search_token t WHERE t.token = ").bind(token);
        push_system(&mut sql, system, "t");
        sql.push(" ORDER BY t.date DESC, t.key DESC LIMIT 1000");
        return Ok(Some(sql));
    }
    let Some(predicates) = listable(clause) else { return Ok(None) };
    sql.push("SELECT 0::bigint FROM (");
    push_listed(&mut sql, &predicates, types, Listed::Resources)?;
    sql.push(") t LIMIT 1000");
    Ok(Some(sql))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::clause::Limits;

    fn token(token: i64) -> Clause {
        Clause::Match(Predicate::Token { token, system: SystemMatch::Any, only: None, identifier: None })
    }

    fn token_driver(condition: usize) -> Driver {
        Driver::Token { condition, compartments: Vec::new() }
    }

    fn between(low: Option<i64>, high: Option<i64>) -> Clause {
        let limit = |value: Option<i64>| value.map(|value| Limit { value, inclusive: true });
        let low = Limits { from: limit(low), to: None };
        Clause::Match(Predicate::LeadingDate(Bounds { low, high: Limits { from: limit(high), to: None } }))
    }

    #[test]
    fn the_rarest_condition_drives_and_among_frequent_ones_the_thinnest_token() {
        let order = Order::new(&[], true);
        let clauses = [token(1), token(2), Clause::Any(vec![token(3), token(4)])];
        let frequent = |since| Some(Frequency::Frequent { since });
        assert_eq!(choose(&clauses, &[frequent(9), frequent(5), frequent(0)], &order), token_driver(1));
        assert_eq!(choose(&clauses, &[frequent(9), frequent(5), Some(Frequency::Rare(3))], &order), Driver::Gather(2));
        assert_eq!(
            choose(&clauses, &[Some(Frequency::Rare(2)), None, Some(Frequency::Rare(3))], &order),
            token_driver(0)
        );
        assert_eq!(choose(&[], &[], &order), Driver::Page);
        assert!(!needs_frequencies(&clauses[..1], &order));
        assert!(needs_frequencies(&clauses, &order));
    }

    #[test]
    fn an_end_bounds_the_begin_but_for_long_spans() {
        let reaching = DateRange { from: Some(-LONG_SPAN_US), to: None, reaching: Some(0) };
        assert_eq!(date_range(&[between(None, Some(0))]), reaching);
        assert_eq!(date_range(&[between(Some(5), Some(9))]), DateRange { from: Some(5), to: None, reaching: None });
        assert_eq!(date_range(&[token(1)]), DateRange::default());
        let either = Clause::Any(vec![between(Some(5), None), between(Some(7), None)]);
        assert_eq!(date_range(&[either]).from, Some(5));
    }
}
