//! A clause as a condition on one row: of `resource`, or of the index table that drives the search.
//!
//! Two forms say "some entry matches". `EXISTS` lets the planner choose and join, which is right within one patient and
//! for counting. The fenced form, a count above zero, is looked up row by row, in the order of the page: with `EXISTS`
//! the planner multiplies guesses, believes that almost nothing matches, and sorts everything (docs/decisions).

use super::driver::single_token;
use super::sql::Sql;
use crate::error::{Error, Result};
use crate::search::clause::{
    Bounds, Branch, Chain, Clause, Has, Limit, Limits, Link, Predicate, SystemMatch, TextMatch, UnitMatch,
};
use crate::store::index::NO_DATE;
use chrono::{DateTime, Utc};

/// Characters of a text that its index holds (`search_string_by_value`).
const INDEXED_CHARACTERS: usize = 64;
/// Spans longer than this (µs) have an index of their own, so that shorter ones can be bounded by where they begin.
pub const LONG_SPAN_US: i64 = 2_764_800_000_000;
/// A version is written at one moment: it lasts so long (µs).
const INSTANT_US: i64 = 1;

/// How "some entry matches" is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Exists,
    Fenced,
}

/// The row that a condition is about.
#[derive(Debug, Clone, Copy)]
pub struct Anchor {
    pub alias: &'static str,
    pub table: Table,
    pub form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    Resource,
    /// `search_token`: it has compartment, key and date, the rest is in `resource`.
    Token,
}

/// Names for the resources of chains, one for each level; deeper ones the query's parser refuses.
const ALIASES: [&str; 8] = ["r", "r1", "r2", "r3", "r4", "r5", "r6", "r7"];

impl Anchor {
    pub fn resource(form: Form) -> Anchor {
        Anchor { alias: "r", table: Table::Resource, form }
    }

    pub fn token() -> Anchor {
        Anchor { alias: "d", table: Table::Token, form: Form::Fenced }
    }

    /// The resource at the other end of a link.
    fn next(&self) -> Result<Anchor> {
        let level = ALIASES.iter().position(|alias| *alias == self.alias).map_or(0, |level| level + 1);
        let alias = ALIASES.get(level).ok_or_else(|| Error::internal("a chain is too deep"))?;
        Ok(Anchor { alias, table: Table::Resource, form: Form::Exists })
    }
}

/// Pushes the condition. It is never NULL.
pub fn push_clause(sql: &mut Sql, clause: &Clause, anchor: Anchor) -> Result<()> {
    match clause {
        Clause::Match(predicate) => push_predicate(sql, predicate, anchor),
        Clause::Not(inner) => {
            sql.push("NOT ");
            push_clause(sql, inner, anchor)
        }
        Clause::Any(clauses) => push_any(sql, clauses, anchor),
        Clause::All(clauses) => push_list(sql, clauses, anchor, " AND ", "TRUE"),
        Clause::Chain(chain) => on_resource(sql, anchor, |sql, anchor| push_chain(sql, chain, anchor)),
        Clause::Has(has) => on_resource(sql, anchor, |sql, anchor| push_has(sql, has, anchor)),
        Clause::Pending(_) => Err(Error::internal("a clause was not resolved before it was rendered")),
    }
}

fn push_list(
    sql: &mut Sql,
    clauses: &[Clause],
    anchor: Anchor,
    between: &'static str,
    of_none: &'static str,
) -> Result<()> {
    if clauses.is_empty() {
        sql.push(of_none);
        return Ok(());
    }
    sql.push("(");
    for (number, clause) in clauses.iter().enumerate() {
        if number > 0 {
            sql.push(between);
        }
        push_clause(sql, clause, anchor)?;
    }
    sql.push(")");
    Ok(())
}

/// Alternatives; the tokens among them are one look-up.
fn push_any(sql: &mut Sql, clauses: &[Clause], anchor: Anchor) -> Result<()> {
    let tokens: Vec<i64> = clauses.iter().filter_map(single_token).collect();
    if tokens.len() < 2 {
        return push_list(sql, clauses, anchor, " OR ", "FALSE");
    }
    sql.push("(");
    push_open(sql, "search_token", anchor);
    sql.push("t.token = ANY(").bind(tokens).push(")");
    push_close(sql, anchor);
    for clause in clauses.iter().filter(|clause| single_token(clause).is_none()) {
        sql.push(" OR ");
        push_clause(sql, clause, anchor)?;
    }
    sql.push(")");
    Ok(())
}

/// A condition that needs columns of `resource`: where the anchor is another table, on its resource.
fn on_resource(sql: &mut Sql, anchor: Anchor, push: impl FnOnce(&mut Sql, Anchor) -> Result<()>) -> Result<()> {
    if anchor.table == Table::Resource {
        return push(sql, anchor);
    }
    let resource = Anchor { alias: "o", table: Table::Resource, form: anchor.form };
    sql.push("(SELECT count(*) FROM resource o WHERE o.key = ").push(anchor.alias).push(".key AND o.compartment = ");
    sql.push(anchor.alias).push(".compartment AND ");
    push(sql, resource)?;
    sql.push(") > 0");
    Ok(())
}

