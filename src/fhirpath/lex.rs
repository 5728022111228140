//! The words of an expression. <http://hl7.org/fhirpath/N1/#lexical-elements>

use crate::fhir::invalid::{Invalid, Result};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Name(String),
    Text(String),
    Number(String),
    /// `@2020-02`, without the sign; one with a `T` is a DateTime.
    Date(String),
    /// `@T10:30`, without the signs.
    Time(String),
    /// `%resource`, without the sign.
    Variable(String),
    /// `$this`, without the sign.
    Dollar(String),
    Symbol(&'static str),
}

/// What the parser knows, and what it refuses by name. Longer ones first.
const SYMBOLS: &[&str] =
    &["!=", "!~", "<=", ">=", "(", ")", "[", "]", ".", ",", "|", "=", "~", "<", ">", "+", "-", "*", "/", "&", "{", "}"];

/// The tokens with their places in the text (bytes, from 0).
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, usize)>> {
    let mut tokens = Vec::new();
    let mut rest = uncommented(text, text)?;
    while let Some(first) = rest.chars().next() {
        let at = text.len() - rest.len();
        let (token, behind) = token(first, rest).map_err(|message| fault(at, &message))?;
        tokens.push((token, at));
        rest = uncommented(text, behind)?;
    }
    Ok(tokens)
}

/// What follows behind space and comments.
fn uncommented<'t>(text: &str, rest: &'t str) -> Result<&'t str> {
    let mut rest = rest.trim_start();
    loop {
        let behind = if let Some(comment) = rest.strip_prefix("//") {
            comment.split_once(['\n', '\r']).map_or("", |(_, behind)| behind)
        } else if let Some(comment) = rest.strip_prefix("/*") {
            let closed = comment.split_once("*/").map(|(_, behind)| behind);
            closed.ok_or_else(|| fault(text.len() - rest.len(), "the comment has no closing */."))?
        } else {
            return Ok(rest);
        };
        rest = behind.trim_start();
    }
}

/// A fault in an expression; places are told from 1.
pub(super) fn fault(at: usize, message: &str) -> Invalid {
    Invalid::syntax(format!("FHIRPath, at {}: {message}", at + 1))
}

fn token(first: char, rest: &str) -> std::result::Result<(Token, &str), String> {
    if first == '\'' || first == '`' {
        let (text, behind) = quoted(rest, first)?;
        return Ok((if first == '\'' { Token::Text(text) } else { Token::Name(text) }, behind));
    }
    if let Some(name) = rest.strip_prefix('%') {
        if let Some(quote @ ('`' | '\'')) = name.chars().next() {
            let (name, behind) = quoted(name, quote)?;
            return Ok((Token::Variable(name), behind));
        }
        let (name, behind) = span(name, is_name);
        return Ok((Token::Variable(name.to_owned()), behind));
    }
    if let Some(name) = rest.strip_prefix('$') {
        let (name, behind) = span(name, is_name);
        return Ok((Token::Dollar(name.to_owned()), behind));
    }
    if let Some(temporal) = rest.strip_prefix('@') {
        return Ok(self::temporal(temporal));
    }
    if first.is_ascii_digit() {
        let (number, behind) = number(rest);
        return Ok((Token::Number(number.to_owned()), behind));
    }
    if is_name(first) {
        let (name, behind) = span(rest, is_name);
        return Ok((Token::Name(name.to_owned()), behind));
    }
    let symbol = SYMBOLS.iter().find_map(|symbol| Some((Token::Symbol(symbol), rest.strip_prefix(symbol)?)));
    symbol.ok_or_else(|| format!("the character '{first}' means nothing here."))
}

fn is_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

fn span(text: &str, belongs: fn(char) -> bool) -> (&str, &str) {
    text.split_at_checked(text.find(|letter| !belongs(letter)).unwrap_or(text.len())).unwrap_or((text, ""))
}

