//! What a narrative says: XHTML without its tags. <https://hl7.org/fhir/R4/narrative.html#xhtml>

/// Tags that do not end a word: `<b>Pé</b>rez` is one.
const INLINE: [&str; 19] = [
    "a", "abbr", "acronym", "b", "bdo", "big", "cite", "code", "dfn", "em", "font", "i", "kbd", "q", "small", "span",
    "strong", "tt", "u",
];

/// HTML's names for letters: without the accent, as they are searched.
const ACCENTS: [&str; 9] = ["grave", "acute", "circ", "tilde", "uml", "ring", "cedil", "slash", "caron"];

/// The longest name or number between `&` and `;` (bytes).
const ENTITY_BYTES_MAX: usize = 10;

/// The text of a narrative. It is for its words only: what is no letter may become a space.
pub fn plain(xhtml: &str) -> String {
    let mut text = String::with_capacity(xhtml.len());
    let mut rest = xhtml;
    while let Some((before, markup)) = rest.find(['<', '&']).and_then(|at| rest.split_at_checked(at)) {
        text.push_str(before);
        rest = if markup.starts_with('<') { tag(markup, &mut text) } else { entity(markup, &mut text) };
    }
    text.push_str(rest);
    text
}

/// Reads a tag or a comment; returns what is behind it.
fn tag<'a>(markup: &'a str, text: &mut String) -> &'a str {
    if let Some(comment) = markup.strip_prefix("<!--") {
        return comment.split_once("-->").map_or("", |(_, behind)| behind);
    }
    let inside = markup.strip_prefix('<').unwrap_or(markup);
    if !inside.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?')) {
        // A bare sign, which XHTML forbids.
        text.push(' ');
        return inside;
    }
    let name = inside.trim_start_matches('/').split(|c: char| !c.is_ascii_alphanumeric()).next();
    if !name.is_some_and(|name| INLINE.contains(&name)) {
        text.push(' ');
    }
    let mut quote = None;
    for (at, c) in inside.char_indices() {
        match (quote, c) {
            (None, '>') => return inside.get(at + 1..).unwrap_or_default(),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
    }
    ""
}

fn entity<'a>(markup: &'a str, text: &mut String) -> &'a str {
    let inside = markup.strip_prefix('&').unwrap_or(markup);
    let end = inside.bytes().take(ENTITY_BYTES_MAX).position(|byte| byte == b';');
    let Some((name, behind)) = end.and_then(|end| inside.split_at_checked(end)) else {
        text.push(' ');
        return inside;
    };
    let number = name.strip_prefix('#').and_then(|number| match number.strip_prefix(['x', 'X']) {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => number.parse().ok(),
    });
    match number.and_then(char::from_u32) {
        Some(c) => text.push(c),
        None => text.push_str(letters(name)),
    }
    behind.strip_prefix(';').unwrap_or(behind)
}

fn letters(name: &str) -> &str {
    let accented = || {
        let letter = ACCENTS.iter().find_map(|accent| name.strip_suffix(accent));
        letter.filter(|letter| letter.len() == 1)
    };
    match name {
        "szlig" => "ss",
        "AElig" | "aelig" => "ae",
        "OElig" | "oelig" => "oe",
        "ETH" | "eth" => "d",
        "THORN" | "thorn" => "th",
        // Where a word may be broken.
        "shy" => "",
        _ => accented().unwrap_or(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(xhtml: &str) -> String {
        plain(xhtml).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn tags_are_left_out_and_only_some_end_a_word() {
        for (xhtml, expected) in [
            ("<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>a</p><p>b</p></div>", "a b"),
            ("<b>Pé</b>rez<br/>Ana", "Pérez Ana"),
            ("<td>1</td><td>2</td>", "1 2"),
            ("<a title=\"x > y\" href='b'>link</a> and", "link and"),
            ("a<!-- <p>hidden</p> -->b", "ab"),
            ("1 < 2 and 3", "1 2 and 3"),
            ("<p>open", "open"),
            ("<p", ""),
            ("<!-- open", ""),
        ] {
            assert_eq!(words(xhtml), expected, "{xhtml}");
        }
    }

    #[test]
    fn entities_are_decoded_as_far_as_words_need() {
        for (xhtml, expected) in [
            ("P&#233;rez &#xE9; &#XE9;", "Pérez é é"),
            ("P&eacute;rez Stra&szlig;e &Aring;se &oslash; &aelig;", "Perez Strasse Ase o ae"),
            ("a&nbsp;b&amp;c&lt;d", "a b c d"),
            ("syl&shy;lable", "syllable"),
            ("&#0;&#xFFFFFFF;&;&unknown;x", "\0 x"),
            ("R&D &a", "R D a"),
        ] {
            assert_eq!(words(xhtml), expected, "{xhtml}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_text_breaks_the_reading(xhtml in "(<|>|&|;|#|x|\"|'|/|!--|-->|é|p| ){0,20}") {
            prop_assert!(plain(&xhtml).len() <= xhtml.len());
        }
    }
}
