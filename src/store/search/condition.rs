//! A clause as a condition on one row: of `resource`, or of the index table that drives the search.
//!
//! Two forms say "some entry matches". `EXISTS` lets the planner choose and join, which is right within one patient and
//! for counting. The fenced form, a count that is not zero, is looked up row by row, in the order of the page: with `EXISTS`
//! the planner multiplies guesses, believes that almost nothing matches, and sorts everything (docs/decisions).

use super::driver::{driving_token, selects_in_record, single_token};
use super::entries::{comparison, named_t, push_limits, push_match, push_system, table_of};
use super::sql::Sql;
use crate::error::{Error, Result};
use crate::fhir::definitions::ResourceType;
use crate::search::clause::{Bounds, Branch, Chain, Clause, Has, Limit, Limits, Link, Predicate, SystemMatch};
use crate::store::index::NO_DATE;
use chrono::{DateTime, Utc};

/// A version is written at one moment: it lasts so long (µs).
const INSTANT_US: i64 = 1;

/// How "some entry matches" is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Exists,
    Fenced,
    /// Inside one compartment: a token's entries there are few, so that they are read once and looked up in memory; the
    /// rest is fenced. Told the truth about one patient, the planner would do the same; but it believes that a patient and a
    /// code have nothing to do with each other, and joins thousands with thousands row by row.
    Inside,
}

/// The row that a condition is about.
#[derive(Debug, Clone, Copy)]
pub struct Anchor<'a> {
    pub alias: &'static str,
    pub table: Table,
    pub form: Form,
    /// Links between this row and the one that is searched for.
    pub level: usize,
    /// The only compartment that is searched. Said as a value to each table, it lets Citus send the statement to its shard
    /// as it is.
    pub home: Option<&'a str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    Resource,
    /// `search_token`: it has compartment, key and date, the rest is in `resource`.
    Token,
    /// The compartments, keys and dates of the resources that a condition finds.
    Gathered,
}

/// Names for the resources of chains and for the entries that lead to them, one for each level; deeper ones the query's
/// parser refuses.
const ALIASES: [(&str, &str); 8] =
    [("r", "l"), ("r1", "l1"), ("r2", "l2"), ("r3", "l3"), ("r4", "l4"), ("r5", "l5"), ("r6", "l6"), ("r7", "l7")];

impl<'a> Anchor<'a> {
    pub fn resource(form: Form, home: Option<&'a str>) -> Anchor<'a> {
        Anchor { alias: "r", table: Table::Resource, form, level: 0, home }
    }

    pub fn token(home: Option<&'a str>) -> Anchor<'a> {
        Anchor { alias: "d", table: Table::Token, form: Form::Fenced, level: 0, home }
    }

    pub fn gathered() -> Anchor<'a> {
        Anchor { alias: "d", table: Table::Gathered, form: Form::Fenced, level: 0, home: None }
    }

    /// Pushes the compartment of the row.
    pub fn push_compartment(&self, sql: &mut Sql) {
        match self.home {
            Some(home) => sql.bind(home),
            None => sql.push(self.alias).push(".compartment"),
        };
    }

    /// The entry of a reference that leads from here or to here.
    fn link(&self) -> Result<Anchor<'a>> {
        let (_, alias) = ALIASES.get(self.level + 1).ok_or_else(|| Error::internal("a chain is too deep"))?;
        Ok(Anchor { alias, table: Table::Token, level: self.level + 1, ..*self })
    }

    /// The resource to which an entry leads.
    fn target(&self) -> Result<Anchor<'a>> {
        let (alias, _) = ALIASES.get(self.level).ok_or_else(|| Error::internal("a chain is too deep"))?;
        Ok(Anchor { alias, table: Table::Resource, ..*self })
    }
}

