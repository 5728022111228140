//! The tables of entries, and the comparison with one entry.

use super::sql::Sql;
use crate::error::{Error, Result};
use crate::search::clause::{Bounds, Branch, Limits, Predicate, SystemMatch, TextMatch, TextTerm, UnitMatch};

/// Characters of a text that its index holds (`search_string_by_value`).
const INDEXED_CHARACTERS: usize = 64;
/// Spans longer than this (µs) have an index of their own, so that shorter ones can be bounded by where they begin.
pub const LONG_SPAN_US: i64 = 2_764_800_000_000;

/// The comparison with one entry `t`.
pub fn push_match(sql: &mut Sql, predicate: &Predicate) -> Result<()> {
    match predicate {
        Predicate::Token { token, system, .. } => {
            sql.push("t.token = ").bind(*token);
            push_system(sql, *system, "t");
        }
        Predicate::TokenIn { tokens, system } => {
            sql.push("t.token = ANY(").bind(tokens.clone()).push(")");
            push_system(sql, *system, "t");
        }
        Predicate::Reference { token, .. } => {
            sql.push("t.token = ").bind(*token);
        }
        Predicate::InSystem { param, system } => {
            sql.push("t.param = ").bind(*param).push(" AND t.system = ").bind(*system);
        }
        Predicate::Present(branch) => push_present(sql, *branch),
        Predicate::Text { under, matching } => {
            sql.push("t.param = ").bind(under.param);
            push_text(sql, matching);
            push_system(sql, under.system, "t");
        }
        Predicate::Date { under, bounds } => {
            sql.push("t.param = ").bind(under.param);
            push_limits(sql, &bounds.low, "t", ".low");
            push_limits(sql, &bounds.high, "t", ".high");
            push_system(sql, under.system, "t");
        }
        Predicate::Number { under, unit, bounds } => {
            sql.push("t.param = ").bind(under.param);
            push_number(sql, *unit, bounds);
            push_system(sql, under.system, "t");
        }
        Predicate::Near { latitude, longitude, metres } => push_near(sql, *latitude, *longitude, *metres),
        Predicate::FullText { narrative_only, alternatives } => {
            sql.push(if *narrative_only { "t.narrative" } else { "t.content" });
            sql.push(" @@ websearch_to_tsquery('simple', ").bind(web_syntax(alternatives)).push(")");
        }
        Predicate::Type(_)
        | Predicate::Id(_)
        | Predicate::SelfIn(_)
        | Predicate::LastUpdated(_)
        | Predicate::LeadingDate(_) => {
            return Err(Error::internal("this predicate is about the resource's own row"));
        }
    }
    Ok(())
}

/// As PostgreSQL reads it: a minus, `or` between alternatives. Each term is in quotes, so that none is an operator.
fn web_syntax(alternatives: &[Vec<TextTerm>]) -> String {
    let term = |term: &TextTerm| format!("{}\"{}\"", if term.is_absent { "-" } else { "" }, term.words.join(" "));
    let terms = |terms: &Vec<TextTerm>| terms.iter().map(term).collect::<Vec<_>>().join(" ");
    alternatives.iter().map(terms).collect::<Vec<_>>().join(" or ")
}

fn push_present(sql: &mut Sql, branch: Branch) {
    match branch {
        Branch::Token(param) => sql.push("t.param = ").bind(param),
        Branch::String(param) | Branch::Date(param) | Branch::Number(param) => sql.push("t.param = ").bind(param),
        Branch::Position | Branch::LeadingDate => sql.push("TRUE"),
    };
}

/// ` AND alias.system …`.
pub fn push_system(sql: &mut Sql, system: SystemMatch, alias: &'static str) {
    match system {
        SystemMatch::Any => {}
        SystemMatch::None => drop(sql.push(" AND ").push(alias).push(".system IS NULL")),
        SystemMatch::Is(system) => drop(sql.push(" AND ").push(alias).push(".system = ").bind(system)),
    }
}

fn push_text(sql: &mut Sql, matching: &TextMatch) {
    let start = |text: &str| text.chars().take(INDEXED_CHARACTERS).collect::<String>();
    match matching {
        TextMatch::Prefix(prefix) => {
            let first = start(prefix);
            let last = format!("{first}{}", char::MAX);
            sql.push(" AND left(t.value, 64) >= ").bind(first.as_str()).push(" AND left(t.value, 64) <= ").bind(last);
            if first != *prefix {
                sql.push(" AND starts_with(t.value, ").bind(prefix.as_str()).push(")");
            }
        }
        TextMatch::Suffix(end) => {
            sql.push(" AND right(t.value, length(").bind(end.as_str()).push(")) = ").bind(end.as_str());
        }
        TextMatch::Whole(whole) => {
            sql.push(" AND left(t.value, 64) = ").bind(start(whole)).push(" AND t.value = ").bind(whole.as_str());
        }
        TextMatch::Contains(part) => {
            sql.push(" AND strpos(t.value, ").bind(part.as_str()).push(") > 0");
        }
        TextMatch::Exact { folded, exact } => {
            sql.push(" AND left(t.value, 64) = ").bind(start(folded)).push(" AND t.exact = ").bind(*exact);
        }
    }
}

fn push_number(sql: &mut Sql, unit: UnitMatch, bounds: &Bounds<f64>) {
    match unit {
        UnitMatch::Canonical(unit) => {
            sql.push(" AND t.unit = ").bind(unit);
            push_limits(sql, &bounds.low, "t", ".low");
            push_limits(sql, &bounds.high, "t", ".high");
            return;
        }
        UnitMatch::Written(unit) => {
            sql.push(" AND (t.unit_code = ").bind(unit).push(" OR t.unit_text = ").bind(unit).push(")");
        }
        UnitMatch::Any => {}
    }
    push_limits(sql, &bounds.low, "t", ".raw_low");
    push_limits(sql, &bounds.high, "t", ".raw_high");
}

