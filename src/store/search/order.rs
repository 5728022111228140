//! The order of a page, and going on from a place in it. Keys are compared, never counted: a page is found as fast at the
//! end as at the start, and stays right while data change.

use super::condition::{Anchor, Table};
use super::sql::Sql;
use crate::error::{Error, Result};
use crate::search::page::{Direction, Page, PageValue};
use crate::search::query::{SortBy, SortKey};
use crate::store::index::NO_DATE;
use chrono::DateTime;
use tokio_postgres::Row;

/// Sort keys with the resource's number behind them, which makes the order total: newer resources first.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    keys: Vec<SortKey>,
}

impl Order {
    /// What the client asked for; otherwise by the leading date of the one type, or by the time of the last update of
    /// several types, newest first.
    pub fn new(sort: &[SortKey], one_type: bool) -> Order {
        if !sort.is_empty() {
            return Order { keys: sort.to_vec() };
        }
        let by = if one_type { SortBy::LeadingDate } else { SortBy::LastUpdated };
        Order { keys: vec![SortKey { by, descending: true }] }
    }

    /// Whether the index of a type's resources by date lies in this order.
    pub fn is_by_date(&self) -> bool {
        matches!(self.keys.as_slice(), [SortKey { by: SortBy::LeadingDate, descending: true }])
    }

    /// Whether an index of `resource` lies in this order.
    pub fn is_indexed(&self) -> bool {
        self.is_by_date() || matches!(self.keys.as_slice(), [SortKey { by: SortBy::LastUpdated, .. }])
    }

    /// The columns of a page's key, with a comma behind each.
    pub fn push_columns(&self, sql: &mut Sql, anchor: Anchor<'_>) {
        for key in &self.keys {
            if key.by == SortBy::LastUpdated {
                sql.push("(extract(epoch FROM ");
                push_value(sql, key, anchor);
                sql.push(") * 1000000)::bigint, ");
            } else {
                push_value(sql, key, anchor);
                sql.push(", ");
            }
        }
        sql.push(anchor.alias).push(".key, ");
    }

    pub fn columns(&self) -> usize {
        self.keys.len() + 1
    }

    /// ` ORDER BY …`, reversed for a page that ends where another begins.
    pub fn push_order(&self, sql: &mut Sql, anchor: Anchor<'_>, direction: Direction) {
        let forward = direction == Direction::Next;
        sql.push(" ORDER BY ");
        for key in &self.keys {
            push_value(sql, key, anchor);
            sql.push(way(key, forward));
        }
        sql.push(anchor.alias).push(if forward { ".key DESC" } else { ".key ASC" });
    }

    /// The same order of a page's rows by the columns that [`Order::push_columns`] made.
    pub fn push_order_of(&self, sql: &mut Sql, columns: &[&'static str], direction: Direction) {
        let forward = direction == Direction::Next;
        sql.push(" ORDER BY ");
        for (key, column) in self.keys.iter().zip(columns) {
            sql.push(column).push(way(key, forward));
        }
        let last = columns.get(self.keys.len()).copied().unwrap_or_default();
        sql.push(last).push(if forward { " DESC" } else { " ASC" });
    }

    /// ` AND …`: what lies behind the page's key, or before it.
    pub fn push_page(&self, sql: &mut Sql, anchor: Anchor<'_>, page: &Page) -> Result<()> {
        let (Some((last, values)), true) = (page.key.split_last(), page.key.len() == self.columns()) else {
            return Err(Error::internal("a page's key does not belong to this order"));
        };
        let forward = page.direction == Direction::Next;
        let below = if forward { " < " } else { " > " };
        if let ([key], [value], true) = (self.keys.as_slice(), values, self.is_indexed())
            && key.descending
        {
            // One comparison of rows, which an index can begin with.
            sql.push(" AND (");
            push_value(sql, key, anchor);
            sql.push(", ").push(anchor.alias).push(".key)").push(below).push("(");
            bind(sql, key, value);
            sql.push(", ");
            bind_value(sql, last);
            sql.push(")");
            return Ok(());
        }
        sql.push(" AND (");
        for (number, (key, value)) in self.keys.iter().zip(values).enumerate() {
            push_equal(sql, self.keys.iter().zip(values).take(number), anchor);
            push_behind(sql, key, value, anchor, forward);
            sql.push(" OR ");
        }
        push_equal(sql, self.keys.iter().zip(values), anchor);
        sql.push(anchor.alias).push(".key").push(below);
        bind_value(sql, last);
        sql.push(")");
        Ok(())
    }

    /// The key of a row, whose first columns [`Order::push_columns`] named.
    pub fn key_of(&self, row: &Row) -> Vec<PageValue> {
        let int = |column| row.get::<_, Option<i64>>(column).map_or(PageValue::Null, PageValue::Int);
        let text = |column| row.get::<_, Option<String>>(column).map_or(PageValue::Null, PageValue::Text);
        let float = |column| row.get::<_, Option<f64>>(column).map_or(PageValue::Null, PageValue::Float);
        let values = self.keys.iter().enumerate().map(|(column, key)| match key.by {
            SortBy::LeadingDate | SortBy::LastUpdated | SortBy::Date(_) => int(column),
            SortBy::Id | SortBy::String(_) | SortBy::Token(_) => text(column),
            SortBy::Number(_) => float(column),
        });
        values.chain([int(self.keys.len())]).collect()
    }
}

fn way(key: &SortKey, forward: bool) -> &'static str {
    match (key.descending == forward, is_nullable(key), forward) {
        (true, true, true) => " DESC NULLS LAST, ",
        (true, true, false) => " DESC NULLS FIRST, ",
        (false, true, true) => " ASC NULLS LAST, ",
        (false, true, false) => " ASC NULLS FIRST, ",
        (true, false, _) => " DESC, ",
        (false, false, _) => " ASC, ",
    }
}

