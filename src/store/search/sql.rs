//! SQL put together piece by piece: text of this program is pushed, values of clients are bound, and never the reverse.

use chrono::{DateTime, Utc};
use tokio_postgres::types::{ToSql, Type};

/// A statement that grows.
#[derive(Debug, Default)]
pub struct Sql {
    text: String,
    values: Vec<Bound>,
}

/// A value of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum Bound {
    Int8(i64),
    Int4(i32),
    Double(f64),
    Text(String),
    Time(DateTime<Utc>),
    Int8s(Vec<i64>),
    Int4s(Vec<i32>),
    Texts(Vec<String>),
}

impl Sql {
    pub fn new(text: &'static str) -> Sql {
        Sql { text: text.to_owned(), values: Vec::new() }
    }

    /// Only a literal of this program can be pushed.
    pub fn push(&mut self, text: &'static str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Pushes each piece, with `between` in front of all but the first.
    pub fn each<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        between: &'static str,
        mut piece: impl FnMut(&mut Self, T),
    ) -> &mut Self {
        for (number, item) in items.into_iter().enumerate() {
            if number > 0 {
                self.push(between);
            }
            piece(self, item);
        }
        self
    }

    pub fn bind(&mut self, value: impl Into<Bound>) -> &mut Self {
        let value = value.into();
        // A value that stands several times is sent once.
        let place = self.values.iter().position(|known| *known == value).unwrap_or_else(|| {
            self.values.push(value);
            self.values.len() - 1
        });
        self.text.push('$');
        self.text.push_str(&(place + 1).to_string());
        self
    }

    /// The statement that shows this one's plan instead of running it.
    pub fn explained(&self) -> Sql {
        Sql { text: format!("EXPLAIN {}", self.text), values: self.values.clone() }
    }

    /// The statement with its values in it, for people and for pgbench.
    pub fn runnable(&self) -> String {
        let mut pieces = self.text.split('$');
        let mut runnable = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let digits = piece.len() - piece.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (number, rest) = piece.split_at_checked(digits).unwrap_or((piece, ""));
            let value = number.parse::<usize>().ok().and_then(|number| self.values.get(number.checked_sub(1)?));
            runnable.push_str(&value.map_or_else(|| format!("${number}"), Bound::literal));
            runnable.push_str(rest);
        }
        runnable
    }

    /// The statement with its values, to know it again.
    pub fn fingerprint(&self) -> String {
        format!("{} {:?}", self.text, self.values)
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn values(&self) -> impl Iterator<Item = (&(dyn ToSql + Sync), Type)> {
        self.values.iter().map(|value| (value.as_sql(), value.sql_type()))
    }
}

impl Bound {
    fn as_sql(&self) -> &(dyn ToSql + Sync) {
        match self {
            Bound::Int8(value) => value,
            Bound::Int4(value) => value,
            Bound::Double(value) => value,
            Bound::Text(value) => value,
            Bound::Time(value) => value,
            Bound::Int8s(values) => values,
            Bound::Int4s(values) => values,
            Bound::Texts(values) => values,
        }
    }

    fn literal(&self) -> String {
        let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
        let list = |items: Vec<String>, of: &str| format!("ARRAY[{}]::{of}[]", items.join(","));
        match self {
            Bound::Int8(value) => format!("{}::bigint", quoted(&value.to_string())),
            Bound::Int4(value) => format!("{}::integer", quoted(&value.to_string())),
            Bound::Double(value) => format!("{}::float8", quoted(&value.to_string())),
            Bound::Text(value) => format!("{}::text", quoted(value)),
            Bound::Time(value) => format!("{}::timestamptz", quoted(&value.to_rfc3339())),
            Bound::Int8s(values) => list(values.iter().map(i64::to_string).collect(), "bigint"),
            Bound::Int4s(values) => list(values.iter().map(i32::to_string).collect(), "integer"),
            Bound::Texts(values) => list(values.iter().map(|value| quoted(value)).collect(), "text"),
        }
    }

    fn sql_type(&self) -> Type {
        match self {
            Bound::Int8(_) => Type::INT8,
            Bound::Int4(_) => Type::INT4,
            Bound::Double(_) => Type::FLOAT8,
            Bound::Text(_) => Type::TEXT,
            Bound::Time(_) => Type::TIMESTAMPTZ,
            Bound::Int8s(_) => Type::INT8_ARRAY,
            Bound::Int4s(_) => Type::INT4_ARRAY,
            Bound::Texts(_) => Type::TEXT_ARRAY,
        }
    }
}

macro_rules! bound_from {
    ($($from:ty => $kind:ident,)*) => {
        $(impl From<$from> for Bound {
            fn from(value: $from) -> Self {
                Bound::$kind(value)
            }
        })*
    };
}

bound_from! {
    i64 => Int8,
    i32 => Int4,
    f64 => Double,
    String => Text,
    DateTime<Utc> => Time,
    Vec<i64> => Int8s,
    Vec<i32> => Int4s,
    Vec<String> => Texts,
}

impl From<&str> for Bound {
    fn from(value: &str) -> Self {
        Bound::Text(value.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_bound_in_order_and_equal_ones_once() {
        let mut sql = Sql::new("SELECT ");
        sql.bind(1_i64).push(", ").bind("x'; DROP").push(", ").bind(1_i64).push(", ").bind(1_i32);
        assert_eq!(sql.text(), "SELECT $1, $2, $1, $3");
        assert_eq!(sql.runnable(), "SELECT '1'::bigint, 'x''; DROP'::text, '1'::bigint, '1'::integer");
        assert_eq!(sql.values().map(|(_, kind)| kind).collect::<Vec<_>>(), [Type::INT8, Type::TEXT, Type::INT4]);
    }
}
