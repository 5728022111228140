//! The designs: what each stores for a token, and how it asks.

use super::record::{Record, Token};

/// Where a design keeps tokens.
pub struct Design {
    pub name: &'static str,
    pub schema: &'static str,
    pub tables: &'static str,
    /// Whether a token is a row.
    row: fn(&Token) -> bool,
    /// Whether a token is in the array; `None`: there is no array.
    array: Option<fn(&Token) -> bool>,
}

pub static ALL: [Design; 3] = [
    Design {
        name: "rows",
        schema: "trial_rows",
        tables: include_str!("../../sql/bench/trial/rows.sql"),
        row: |_| true,
        array: None,
    },
    Design {
        name: "array",
        schema: "trial_array",
        tables: include_str!("../../sql/bench/trial/array.sql"),
        row: |_| false,
        array: Some(|_| true),
    },
    Design {
        name: "mixed",
        schema: "trial_mixed",
        tables: include_str!("../../sql/bench/trial/mixed.sql"),
        row: |token| !token.is_reference(),
        array: Some(Token::is_reference),
    },
];

impl Design {
    pub fn rows<'a>(&self, record: &'a Record) -> Vec<&'a Token> {
        record.tokens.iter().filter(|token| (self.row)(token)).collect()
    }

    pub fn has_rows(&self) -> bool {
        self.name != "array"
    }

    /// The array of a resource, if the design has one.
    pub fn array(&self, record: &Record) -> Option<Vec<i64>> {
        let kept = self.array?;
        let mut array = Vec::new();
        for token in record.tokens.iter().filter(|token| kept(token)) {
            array.push(token.token);
            array.extend(token.system.map(|system| token.with_system(system)));
        }
        array.sort_unstable();
        array.dedup();
        Some(array)
    }

    /// A page of 20 and whether more follow: resources with all of these tokens, the newest first. Tokens are values, not
    /// references: they are rows in two designs.
    pub fn page(&self, tokens: &[i64], dates: Option<(i64, i64)>, compartment: Option<&str>) -> String {
        let (mut sql, table) = match self.has_rows() {
            true => (rows(tokens, compartment), "t"),
            false => (array(tokens), "r"),
        };
        if let Some((from, to)) = dates {
            sql += &format!(" AND {table}.date >= {from} AND {table}.date < {to}");
        }
        if let Some(compartment) = compartment {
            sql += &format!(" AND {table}.compartment = '{compartment}'");
        }
        sql + &format!(" ORDER BY {table}.date DESC, {table}.key DESC LIMIT 21")
    }

    pub fn count(&self, token: i64) -> String {
        if self.has_rows() {
            format!("SELECT count(*) FROM search_token WHERE token = {token}")
        } else {
            format!("SELECT count(*) FROM resource WHERE tokens @> ARRAY[{token}]::bigint[]")
        }
    }
}

/// As Brasa asks (`src/store/search/condition.rs`): along the first token's entries; the others are looked up for each,
/// within one patient all at once. With a join instead, the planner gathers and sorts all matches of a frequent token.
/// There the compartment is said of each table, for Citus to send the statement to its shard as it is.
fn rows(tokens: &[i64], compartment: Option<&str>) -> String {
    let home = compartment.map_or("t.compartment".to_owned(), |compartment| format!("'{compartment}'"));
    let mut sql = format!(
        "SELECT (SELECT convert_to(r.id, 'UTF8') || r.body FROM resource r
                 WHERE r.compartment = {home} AND r.key = t.key)
         FROM search_token t
         WHERE t.token = {}",
        tokens[0]
    );
    for token in &tokens[1..] {
        sql += &match compartment {
            None => format!(
                " AND (SELECT count(*) FROM search_token u WHERE u.compartment = t.compartment AND u.key = t.key
                       AND u.date = t.date AND u.token = {token}) <> 0"
            ),
            Some(compartment) => format!(
                " AND (t.key IN (SELECT u.key FROM search_token u
                                 WHERE u.compartment = '{compartment}' AND u.token = {token})) IS TRUE"
            ),
        };
    }
    sql
}

fn array(tokens: &[i64]) -> String {
    let list: Vec<String> = tokens.iter().map(i64::to_string).collect();
    format!(
        "SELECT r.id, r.body FROM resource r
         WHERE r.type = 'Observation' AND r.tokens @> ARRAY[{}]::bigint[]",
        list.join(", ")
    )
}