/// Whether a resource may have no value of the key; it then comes last.
fn is_nullable(key: &SortKey) -> bool {
    match key.by {
        SortBy::Id | SortBy::LastUpdated => false,
        // Without a date the column holds the smallest number: last in a descending order by itself.
        SortBy::LeadingDate => !key.descending,
        SortBy::Date(_) | SortBy::String(_) | SortBy::Token(_) | SortBy::Number(_) => true,
    }
}

/// The value that a row is sorted by: of several the smallest, or in a descending order the largest.
fn push_value(sql: &mut Sql, key: &SortKey, anchor: Anchor<'_>) {
    match &key.by {
        SortBy::Id => push_own(sql, "o.id", ".id", anchor),
        SortBy::LastUpdated => push_own(sql, "o.last_updated", ".last_updated", anchor),
        SortBy::LeadingDate if key.descending => sql.push(anchor.alias).push(".date"),
        SortBy::LeadingDate => sql.push("nullif(").push(anchor.alias).push(".date, ").bind(NO_DATE).push(")"),
        SortBy::Date(params) => {
            let column = if key.descending { "max(t.low)" } else { "min(t.low)" };
            push_entry(sql, column, "search_date", params.clone(), anchor)
        }
        SortBy::String(params) => {
            let column = if key.descending { "max(left(t.value, 64))" } else { "min(left(t.value, 64))" };
            push_entry(sql, column, "search_string", params.clone(), anchor)
        }
        SortBy::Token(params) => {
            let column = if key.descending { "max(t.code)" } else { "min(t.code)" };
            push_entry(sql, column, "search_token", params.clone(), anchor)
        }
        SortBy::Number(params) => {
            let column = if key.descending { "max(t.high)" } else { "min(t.low)" };
            push_entry(sql, column, "search_number", params.clone(), anchor)
        }
    };
}

/// A column of the resource's own row, which an anchor of another table has to look up.
fn push_own<'s>(sql: &'s mut Sql, looked_up: &'static str, column: &'static str, anchor: Anchor<'_>) -> &'s mut Sql {
    if anchor.table == Table::Resource {
        return sql.push(anchor.alias).push(column);
    }
    sql.push("(SELECT ").push(looked_up).push(" FROM resource o WHERE o.key = ").push(anchor.alias);
    sql.push(".key AND o.compartment = ");
    anchor.push_compartment(sql);
    sql.push(")")
}

fn push_entry<'s>(
    sql: &'s mut Sql,
    column: &'static str,
    table: &'static str,
    params: impl Into<super::sql::Bound>,
    anchor: Anchor<'_>,
) -> &'s mut Sql {
    sql.push("(SELECT ").push(column).push(" FROM ").push(table).push(" t WHERE t.compartment = ");
    anchor.push_compartment(sql);
    sql.push(" AND t.key = ").push(anchor.alias).push(".key AND t.param = ANY(");
    sql.bind(params).push("))")
}

fn push_equal<'k>(sql: &mut Sql, keys: impl Iterator<Item = (&'k SortKey, &'k PageValue)>, anchor: Anchor<'_>) {
    for (key, value) in keys {
        push_value(sql, key, anchor);
        if *value == PageValue::Null {
            sql.push(" IS NULL AND ");
        } else {
            sql.push(" = ");
            bind(sql, key, value);
            sql.push(" AND ");
        }
    }
}

/// Behind a value in the order, or before it; missing values are behind all others.
fn push_behind(sql: &mut Sql, key: &SortKey, value: &PageValue, anchor: Anchor<'_>, forward: bool) {
    match (value, forward) {
        (PageValue::Null, true) => {
            sql.push("FALSE");
        }
        (PageValue::Null, false) => {
            push_value(sql, key, anchor);
            sql.push(" IS NOT NULL");
        }
        _ => {
            sql.push("(");
            push_value(sql, key, anchor);
            sql.push(if key.descending == forward { " < " } else { " > " });
            bind(sql, key, value);
            if forward && is_nullable(key) {
                sql.push(" OR ");
                push_value(sql, key, anchor);
                sql.push(" IS NULL");
            }
            sql.push(")");
        }
    }
}

fn bind(sql: &mut Sql, key: &SortKey, value: &PageValue) {
    match (&key.by, value) {
        (SortBy::LastUpdated, PageValue::Int(us)) => {
            sql.bind(DateTime::from_timestamp_micros(*us).unwrap_or_default());
        }
        _ => bind_value(sql, value),
    }
}

fn bind_value(sql: &mut Sql, value: &PageValue) {
    match value {
        PageValue::Null => sql.push("NULL"),
        PageValue::Int(value) => sql.bind(*value),
        PageValue::Float(value) => sql.bind(*value),
        PageValue::Text(value) => sql.bind(value.as_str()),
    };
}
