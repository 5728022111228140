//! Splitting values at separators that are not escaped. <https://hl7.org/fhir/R4/search.html#escaping>

/// The parts between unescaped separators, each still with its escapes. One part at least.
pub fn split(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut rest, mut start, mut escaped) = (text, 0, false);
    for (at, c) in text.char_indices() {
        if c == separator && !escaped {
            parts.push(text.get(start..at).unwrap_or_default());
            start = at + c.len_utf8();
            rest = text.get(start..).unwrap_or_default();
        }
        escaped = c == '\\' && !escaped;
    }
    parts.push(rest);
    parts
}

/// The text without its escapes. A backslash before anything else stands for itself.
pub fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let escaped = chars.next_if(|next| c == '\\' && matches!(next, ',' | '$' | '|' | '\\'));
        plain.push(escaped.unwrap_or(c));
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_separator_behind_a_backslash_does_not_separate() {
        assert_eq!(split(r"a\,b,c", ','), [r"a\,b", "c"]);
        assert_eq!(split(r"a$b\$c", '$'), ["a", r"b\$c"]);
        assert_eq!(split(r"a\\|b", '|'), [r"a\\", "b"]);
        assert_eq!(split("", ','), [""]);
        assert_eq!(split("a,,b,", ','), ["a", "", "b", ""]);
        assert_eq!(split("ä|ö", '|'), ["ä", "ö"]);
    }

    #[test]
    fn escapes_stand_for_the_separators_and_the_backslash_only() {
        assert_eq!(unescape(r"xxx\$xxx"), "xxx$xxx");
        assert_eq!(unescape(r"xxx\,xxx"), "xxx,xxx");
        assert_eq!(unescape(r"xxx\\xxx"), r"xxx\xxx");
        assert_eq!(unescape(r"a\|b\n\"), r"a|b\n\");
    }
}
