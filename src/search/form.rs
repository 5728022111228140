//! The parameters of a query or a form, decoded. <https://url.spec.whatwg.org/#application/x-www-form-urlencoded>

use crate::error::{Error, Result};

/// A query's parameters, decoded.
///
/// # Errors
/// 400 for one that is not UTF-8: read as something near it, it would ask something else.
pub fn form_urlencoded(query: &str) -> Result<Vec<(String, String)>> {
    let spaced = query.replace('+', " ");
    let pairs = spaced.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| decoded(pair.split_once('=').unwrap_or((pair, "")))).collect()
}

fn decoded((name, value): (&str, &str)) -> Result<(String, String)> {
    let [name, value] = [name, value].map(percent_encoding::percent_decode_str);
    // The place tells a name that is broken itself, too.
    let place = name.clone().decode_utf8_lossy().into_owned();
    let read = name.decode_utf8().and_then(|name| Ok((name.into_owned(), value.decode_utf8()?.into_owned())));
    read.map_err(|_| Error::invalid(format!("The parameter '{place}' is not UTF-8.")).at(place))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn a_query_is_decoded_and_what_is_not_utf_8_is_refused_by_name() {
        let pairs = form_urlencoded("a=1+%2B+2&&b&c%5B=%C3%A9&d==&").unwrap();
        let expected = [("a", "1 + 2"), ("b", ""), ("c[", "é"), ("d", "=")];
        assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        for (query, place) in [("a=1&name=%E9", "name"), ("na%FFme=1", "na\u{FFFD}me"), ("_filter=%C3", "_filter")] {
            let error = form_urlencoded(query).unwrap_err();
            assert_eq!((error.kind, error.expression.as_deref()), (Kind::Invalid, Some(place)), "{query}");
            assert!(error.message.contains(place) && error.message.contains("UTF-8"), "{error}");
        }
    }
}