/// Pushes the condition. It is never NULL.
pub fn push_clause(sql: &mut Sql, clause: &Clause, anchor: Anchor<'_>) -> Result<()> {
    match clause {
        Clause::Match(predicate) => push_predicate(sql, predicate, anchor),
        Clause::Not(inner) => {
            // A condition may be several comparisons with AND between them: all of it is negated.
            sql.push("NOT (");
            push_clause(sql, inner, anchor)?;
            sql.push(")");
            Ok(())
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
    anchor: Anchor<'_>,
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
fn push_any(sql: &mut Sql, clauses: &[Clause], anchor: Anchor<'_>) -> Result<()> {
    let tokens: Vec<i64> = clauses.iter().filter_map(single_token).collect();
    if tokens.len() < 2 {
        return push_list(sql, clauses, anchor, " OR ", "FALSE");
    }
    sql.push("(");
    let tokens = Predicate::TokenIn { tokens, system: SystemMatch::Any };
    push_entry(sql, &tokens, anchor)?;
    for clause in clauses.iter().filter(|clause| single_token(clause).is_none()) {
        sql.push(" OR ");
        push_clause(sql, clause, anchor)?;
    }
    sql.push(")");
    Ok(())
}

/// A condition that needs columns of `resource`: where the anchor is another table, on its resource.
fn on_resource(sql: &mut Sql, anchor: Anchor, push: impl FnOnce(&mut Sql, Anchor<'_>) -> Result<()>) -> Result<()> {
    if anchor.table == Table::Resource {
        return push(sql, anchor);
    }
    let resource = Anchor { alias: "o", table: Table::Resource, ..anchor };
    push_some(sql, "resource o", anchor.form);
    sql.push("o.key = ").push(anchor.alias).push(".key AND o.compartment = ");
    anchor.push_compartment(sql);
    sql.push(" AND ");
    push(sql, resource)?;
    push_end(sql, anchor.form);
    Ok(())
}

fn push_predicate(sql: &mut Sql, predicate: &Predicate, anchor: Anchor<'_>) -> Result<()> {
    match predicate {
        // Entries of a token carry where the leading date begins.
        Predicate::LeadingDate(Bounds { high: Limits { from: None, to: None }, .. })
        | Predicate::Present(Branch::LeadingDate) => push_own(sql, predicate, anchor),
        Predicate::Type(_)
        | Predicate::Id(_)
        | Predicate::SelfIn(_)
        | Predicate::LastUpdated(_)
        | Predicate::LeadingDate(_) => on_resource(sql, anchor, |sql, anchor| push_own(sql, predicate, anchor)),
        indexed => push_entry(sql, indexed, anchor),
    }
}

/// A condition on the resource's own row.
fn push_own(sql: &mut Sql, predicate: &Predicate, anchor: Anchor<'_>) -> Result<()> {
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
fn push_last_updated(sql: &mut Sql, bounds: &Bounds<i64>, anchor: Anchor<'_>) -> Result<()> {
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

/// Some entry of the row's resource matches.
fn push_entry(sql: &mut Sql, predicate: &Predicate, anchor: Anchor<'_>) -> Result<()> {
    let table = table_of(predicate)?;
    if (anchor.form, table) == (Form::Inside, "search_token") {
        // IS TRUE keeps the planner from making a join of it.
        sql.push("(").push(anchor.alias).push(".key IN (SELECT t.key FROM search_token t WHERE ");
        push_match(sql, predicate)?;
        sql.push(" AND t.compartment = ");
        anchor.push_compartment(sql);
        sql.push(")) IS TRUE");
        return Ok(());
    }
    push_some(sql, named_t(table), anchor.form);
    sql.push("t.compartment = ");
    anchor.push_compartment(sql);
    sql.push(" AND t.key = ").push(anchor.alias).push(".key AND ");
    if table == "search_token" && anchor.form == Form::Fenced {
        // With the date, all columns of the index are known: one look-up.
        sql.push("t.date = ").push(anchor.alias).push(".date AND ");
    }
    push_match(sql, predicate)?;
    push_end(sql, anchor.form);
    Ok(())
}

/// Begins "some row of a table"; its condition follows.
fn push_some(sql: &mut Sql, table: &'static str, form: Form) {
    sql.push(if form == Form::Exists { "EXISTS (SELECT 1 FROM " } else { "(SELECT count(*) FROM " });
    sql.push(table).push(" WHERE ");
}

fn push_end(sql: &mut Sql, form: Form) {
    // Of "not zero" the planner believes that nearly every row meets it, of "above zero" that one in three does: after a
    // few conditions it would expect so few rows that it gathers and sorts all before the first.
    sql.push(if form == Form::Exists { ")" } else { ") <> 0" });
}

/// A reference of this row leads to a resource of its own compartment that meets a condition.
fn push_chain(sql: &mut Sql, chain: &Chain, anchor: Anchor<'_>) -> Result<()> {
    let link = anchor.link()?;
    let params: Vec<i32> = chain.links.iter().map(|link| link.param).collect();
    push_some_link(sql, link);
    sql.push(link.alias).push(".compartment = ");
    anchor.push_compartment(sql);
    sql.push(" AND ")
        .push(link.alias)
        .push(".key = ")
        .push(anchor.alias)
        .push(".key AND ")
        .push(link.alias)
        .push(".param = ANY(")
        .bind(params);
    sql.push(") AND (");
    for (number, (target, condition)) in chain.targets.iter().enumerate() {
        for (turn, one) in chain.links.iter().enumerate() {
            if number + turn > 0 {
                sql.push(" OR ");
            }
            push_target(sql, link, one, *target, condition)?;
        }
    }
    sql.push(")");
    push_end(sql, anchor.form);
    Ok(())
}

/// The entry `link` leads to a resource of a type that meets a condition.
fn push_target(
    sql: &mut Sql,
    link: Anchor<'_>,
    by: &Link,
    target_type: ResourceType,
    condition: &Clause,
) -> Result<()> {
    let target = link.target()?;
    if link.form == Form::Inside {
        sql.push("((").push(link.alias).push(".token # ").bind(by.hash).push(") IN (SELECT ").push(target.alias);
        sql.push(".self FROM resource ").push(target.alias).push(" WHERE ").push(target.alias).push(".compartment = ");
        link.push_compartment(sql);
        sql.push(" AND ");
        push_current(sql, target, target_type);
        push_clause(sql, condition, target)?;
        sql.push(")) IS TRUE");
        return Ok(());
    }
    sql.push(if link.form == Form::Exists {
        "EXISTS (SELECT 1 FROM resource "
    } else {
        "(SELECT count(*) FROM resource "
    });
    sql.push(target.alias).push(" WHERE ").push(target.alias).push(".compartment = ");
    link.push_compartment(sql);
    sql.push(" AND ").push(target.alias).push(".self = (").push(link.alias).push(".token # ").bind(by.hash);
    sql.push(") AND ");
    push_current(sql, target, target_type);
    push_clause(sql, condition, target)?;
    push_end(sql, link.form);
    Ok(())
}

fn push_current(sql: &mut Sql, target: Anchor<'_>, target_type: ResourceType) {
    sql.push(target.alias).push(".type = ").bind(target_type.as_str());
    sql.push(" AND ").push(target.alias).push(".body IS NOT NULL AND ");
}

/// A resource of this row's compartment refers to it and meets a condition. Only the type that refers has such entries, and
/// only its current versions. Where the condition has a token, its entries are looked up first: most records have few of
/// them, but thousands that refer to their patient.
fn push_has(sql: &mut Sql, has: &Has, anchor: Anchor<'_>) -> Result<()> {
    let link = anchor.link()?;
    let push_links = |sql: &mut Sql, alias: &'static str| {
        sql.push(alias).push(".token IN (");
        sql.each(&has.links, ", ", |sql, by| {
            sql.push(anchor.alias).push(".self # ").bind(by.hash);
        });
        sql.push(")");
    };
    push_some_link(sql, link);
    sql.push(link.alias).push(".compartment = ");
    anchor.push_compartment(sql);
    sql.push(" AND ");
    let conditions = has.condition.conjunction();
    let first = conditions.iter().position(selects_in_record);
    match first.and_then(|first| conditions.get(first)).and_then(driving_token) {
        Some((token, system)) => {
            sql.push(link.alias).push(".token = ").bind(token);
            push_system(sql, system, link.alias);
            sql.push(" AND ");
            push_some(sql, "search_token m", anchor.form);
            sql.push("m.compartment = ");
            anchor.push_compartment(sql);
            sql.push(" AND m.key = ").push(link.alias).push(".key AND m.date = ").push(link.alias).push(".date AND ");
            push_links(sql, "m");
            push_end(sql, anchor.form);
        }
        None => push_links(sql, link.alias),
    }
    for (_, clause) in conditions.iter().enumerate().filter(|(number, _)| Some(*number) != first) {
        sql.push(" AND ");
        push_clause(sql, clause, link)?;
    }
    push_end(sql, anchor.form);
    Ok(())
}

fn push_some_link(sql: &mut Sql, link: Anchor<'_>) {
    sql.push(if link.form == Form::Exists { "EXISTS (SELECT 1 FROM " } else { "(SELECT count(*) FROM " });
    sql.push("search_token ").push(link.alias).push(" WHERE ");
}
