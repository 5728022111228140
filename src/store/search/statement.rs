//! The statements of a search: one page, a count, the resources that others refer to.

use super::condition::{Anchor, Form, Table, push_clause};
use super::driver::{DateRange, Driver, driving_token, listable, single_token, tells_place, type_of_token};
use super::entries::{parts_by_index, push_match, push_part, push_system, table_of};
use super::order::Order;
use super::sql::Sql;
use crate::error::{Error, Result};
use crate::search::clause::{Clause, Predicate, SystemMatch};
use crate::search::page::{Direction, Page};
use crate::store::index::NO_DATE;

/// A search that is ready to be written: what only the database knows has been put in.
#[derive(Debug)]
pub struct Planned<'a> {
    /// None: every type.
    pub types: Vec<&'static str>,
    pub conditions: &'a [Clause],
    pub order: Order,
    pub driver: Driver,
    /// Where the leading date of all matches begins.
    pub dates: DateRange,
}

/// One page: its key, the compartment and the resource of each row, one more than the page has so that it is known
/// whether another one follows.
pub fn page(sql: &mut Sql, planned: &Planned<'_>, page: Option<&Page>, rows: i64) -> Result<()> {
    let anchor = planned.anchor();
    sql.push("SELECT ");
    planned.order.push_columns(sql, anchor);
    sql.push(anchor.alias).push(".compartment, ");
    push_packed(sql, anchor);
    planned.push_from(sql, anchor)?;
    if let Some(page) = page {
        planned.order.push_page(sql, anchor, page)?;
    }
    planned.order.push_order(sql, anchor, direction(page));
    sql.push(" LIMIT ").bind(rows);
    Ok(())
}

fn direction(page: Option<&Page>) -> Direction {
    page.map_or(Direction::Next, |page| page.direction)
}

/// As [`page`], with one column more: in which other records there are resources that belong to this patient, too. It
/// comes with each row, or with a row of nothing else.
pub fn page_of_record(planned: &Planned<'_>, at: Option<&Page>, rows: i64, home: &str) -> Result<Sql> {
    let columns = planned.order.columns() + 2;
    let mut sql = with_members(planned, home, columns, |sql| page(sql, planned, at, rows))?;
    planned.order.push_order_of(&mut sql, &COLUMNS, direction(at));
    Ok(sql)
}

