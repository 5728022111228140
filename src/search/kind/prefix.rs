//! The prefixes of ordered values. <https://hl7.org/fhir/R4/search.html#prefix>

/// How an entry must stand to the value asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefix {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    StartsAfter,
    EndsBefore,
    Approximately,
}

/// The prefix of a value and the rest; without one: equal. An unknown prefix stays in the rest, which is then no number
/// and no date.
pub fn split(text: &str) -> (Prefix, &str) {
    let prefix = match text.get(..2) {
        Some("eq") => Prefix::Equal,
        Some("ne") => Prefix::NotEqual,
        Some("gt") => Prefix::Greater,
        Some("ge") => Prefix::GreaterOrEqual,
        Some("lt") => Prefix::Less,
        Some("le") => Prefix::LessOrEqual,
        Some("sa") => Prefix::StartsAfter,
        Some("eb") => Prefix::EndsBefore,
        Some("ap") => Prefix::Approximately,
        _ => return (Prefix::Equal, text),
    };
    (prefix, text.get(2..).unwrap_or_default())
}