fn push_predicate(sql: &mut Sql, predicate: &Predicate, anchor: Anchor) -> Result<()> {
    match predicate {
        Predicate::Type(_)
        | Predicate::Id(_)
        | Predicate::SelfIn(_)
        | Predicate::LastUpdated(_)
        | Predicate::LeadingDate(_)
        | Predicate::Present(Branch::LeadingDate) => {
            on_resource(sql, anchor, |sql, anchor| push_own(sql, predicate, anchor))
        }
        indexed => {
            let table = table_of(indexed)?;
            push_open(sql, table, anchor);
            push_match(sql, indexed)?;
            push_close(sql, anchor);
            Ok(())
        }
    }
}

/// A condition on the resource's own row.
fn push_own(sql: &mut Sql, predicate: &Predicate, anchor: Anchor) -> Result<()> {
    sql.push(anchor.alias);
    match predicate {
        Predicate::Type(resource_type) => {
            sql.push(".type = ").bind(resource_type.as_str());
        }
        Predicate::Id(id) => {
            sql.push(".id = ").bind(id.as_str());
        }
        Predicate::SelfIn(selves) => {
            sql.push(".self = ANY(").bind(selves.clone()).push(")");
        }
        Predicate::LastUpdated(bounds) => push_last_updated(sql, bounds, anchor)?,
        Predicate::LeadingDate(bounds) => {
            sql.push(".date > ").bind(NO_DATE);
            push_limits(sql, &bounds.low, anchor.alias, ".date");
            push_limits(sql, &bounds.high, anchor.alias, ".date_high");
        }
        _ => {
            sql.push(".date > ").bind(NO_DATE);
        }
    }
    Ok(())
}

/// Bounds on a moment's span turned into bounds on where it begins.
fn push_last_updated(sql: &mut Sql, bounds: &Bounds<i64>, anchor: Anchor) -> Result<()> {
    let shift = |limit: Limit<i64>| Limit { value: limit.value.saturating_sub(INSTANT_US), ..limit };
    let ends = [
        (bounds.low.from, true),
        (bounds.low.to, false),
        (bounds.high.from.map(shift), true),
        (bounds.high.to.map(shift), false),
    ];
    sql.push(".last_updated IS NOT NULL");
    for (limit, is_lower) in ends {
        let Some(limit) = limit else { continue };
        sql.push(" AND ").push(anchor.alias).push(".last_updated").push(comparison(is_lower, limit.inclusive));
        sql.bind(time(limit.value));
    }
    Ok(())
}

/// A time within what PostgreSQL's timestamps can hold.
fn time(us: i64) -> DateTime<Utc> {
    const YEAR_1_US: i64 = -62_135_596_800_000_000;
    const YEAR_9999_US: i64 = 253_402_300_799_000_000;
    DateTime::from_timestamp_micros(us.clamp(YEAR_1_US, YEAR_9999_US)).unwrap_or_default()
}

fn comparison(is_lower: bool, inclusive: bool) -> &'static str {
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

fn push_open(sql: &mut Sql, table: &'static str, anchor: Anchor) {
    sql.push(if anchor.form == Form::Exists { "EXISTS (SELECT 1 FROM " } else { "(SELECT count(*) FROM " });
    sql.push(table).push(" t WHERE t.compartment = ").push(anchor.alias).push(".compartment AND t.key = ");
    sql.push(anchor.alias).push(".key AND ");
    if table == "search_token" && anchor.form == Form::Fenced {
        // With the date, all columns of the index are known: one look-up.
        sql.push("t.date = ").push(anchor.alias).push(".date AND ");
    }
}

fn push_close(sql: &mut Sql, anchor: Anchor) {
    sql.push(if anchor.form == Form::Exists { ")" } else { ") > 0" });
}