/// A count with the same column behind it.
pub fn count_in_record(
    planned: &Planned<'_>,
    home: &str,
    count: impl Fn(&mut Sql, &Planned<'_>) -> Result<()>,
) -> Result<Sql> {
    with_members(planned, home, 1, |sql| count(sql, planned))
}

/// Names for the columns of a statement inside another: a page's key, its compartment and its resource.
const COLUMNS: [&str; 14] = [
    "p.k0", "p.k1", "p.k2", "p.k3", "p.k4", "p.k5", "p.k6", "p.k7", "p.k8", "p.k9", "p.k10", "p.k11", "p.k12", "p.k13",
];

fn with_members(
    planned: &Planned<'_>,
    home: &str,
    columns: usize,
    inner: impl FnOnce(&mut Sql) -> Result<()>,
) -> Result<Sql> {
    let names = COLUMNS.get(..columns).ok_or_else(|| Error::internal("an order has too many columns"))?;
    let mut sql = Sql::new("SELECT ");
    sql.each(names, ", ", |sql, name| _ = sql.push(name));
    sql.push(", m.homes FROM (SELECT ARRAY(SELECT DISTINCT x.home FROM compartment_member x WHERE x.compartment = ");
    sql.bind(home);
    push_types(&mut sql, &planned.types, "x");
    sql.push(") AS homes) m LEFT JOIN (");
    inner(&mut sql)?;
    sql.push(") p(");
    sql.each(names, ", ", |sql, name| _ = sql.push(name.strip_prefix("p.").unwrap_or(name)));
    sql.push(") ON TRUE");
    Ok(sql)
}

/// How many resources match in all.
pub fn count(sql: &mut Sql, planned: &Planned<'_>) -> Result<()> {
    let anchor = planned.anchor();
    sql.push("SELECT count(*)");
    planned.push_from(sql, anchor)
}

/// How many resources have a token, where that is all that is asked: its entries, and those among them that repeat one.
/// Both are counted in an index.
pub fn count_token(planned: &Planned<'_>) -> Result<Option<(Sql, Option<Sql>)>> {
    let ([condition], Driver::Planner) = (planned.conditions, &planned.driver) else { return Ok(None) };
    let (Some((token, system)), Some(only)) = (driving_token(condition), type_of_token(condition)) else {
        return Ok(None);
    };
    if planned.types != [only.as_str()] {
        return Ok(None);
    }
    let mut all = Sql::new("SELECT count(*) FROM search_token d WHERE d.token = ");
    all.bind(token);
    push_system(&mut all, system, "d");
    if system != SystemMatch::Any {
        return Ok(Some((all, None)));
    }
    let mut repeated = Sql::new("SELECT count(*) FROM search_token d WHERE d.repeated AND d.token = ");
    repeated.bind(token);
    Ok(Some((all, Some(repeated))))
}

/// How many resources match, up to a bound.
pub fn count_up_to(sql: &mut Sql, planned: &Planned<'_>, rows: i64) -> Result<()> {
    let anchor = planned.anchor();
    sql.push("SELECT count(*) FROM (SELECT 1");
    planned.push_from(sql, anchor)?;
    sql.push(" LIMIT ").bind(rows).push(") c");
    Ok(())
}

/// Of so many pages of the table, [`sample`] reads one.
pub const SAMPLED_ONE_IN: i64 = 100;

/// How many resources match among those on a hundredth of the table's pages.
pub fn sample(sql: &mut Sql, planned: &Planned<'_>) -> Result<()> {
    let driver = match &planned.driver {
        Driver::Token { compartments, .. } if !compartments.is_empty() => Driver::Compartments(compartments.clone()),
        Driver::Compartments(compartments) => Driver::Compartments(compartments.clone()),
        _ => Driver::Planner,
    };
    let sampled = Planned { driver, types: planned.types.clone(), order: planned.order.clone(), ..*planned };
    sql.push("SELECT count(*) FROM resource r TABLESAMPLE SYSTEM (1) WHERE ");
    sampled.push_where(sql, sampled.anchor())
}

/// The self-hashes of up to `rows` resources that match.
pub fn selves(planned: &Planned<'_>, rows: i64) -> Result<Sql> {
    ends(planned, rows, |sql, anchor| {
        sql.push("(SELECT e.self FROM resource e");
        push_of_anchor(sql, "e", anchor);
        sql.push(")");
    })
}

/// To what up to `rows` resources that match refer: the tokens of one branch, a list for each resource. What is distinct
/// among them the database is not asked, which would read all matches for it.
pub fn tokens(planned: &Planned<'_>, param: i32, rows: i64) -> Result<Sql> {
    ends(planned, rows, |sql, anchor| {
        sql.push("(SELECT array_agg(e.token) FROM search_token e");
        push_of_anchor(sql, "e", anchor);
        sql.push(" AND e.param = ").bind(param).push(")");
    })
}

/// By which branches the matches refer to what: the distinct pairs of a branch and a token.
pub fn references(planned: &Planned<'_>, params: Vec<i32>, rows: i64) -> Result<Sql> {
    let anchor = planned.anchor();
    let mut sql = Sql::new("SELECT DISTINCT e.param, e.token FROM search_token e WHERE e.param = ANY(");
    sql.bind(params).push(")");
    if let Driver::Compartments(compartments) = &planned.driver {
        push_compartments(&mut sql, compartments, "e");
    }
    sql.push(" AND (e.compartment, e.key) IN (SELECT r.compartment, r.key FROM resource r WHERE ");
    planned.push_where(&mut sql, anchor)?;
    sql.push(") LIMIT ").bind(rows);
    Ok(sql)
}

/// One column of up to `rows` resources that match, in the order of a page, for which the statement's form is made.
fn ends(planned: &Planned<'_>, rows: i64, push: impl FnOnce(&mut Sql, Anchor<'_>)) -> Result<Sql> {
    let anchor = planned.anchor();
    let mut sql = Sql::new("SELECT ");
    push(&mut sql, anchor);
    planned.push_from(&mut sql, anchor)?;
    planned.order.push_order(&mut sql, anchor, Direction::Next);
    sql.push(" LIMIT ").bind(rows);
    Ok(sql)
}

/// The rows of a table that are of the anchor's resource.
fn push_of_anchor(sql: &mut Sql, alias: &'static str, anchor: Anchor<'_>) {
    sql.push(" WHERE ").push(alias).push(".compartment = ");
    anchor.push_compartment(sql);
    sql.push(" AND ").push(alias).push(".key = ").push(anchor.alias).push(".key");
}