/// The entries that match, in parts that have an index each.
#[derive(Debug, Clone, Copy)]
pub enum Part {
    /// By where they begin, as the bounds say.
    All,
    /// Dates that begin at this time or later, and last no longer than [`LONG_SPAN_US`].
    Short(i64),
    /// Dates that last longer.
    Long,
    /// Numbers that begin at this value or above it, by the canonical unit or as written.
    From(f64, UnitMatch),
    /// Ranges that begin below it and reach it.
    Reaching(f64, UnitMatch),
}

/// What reaches a time begins not long before it, or is one of the long spans. What reaches a number is the number or
/// one above it, or a range.
pub fn parts_by_index(predicate: &Predicate) -> Vec<Part> {
    match predicate {
        Predicate::Date { bounds, .. } => match (bounds.low.from, bounds.high.from) {
            (None, Some(high)) => vec![Part::Short(high.value.saturating_sub(LONG_SPAN_US)), Part::Long],
            _ => vec![Part::All],
        },
        Predicate::Number { bounds, unit, .. } => match (bounds.low.from, bounds.high.from) {
            (None, Some(high)) => vec![Part::From(high.value, *unit), Part::Reaching(high.value, *unit)],
            _ => vec![Part::All],
        },
        _ => vec![Part::All],
    }
}

/// ` AND …`: narrows a match to a part.
pub fn push_part(sql: &mut Sql, part: Part) {
    match part {
        Part::All => {}
        Part::Short(from) => {
            sql.push(" AND t.low >= ").bind(from).push(" AND NOT t.is_long");
        }
        Part::Long => drop(sql.push(" AND t.is_long")),
        Part::From(from, UnitMatch::Canonical(_)) => drop(sql.push(" AND t.low >= ").bind(from)),
        Part::From(from, _) => drop(sql.push(" AND t.raw_low >= ").bind(from)),
        Part::Reaching(from, UnitMatch::Canonical(_)) => {
            sql.push(" AND t.is_range AND t.low < ").bind(from);
        }
        // What is a range in one unit is one in the other.
        Part::Reaching(from, _) => drop(sql.push(" AND t.is_range AND t.raw_low < ").bind(from)),
    }
}

/// True distance on a sphere (haversine), behind a bound on the latitude that the index can use.
fn push_near(sql: &mut Sql, latitude: f64, longitude: f64, metres: f64) {
    // A little less than it is: the bound must leave out nothing.
    const METRES_PER_DEGREE: f64 = 111_195.07;
    let reach = metres / METRES_PER_DEGREE;
    sql.push("t.latitude >= ").bind(latitude - reach).push(" AND t.latitude <= ").bind(latitude + reach);
    sql.push(" AND 12742017.6 * asin(least(1, sqrt(power(sind((t.latitude - ").bind(latitude);
    sql.push(") / 2), 2) + cosd(t.latitude) * cosd(").bind(latitude);
    sql.push(") * power(sind((t.longitude - ").bind(longitude).push(") / 2), 2)))) <= ").bind(metres);
}

pub fn comparison(is_lower: bool, inclusive: bool) -> &'static str {
    match (is_lower, inclusive) {
        (true, true) => " >= ",
        (true, false) => " > ",
        (false, true) => " <= ",
        (false, false) => " < ",
    }
}

/// ` AND alias.column >= …`, for each limit that there is.
pub fn push_limits<T: Copy + Into<super::sql::Bound>>(
    sql: &mut Sql,
    limits: &Limits<T>,
    alias: &'static str,
    column: &'static str,
) {
    for (limit, is_lower) in [(limits.from, true), (limits.to, false)] {
        if let Some(limit) = limit {
            sql.push(" AND ").push(alias).push(column).push(comparison(is_lower, limit.inclusive)).bind(limit.value);
        }
    }
}

/// The table that holds the entries which a predicate compares.
pub fn table_of(predicate: &Predicate) -> Result<&'static str> {
    Ok(match predicate {
        Predicate::Token { .. }
        | Predicate::TokenIn { .. }
        | Predicate::Reference { .. }
        | Predicate::InSystem { .. } => "search_token",
        Predicate::Text { .. } => "search_string",
        Predicate::Date { .. } => "search_date",
        Predicate::Number { .. } => "search_number",
        Predicate::Near { .. } => "search_position",
        Predicate::FullText { .. } => "search_text",
        Predicate::Present(branch) => match branch {
            Branch::Token(_) => "search_token",
            Branch::String(_) => "search_string",
            Branch::Date(_) => "search_date",
            Branch::Number(_) => "search_number",
            Branch::Position => "search_position",
            Branch::LeadingDate => return Err(Error::internal("the leading date has no table of its own")),
        },
        Predicate::Type(_)
        | Predicate::Id(_)
        | Predicate::SelfIn(_)
        | Predicate::LastUpdated(_)
        | Predicate::LeadingDate(_) => {
            return Err(Error::internal("this predicate has no table of its own"));
        }
    })
}

/// A table of entries under the name that conditions know it by.
pub fn named_t(table: &'static str) -> &'static str {
    match table {
        "search_token" => "search_token t",
        "search_string" => "search_string t",
        "search_date" => "search_date t",
        "search_number" => "search_number t",
        "search_position" => "search_position t",
        _ => "search_text t",
    }
}