/// Digits, and a fraction if a digit follows the point.
fn number(text: &str) -> (&str, &str) {
    let digits = |letter: char| letter.is_ascii_digit();
    let whole = text.find(|letter| !digits(letter)).unwrap_or(text.len());
    let fraction = text.get(whole..).and_then(|rest| rest.strip_prefix('.')).filter(|rest| rest.starts_with(digits));
    let end = fraction.map_or(whole, |rest| text.len() - rest.trim_start_matches(digits).len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// A date or a time, as far as its letters go; whether there is such a day, the parser asks.
fn temporal(text: &str) -> (Token, &str) {
    if let Some(time) = text.strip_prefix('T') {
        let (time, behind) = text.split_at_checked(1 + clock(time)).unwrap_or((text, ""));
        return (Token::Time(time.trim_start_matches('T').to_owned()), behind);
    }
    let mut end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '-').unwrap_or(text.len());
    if let Some(time) = text.get(end..).and_then(|rest| rest.strip_prefix('T')) {
        let length = clock(time);
        end += 1 + length;
        if length > 0 {
            end += time.get(length..).map_or(0, zone);
        }
    }
    let (date, behind) = text.split_at_checked(end).unwrap_or((text, ""));
    (Token::Date(date.to_owned()), behind)
}

/// How many letters belong to a time of day; a point does if a digit follows.
fn clock(text: &str) -> usize {
    let whole = text.find(|letter: char| !letter.is_ascii_digit() && letter != ':').unwrap_or(text.len());
    let fraction = text.get(whole..).and_then(|rest| rest.strip_prefix('.')).unwrap_or_default();
    match fraction.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(fraction.len()) {
        0 => whole,
        digits => whole + 1 + digits,
    }
}

/// How many letters belong to a zone: `Z`, `+02:00`.
fn zone(text: &str) -> usize {
    match text.as_bytes() {
        [b'Z', ..] => 1,
        [b'+' | b'-', a, b, b':', c, d, ..] if [a, b, c, d].iter().all(|digit| digit.is_ascii_digit()) => 6,
        _ => 0,
    }
}

fn quoted(text: &str, quote: char) -> std::result::Result<(String, &str), String> {
    let mut written = String::new();
    let mut letters = text.chars();
    letters.next();
    while let Some(letter) = letters.next() {
        match letter {
            _ if letter == quote => return Ok((written, letters.as_str())),
            '\\' => written.push(escaped(&mut letters)?),
            _ => written.push(letter),
        }
    }
    Err(format!("the text has no closing {quote}."))
}

fn escaped(letters: &mut std::str::Chars<'_>) -> std::result::Result<char, String> {
    let letter = match letters.next() {
        Some(letter @ ('\'' | '"' | '`' | '\\' | '/')) => Some(letter),
        Some('f') => Some('\u{c}'),
        Some('n') => Some('\n'),
        Some('r') => Some('\r'),
        Some('t') => Some('\t'),
        Some('u') => {
            let digits: String = letters.take(4).collect();
            u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32)
        }
        _ => None,
    };
    letter.ok_or_else(|| "the escape is none that FHIRPath has.".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<Token> {
        tokens(text).unwrap().into_iter().map(|(token, _)| token).collect()
    }

    #[test]
    fn texts_names_and_numbers_are_read_with_their_escapes() {
        let name = |text: &str| Token::Name(text.to_owned());
        assert_eq!(all(r"'it\'s \u0041'"), [Token::Text("it's A".to_owned())]);
        assert_eq!(all("`div`.x"), [name("div"), Token::Symbol("."), name("x")]);
        assert_eq!(all("1.50 2"), [Token::Number("1.50".to_owned()), Token::Number("2".to_owned())]);
        assert_eq!(all("%resource"), [Token::Variable("resource".to_owned())]);
        assert_eq!(all("%`ext-x` $this"), [Token::Variable("ext-x".to_owned()), Token::Dollar("this".to_owned())]);
        assert_eq!(all("a!=b"), [name("a"), Token::Symbol("!="), name("b")]);
        assert_eq!(all("a // b\n/* c */ d"), [name("a"), name("d")]);
    }

    #[test]
    fn dates_and_times_end_where_a_function_begins() {
        for (text, expected) in [
            ("@2015.is", Token::Date("2015".to_owned())),
            ("@2015-02T.is", Token::Date("2015-02T".to_owned())),
            ("@2015-02-04T14.is", Token::Date("2015-02-04T14".to_owned())),
            ("@2015-02-04T14:34:28.123-05:00.is", Token::Date("2015-02-04T14:34:28.123-05:00".to_owned())),
            ("@2015-02-04T14:34Z.is", Token::Date("2015-02-04T14:34Z".to_owned())),
            ("@T14:34:28.123.is", Token::Time("14:34:28.123".to_owned())),
        ] {
            assert_eq!(all(text), [expected, Token::Symbol("."), Token::Name("is".to_owned())], "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_its_place() {
        for (text, at) in [("a.'b", 3), (r"'\q'", 1), ("a ; b", 3), ("ä", 1), ("2 /* a", 3)] {
            let message = tokens(text).unwrap_err().message;
            assert!(message.starts_with(&format!("FHIRPath, at {at}: ")), "{message}");
        }
    }
}