impl Planned<'_> {
    fn anchor(&self) -> Anchor<'_> {
        match &self.driver {
            Driver::Token { .. } => Anchor::token(self.driver.single()),
            Driver::Gather(number) if self.is_gathered_in_order(*number) => Anchor::gathered(),
            Driver::Page | Driver::Gather(_) => Anchor::resource(Form::Fenced, None),
            Driver::Compartments(_) => match self.driver.single() {
                Some(home) => Anchor::resource(Form::Inside, Some(home)),
                None => Anchor::resource(Form::Fenced, None),
            },
            Driver::Planner => Anchor::resource(Form::Exists, None),
        }
    }

    fn push_from(&self, sql: &mut Sql, anchor: Anchor<'_>) -> Result<()> {
        sql.push(match anchor.table {
            Table::Resource => " FROM resource r WHERE ",
            Table::Token => " FROM search_token d WHERE ",
            Table::Gathered => " FROM (",
        });
        if anchor.table == Table::Gathered {
            push_listed(sql, &self.listed()?, &self.types, Listed::WithDates)?;
            sql.push(") d WHERE ");
        }
        self.push_where(sql, anchor)
    }

    fn push_where(&self, sql: &mut Sql, anchor: Anchor<'_>) -> Result<()> {
        if anchor.table == Table::Resource {
            // Rows from before the index have no key, and are found once they are in it.
            sql.push("r.body IS NOT NULL AND r.key IS NOT NULL");
            push_types(sql, &self.types, "r");
        } else {
            sql.push("TRUE");
        }
        let mut done = None;
        match &self.driver {
            Driver::Compartments(compartments) => push_compartments(sql, compartments, anchor.alias),
            Driver::Token { condition, compartments } => {
                let (token, system) = self.token(*condition)?;
                sql.push(" AND d.token = ").bind(token);
                push_system(sql, system, "d");
                if system == SystemMatch::Any {
                    sql.push(" AND NOT d.repeated");
                }
                if !compartments.is_empty() {
                    push_compartments(sql, compartments, anchor.alias);
                }
                done = Some(*condition);
            }
            Driver::Gather(number) => {
                if anchor.table == Table::Resource {
                    sql.push(" AND (r.compartment, r.key) IN (");
                    push_listed(sql, &self.listed()?, &self.types, Listed::Resources)?;
                    sql.push(")");
                }
                done = Some(*number);
            }
            Driver::Page | Driver::Planner => {}
        }
        self.push_dates(sql, anchor);
        for clause in self.conditions.iter().enumerate().filter(|(number, _)| Some(*number) != done).map(|(_, c)| c) {
            sql.push(" AND ");
            push_clause(sql, clause, anchor)?;
        }
        if anchor.table == Table::Token && !self.types.is_empty() && !self.token_tells_type() {
            sql.push(" AND (SELECT count(*) FROM resource o WHERE o.key = d.key AND o.compartment = ");
            anchor.push_compartment(sql);
            push_types(sql, &self.types, "o");
            sql.push(") <> 0");
        }
        Ok(())
    }

    /// The alternatives of the condition whose resources are gathered.
    fn listed(&self) -> Result<Vec<&Predicate>> {
        let Driver::Gather(number) = self.driver else { return Err(Error::internal("nothing is gathered")) };
        let listed = self.conditions.get(number).and_then(listable);
        listed.ok_or_else(|| Error::internal("this condition cannot drive a search"))
    }

    /// Whether the entries of a condition alone put its resources into the order of the page.
    fn is_gathered_in_order(&self, condition: usize) -> bool {
        let listed = self.conditions.get(condition).and_then(listable);
        let all_tell = |listed: Vec<&Predicate>| listed.into_iter().all(|one| tells_place(one, &self.types));
        self.order.is_by_date() && listed.is_some_and(all_tell)
    }

    fn token(&self, condition: usize) -> Result<(i64, SystemMatch)> {
        let token = self.conditions.get(condition).and_then(driving_token);
        token.ok_or_else(|| Error::internal("this condition is no token that could drive a search"))
    }

    /// Whether only resources of the one type searched have the driver's token.
    fn token_tells_type(&self) -> bool {
        let Driver::Token { condition, .. } = self.driver else { return false };
        let only = self.conditions.get(condition).and_then(type_of_token);
        only.is_some_and(|only| self.types == [only.as_str()])
    }

    /// Bounds on the leading date that the index of the driver can use; the exact condition stands besides.
    fn push_dates(&self, sql: &mut Sql, anchor: Anchor<'_>) {
        let DateRange { from, to, .. } = self.dates;
        if let Some(from) = from {
            sql.push(" AND ").push(anchor.alias).push(".date >= ").bind(from);
        }
        if let Some(to) = to {
            sql.push(" AND ").push(anchor.alias).push(".date <= ").bind(to);
            sql.push(" AND ").push(anchor.alias).push(".date > ").bind(NO_DATE);
        }
    }
}