/// The comparison with one entry `t`.
pub fn push_match(sql: &mut Sql, predicate: &Predicate) -> Result<()> {
    match predicate {
        Predicate::Token { token, system } => {
            sql.push("t.token = ").bind(*token);
            push_system(sql, *system);
        }
        Predicate::TokenIn { tokens, system } => {
            sql.push("t.token = ANY(").bind(tokens.clone()).push(")");
            push_system(sql, *system);
        }
        Predicate::Reference { token, .. } => {
            sql.push("t.token = ").bind(*token);
        }
        Predicate::InSystem { param, system } => {
            sql.push("t.param = ").bind(*param).push(" AND t.system = ").bind(*system);
        }
        Predicate::Present(branch) => push_present(sql, *branch),
        Predicate::Text { param, matching, system } => {
            sql.push("t.param = ").bind(*param);
            push_text(sql, matching);
            push_system(sql, *system);
        }
        Predicate::Date { param, bounds, system } => {
            sql.push("t.param = ").bind(*param);
            push_limits(sql, &bounds.low, "t", ".low");
            push_limits(sql, &bounds.high, "t", ".high");
            if let (None, Some(high)) = (bounds.low.from, bounds.high.from) {
                // What reaches a time begins not long before it, or is one of the long spans: each has an index.
                sql.push(" AND (t.low >= ").bind(high.value.saturating_sub(LONG_SPAN_US));
                sql.push(" OR t.high - t.low > 2764800000000)");
            }
            push_system(sql, *system);
        }
        Predicate::Number { param, unit, bounds, system } => {
            sql.push("t.param = ").bind(*param);
            push_number(sql, *unit, bounds);
            push_system(sql, *system);
        }
        Predicate::Near { latitude, longitude, metres } => push_near(sql, *latitude, *longitude, *metres),
        Predicate::FullText { narrative_only, query } => {
            sql.push(if *narrative_only { "t.narrative" } else { "t.content" });
            sql.push(" @@ websearch_to_tsquery('simple', ").bind(query.as_str()).push(")");
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

fn push_present(sql: &mut Sql, branch: Branch) {
    match branch {
        Branch::Token(param) => sql.push("t.param = ").bind(param),
        Branch::String(param) | Branch::Date(param) | Branch::Number(param) => sql.push("t.param = ").bind(param),
        Branch::Position | Branch::LeadingDate => sql.push("TRUE"),
    };
}

fn push_system(sql: &mut Sql, system: SystemMatch) {
    match system {
        SystemMatch::Any => {}
        SystemMatch::None => {
            sql.push(" AND t.system IS NULL");
        }
        SystemMatch::Is(system) => {
            sql.push(" AND t.system = ").bind(system);
        }
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
            if let (None, Some(high)) = (bounds.low.from, bounds.high.from) {
                // A single value is its own low end; ranges have an index.
                sql.push(" AND (t.low >= ").bind(high.value).push(" OR t.low < t.high)");
            }
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

/// True distance on a sphere (haversine), behind a bound on the latitude that the index can use.
fn push_near(sql: &mut Sql, latitude: f64, longitude: f64, metres: f64) {
    const METRES_PER_DEGREE: f64 = 111_195.08;
    let reach = metres / METRES_PER_DEGREE;
    sql.push("t.latitude >= ").bind(latitude - reach).push(" AND t.latitude <= ").bind(latitude + reach);
    sql.push(" AND 12742017.6 * asin(least(1, sqrt(power(sind((t.latitude - ").bind(latitude);
    sql.push(") / 2), 2) + cosd(t.latitude) * cosd(").bind(latitude);
    sql.push(") * power(sind((t.longitude - ").bind(longitude).push(") / 2), 2)))) <= ").bind(metres);
}

/// A reference of this row leads to a resource of its own compartment that meets a condition.
fn push_chain(sql: &mut Sql, chain: &Chain, anchor: Anchor) -> Result<()> {
    let target = anchor.next()?;
    sql.push("EXISTS (SELECT 1 FROM search_token l JOIN resource ").push(target.alias);
    sql.push(" ON ").push(target.alias).push(".compartment = l.compartment AND (");
    push_self(sql, &chain.links, target.alias);
    sql.push(") WHERE l.compartment = ").push(anchor.alias).push(".compartment AND l.key = ").push(anchor.alias);
    sql.push(".key AND l.param = ANY(")
        .bind(chain.links.iter().map(|link| link.param).collect::<Vec<_>>())
        .push(") AND (");
    for (number, (resource_type, condition)) in chain.targets.iter().enumerate() {
        if number > 0 {
            sql.push(" OR ");
        }
        sql.push(target.alias).push(".type = ").bind(resource_type.as_str());
        sql.push(" AND ").push(target.alias).push(".body IS NOT NULL AND ");
        push_clause(sql, condition, target)?;
    }
    sql.push("))");
    Ok(())
}

/// A resource of this row's compartment refers to it and meets a condition.
fn push_has(sql: &mut Sql, has: &Has, anchor: Anchor) -> Result<()> {
    let source = anchor.next()?;
    sql.push("EXISTS (SELECT 1 FROM search_token l JOIN resource ").push(source.alias);
    sql.push(" ON ").push(source.alias).push(".compartment = l.compartment AND ").push(source.alias);
    sql.push(".key = l.key WHERE l.compartment = ").push(anchor.alias).push(".compartment AND l.token IN (");
    sql.each(&has.links, ", ", |sql, link| {
        sql.push(anchor.alias).push(".self # ").bind(link.hash);
    });
    sql.push(") AND ").push(source.alias).push(".type = ").bind(has.source.as_str());
    sql.push(" AND ").push(source.alias).push(".body IS NOT NULL AND ");
    push_clause(sql, &has.condition, source)?;
    sql.push(")");
    Ok(())
}

/// The token of the link `l` leads to the resource `alias`.
fn push_self(sql: &mut Sql, links: &[Link], alias: &'static str) {
    sql.each(links, " OR ", |sql, link| {
        sql.push(alias).push(".self = (l.token # ").bind(link.hash).push(")");
    });
}