/// ` AND alias.compartment = …`.
pub fn push_compartments(sql: &mut Sql, compartments: &[String], alias: &'static str) {
    sql.push(" AND ").push(alias).push(".compartment = ");
    match compartments {
        [one] => sql.bind(one.as_str()),
        several => sql.push("ANY(").bind(several.to_vec()).push(")"),
    };
}

fn push_types(sql: &mut Sql, types: &[&'static str], alias: &'static str) {
    match types {
        [] => {}
        [one] => {
            sql.push(" AND ").push(alias).push(".type = ").bind(*one);
        }
        several => {
            let names: Vec<String> = several.iter().map(|name| (*name).to_owned()).collect();
            sql.push(" AND ").push(alias).push(".type = ANY(").bind(names).push(")");
        }
    }
}

/// What is listed of the resources that meet a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed {
    /// `compartment` and `key`, several times where several entries meet it.
    Resources,
    /// `date`, too, and each once. All entries must tell their place ([`tells_place`]).
    WithDates,
}

impl Listed {
    fn begin(self, sql: &mut Sql, is_first: bool) {
        sql.push(match (self, is_first) {
            (Listed::Resources, true) => "SELECT t.compartment, t.key FROM ",
            (Listed::Resources, false) => " UNION ALL SELECT t.compartment, t.key FROM ",
            // A UNION leaves each row once, too.
            (Listed::WithDates, true) => "SELECT DISTINCT t.compartment, t.key, t.date FROM ",
            (Listed::WithDates, false) => " UNION SELECT t.compartment, t.key, t.date FROM ",
        });
    }
}

/// Lists the resources that meet one of the predicates.
pub fn push_listed(sql: &mut Sql, predicates: &[&Predicate], types: &[&'static str], listed: Listed) -> Result<()> {
    let tokens: Vec<i64> = predicates.iter().filter_map(|predicate| plain_token(predicate)).collect();
    let mut is_first = true;
    if !tokens.is_empty() {
        listed.begin(sql, true);
        sql.push("search_token t WHERE t.token = ANY(").bind(tokens).push(")");
        is_first = false;
    }
    for predicate in predicates.iter().filter(|predicate| plain_token(predicate).is_none()) {
        if matches!(predicate, Predicate::LastUpdated(_) | Predicate::SelfIn(_)) {
            listed.begin(sql, is_first);
            sql.push("resource t WHERE t.body IS NOT NULL");
            push_types(sql, types, "t");
            sql.push(" AND ");
            let anchor = Anchor { alias: "t", table: Table::Resource, form: Form::Exists, level: 0, home: None };
            push_clause(sql, &Clause::Match((*predicate).clone()), anchor)?;
        } else {
            push_listed_entries(sql, predicate, listed, is_first)?;
        }
        is_first = false;
    }
    Ok(())
}

/// The resources of the entries that match. Where only the end of a span is bounded, single values are found by where they
/// begin and ranges by where they end, which is a second statement: of an OR the planner believes too much.
fn push_listed_entries(sql: &mut Sql, predicate: &Predicate, listed: Listed, is_first: bool) -> Result<()> {
    let table = table_of(predicate)?;
    for (number, part) in parts_by_index(predicate).into_iter().enumerate() {
        listed.begin(sql, is_first && number == 0);
        sql.push(table).push(" t WHERE ");
        push_match(sql, predicate)?;
        push_part(sql, part);
    }
    Ok(())
}

/// A token without a condition on its system.
pub fn plain_token(predicate: &Predicate) -> Option<i64> {
    single_token(&Clause::Match(predicate.clone()))
}

/// The resource of a row: its head as a line of text, and its body behind it. One value, so that the rows of a page go
/// through the sort without their bodies, and a fan-out of Citus stays one.
fn push_packed(sql: &mut Sql, anchor: Anchor<'_>) {
    sql.push("(SELECT ");
    push_pack(sql);
    sql.push(" FROM resource b WHERE b.compartment = ");
    anchor.push_compartment(sql);
    sql.push(" AND b.key = ").push(anchor.alias).push(".key)");
}

/// The head and the body of the resource `b`.
pub fn push_pack(sql: &mut Sql) {
    sql.push("convert_to(b.type || ' ' || b.id || ' ' || b.version_id || ' ' || b.method || ' ' || ");
    sql.push("(extract(epoch FROM b.last_updated) * 1000000)::bigint || E'\\n', 'UTF8') || b.body");
}
